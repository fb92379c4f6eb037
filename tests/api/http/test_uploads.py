"""What is taken as code and as data, what is refused, and that nothing is left of the refused."""

import errno
import gzip
import io
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, archive, problems, upload

from trainyard_api.objects import ObjectStoreError
from trainyard_api.services import code_archives
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings


def stored(settings: Settings) -> list[str]:
    """Every object, and every file of an unfinished upload."""
    folders = [settings.state_dir / "objects", settings.state_dir / "incoming"]
    return [path.name for folder in folders for path in folder.rglob("*") if path.is_file()]


def test_the_same_bytes_are_one_upload(client: ApiClient, platform: Platform) -> None:
    content = archive({"train.py": "print(1)", "nets/": "", "nets/a.py": ""})
    first = upload(client, content, "../my code.zip")
    again = upload(client, content, "other.zip")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert (first.json["name"], first.json["size"], first.json["files"]) == ("my code.zip", len(content), ["nets/a.py", "train.py"])
    assert platform.objects.get_bytes(f"code/{first.json['id']}.zip") == content
    assert client.get("/code").json["items"] == [first.json]
    assert client.get(f"/code/{first.json['id']}").json == first.json
    problems(client.get("/code/nothing"), 404)
    problems(client.get(f"/datasets/{first.json['id']}"), 404)


def test_uploads_are_downloaded_as_they_were_sent(client: ApiClient, platform: Platform) -> None:
    for content, name, path in (
        (archive({"train.py": "print(1)"}), "my cödé.zip", "/code"),
        (b"a,b\n1,2\n" * 400_000, "t.csv", "/datasets"),
    ):
        sent = upload(client, content, name, path).json
        answer = client.get(f"{path}/{sent['id']}/download")
        assert (answer.status_code, answer.data == content, answer.headers["Content-Length"]) == (200, True, str(len(content)))
        assert answer.headers["Content-Disposition"].startswith("attachment; filename=")
        assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == ("application/octet-stream", "nosniff")
        platform.objects.delete_prefix("code/" if path == "/code" else "data/")
        problems(client.get(f"{path}/{sent['id']}/download"), 404)
        problems(client.get(f"{path}/nothing/download"), 404)


def test_a_lost_object_comes_back_with_the_same_bytes(client: ApiClient, platform: Platform) -> None:
    content = archive({"train.py": ""})
    upload_id = upload(client, content).json["id"]
    platform.objects.delete_prefix("code/")
    assert upload(client, content).status_code == 200
    assert platform.objects.get_bytes(f"code/{upload_id}.zip") == content


def entry(name: str, *, mode: int = 0, flags: int = 0, text: str = "x") -> bytes:
    """A .zip with one entry that no ordinary program would write."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        bundle.writestr(info, text)
        bundle.filelist[0].flag_bits |= flags
    return content.getvalue()


def damaged() -> bytes:
    """A .zip whose content does not match its checksum."""
    content = bytearray(archive({"train.py": "print(1)" * 100}))
    content[45] ^= 0xFF
    return bytes(content)


def lying(content: bytes) -> bytes:
    """The .zip with a directory that claims one byte for everything."""
    place = content.rfind(b"PK\x01\x02")
    return content[: place + 24] + struct.pack("<I", 1) + content[place + 28 :]


BOMB = archive({"zeros.bin": bytes(40 * 1024**2)})
REFUSED_CODE: list[tuple[str, bytes, int, str]] = [
    ("parent", entry("../evil.py"), 422, "leads out of the archive"),
    ("parent inside", entry("a/../../evil.py"), 422, "leads out of the archive"),
    ("absolute", entry("/etc/evil.py"), 422, "absolute path"),
    ("drive", entry("C:/evil.py"), 422, "absolute path"),
    ("backslash", entry("a\\b.py"), 422, "backslash"),
    ("control character", entry("a\nb.py"), 422, "control character"),
    ("nul", archive({"aXb.py": ""}).replace(b"aXb.py", b"a\0b.py"), 422, "control character"),
    ("long name", entry("x" * 251), 422, "too long"),
    ("link", entry("link", mode=stat.S_IFLNK | 0o777, text="/etc/passwd"), 422, "link or a device"),
    ("device", entry("null", mode=stat.S_IFCHR | 0o666), 422, "link or a device"),
    ("pipe", entry("pipe", mode=stat.S_IFIFO | 0o666), 422, "link or a device"),
    ("encrypted", entry("secret.py", flags=1), 422, "encrypted"),
    ("same name", archive({"a.py": "1", "b.py": "2"}).replace(b"b.py", b"a.py"), 422, "same file"),
    ("case", archive({"a.py": "1", "A.py": "2"}), 422, "same file"),
    ("unicode forms", archive({"\u00e9.py": "1", "e\u0301.py": "2"}), 422, "same file"),
    ("file and folder", archive({"a": "1", "a/b.py": "2"}), 422, "same file"),
    ("folder and file", archive({"a/b.py": "2", "A": "1"}), 422, "same file"),
    ("damaged", damaged(), 422, "damaged"),
    ("truncated", archive({"train.py": "x"})[:-5], 422, "not a .zip"),
    ("no files", archive({"folder/": ""}), 422, "holds no files"),
    ("no entries", archive({}), 422, "holds no files"),
    ("not a zip", b"print(1)", 422, "not a .zip"),
    ("nothing", b"", 422, "not a .zip"),
    ("bomb", BOMB, 413, "as a bomb does"),
    ("bomb that lies", lying(BOMB), 422, "damaged"),
]


@pytest.mark.parametrize(("content", "status", "text"), [case[1:] for case in REFUSED_CODE], ids=[case[0] for case in REFUSED_CODE])
def test_archives_that_no_worker_must_meet(client: ApiClient, settings: Settings, content: bytes, status: int, text: str) -> None:
    answer = upload(client, content)
    problems(answer, status)
    assert text in answer.json["detail"]
    assert stored(settings) == []
    assert client.get("/code").json["items"] == []


def test_sizes_are_counted_not_believed(client: ApiClient, platform: Platform, tmp_path: Path) -> None:
    path = tmp_path / "big.zip"
    path.write_bytes(archive({"a.bin": bytes(range(256)) * 8192, "b.bin": bytes(range(256)) * 8192}))
    assert code_archives.check_code_archive(path, max_unpacked_bytes=2**22) == ["a.bin", "b.bin"]
    with pytest.raises(code_archives.TooLarge, match="unpacks to more than"):
        code_archives.check_code_archive(path, max_unpacked_bytes=2**22 - 1)


def test_too_many_files(client: ApiClient) -> None:
    assert "at most 10,000" in problems(upload(client, archive({f"{number}.py": "" for number in range(10_001)})))["file"][1]


def npz() -> bytes:
    return archive({"x.npy": b"\x93NUMPY"})


DATA: list[tuple[str, bytes]] = [
    ("table.csv", b"a,b\n1,2\n"),
    ("table.csv.gz", gzip.compress(b"a,b\n1,2\n")),
    ("table.parquet", b"PAR1" + bytes(20) + b"PAR1"),
    ("table.pq", b"PAR1" + bytes(20) + b"PAR1"),
    ("arrays.npz", npz()),
    ("images.zip", archive({"cat/1.png": "x"})),
]


@pytest.mark.parametrize(("name", "content"), DATA, ids=[name for name, _ in DATA])
def test_each_kind_of_data_set(client: ApiClient, platform: Platform, name: str, content: bytes) -> None:
    answer = upload(client, content, f"folder/my {name}", "/datasets")
    assert answer.status_code == 201, answer.text
    assert answer.json["name"] == f"my_{name}"
    assert platform.objects.get_bytes(f"data/{answer.json['id']}/my_{name}") == content
    assert client.get(f"/datasets/{answer.json['id']}").json == answer.json


WRONG_DATA: list[tuple[str, bytes, str]] = [
    ("table.xlsx", b"PK\x03\x04", "no kind of data set"),
    (".csv", b"a,b", "no kind of data set"),
    ("table.csv", b"", "empty"),
    ("table.csv", b"a\0b", "NUL"),
    ("table.csv", b"caf\xe9,1\n", "not UTF-8"),
    ("table.csv.gz", b"a,b\n", "not a .csv.gz"),
    ("table.parquet", b"a,b\n", "PAR1"),
    ("table.parquet", b"PAR1" + bytes(20), "PAR1"),
    ("arrays.npz", archive({"x.txt": "x"}), "no array"),
    ("images.zip", archive({"x": "x"})[:-8], "not a zip archive"),
]


@pytest.mark.parametrize(("name", "content", "text"), WRONG_DATA)
def test_data_that_is_not_what_its_name_says(client: ApiClient, settings: Settings, name: str, content: bytes, text: str) -> None:
    assert text in problems(upload(client, content, name, "/datasets"))["file"][0]
    assert stored(settings) == []


def test_forms_that_hold_no_file(client: ApiClient) -> None:
    assert problems(client.post("/code", data={}, content_type="multipart/form-data"))["file"] == ("field required", "add it")
    assert "not a file" in problems(client.post("/code", data={"file": "text"}, content_type="multipart/form-data"))["file"][0]
    both = {"file": (io.BytesIO(archive({"a.py": ""})), "a.zip"), "other": "x"}
    assert "other" in problems(client.post("/code", data=both))
    problems(client.post("/code", data=archive({"a.py": ""}), content_type="application/zip"), 415)
    problems(client.post("/code", data=b"--x\r\nbroken", content_type="multipart/form-data; boundary=x"), 422)


def test_more_than_an_upload_may_have(client: ApiClient, settings: Settings) -> None:
    problems(upload(client, bytes(settings.max_upload_bytes + 1)), 413)
    problems(upload(client, bytes(settings.max_upload_bytes + 100_000)), 413)
    assert stored(settings) == []


def test_a_full_disk_is_said_to_be_full(client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    problems(upload(client, archive({"a.py": ""})), 507)
    monkeypatch.setattr("tempfile.NamedTemporaryFile", lambda **_: full())
    problems(upload(client, archive({"a.py": ""})), 507)
    assert stored(settings) == []
    assert client.get("/code").json["items"] == []


def test_an_object_store_that_is_away(client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise ObjectStoreError("S3 failed")

    monkeypatch.setattr(platform.objects, "put_file", away)
    answer = upload(client, archive({"a.py": ""}))
    problems(answer, 503)
    assert answer.headers["Retry-After"]
    assert client.get("/code").json["items"] == []
