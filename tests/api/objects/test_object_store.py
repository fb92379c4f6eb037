"""One contract for both object stores: a folder, and a real S3 server."""

import random
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainyard_api.objects import ObjectMissing, ObjectStore, base, open_store


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    """An empty store."""
    if request.param == "file":
        yield open_store((tmp_path / "a folder" / "objects").as_uri())
    else:
        yield open_store(f"{request.getfixturevalue('s3_bucket_url')}/{uuid.uuid4().hex}/below")


def keys(store: ObjectStore, prefix: str = "", after: str = "", limit: int | None = None) -> list[str]:
    return [info.key for info in store.list(prefix, after=after, limit=limit)]


def test_a_written_object_is_read_back_and_replaced(store: ObjectStore) -> None:
    store.put_bytes("jobs/1/result.json", b"one")
    store.put_bytes("jobs/1/result.json", b"")
    assert store.get_bytes("jobs/1/result.json") == b""
    store.put_bytes("jobs/1/result.json", "zwei é".encode())
    assert store.get_bytes("jobs/1/result.json") == "zwei é".encode()
    assert [(info.key, info.size) for info in store.list("jobs/")] == [("jobs/1/result.json", 7)]


def test_files_go_in_and_out(store: ObjectStore, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 40_000)  # more than one part of a multipart upload
    store.put_file("data/x/big file.npz", source)
    store.get_file("data/x/big file.npz", target)
    assert target.read_bytes() == source.read_bytes()


def test_ranges(store: ObjectStore) -> None:
    store.put_bytes("log", b"0123456789")
    assert store.get_bytes("log", start=3) == b"3456789"
    assert store.get_bytes("log", start=3, length=4) == b"3456"
    assert store.get_bytes("log", start=8, length=100) == b"89"
    assert store.get_bytes("log", length=1) == b"0"
    assert store.get_bytes("log", start=5, length=0) == b""
    assert store.get_bytes("log", start=10) == b""
    assert store.get_bytes("log", start=1000, length=5) == b""
    store.put_bytes("empty", b"")
    assert store.get_bytes("empty", start=0, length=5) == b""


def test_what_is_missing(store: ObjectStore, tmp_path: Path) -> None:
    store.put_bytes("a/b", b"")
    for key in ("nothing", "a", "a/b/c", "a/c", "A/B"):
        with pytest.raises(ObjectMissing):
            store.get_bytes(key)
        with pytest.raises(ObjectMissing):
            store.get_bytes(key, start=1, length=1)
        with pytest.raises(ObjectMissing):
            store.get_file(key, tmp_path / "target")
        assert not store.exists(key)
    assert store.exists("a/b")
    assert not (tmp_path / "target").exists()
    assert keys(store, "nothing/") == []
    store.delete_prefix("nothing/")
    store.delete_prefix("a/b/")
    assert keys(store) == ["a/b"]


def test_listing_is_in_key_order_and_goes_on_after_a_key(store: ObjectStore) -> None:
    made = ["a-b/x", "a.log", "a/1", "a/10", "a/2", "a0", "b/c/d/e", "b/c0", "z", "é/ü"]
    for key in reversed(made):
        store.put_bytes(key, b"x")
    assert keys(store) == sorted(made, key=str.encode) == made
    for position, key in enumerate(made):
        assert keys(store, after=key) == made[position + 1 :]
    assert keys(store, after="a/") == made[2:]
    assert keys(store, "a/") == ["a/1", "a/10", "a/2"]
    assert keys(store, "a/1") == ["a/1", "a/10"]
    assert keys(store, "a/", after="a/1") == ["a/10", "a/2"]
    assert keys(store, "a/", after="zzz") == []
    assert keys(store, "b/") == ["b/c/d/e", "b/c0"]
    assert keys(store, "a/", limit=2) == ["a/1", "a/10"]
    assert keys(store, after="a/1", limit=1) == ["a/10"]
    assert store.exists("a/1")


def test_the_last_of_numbered_objects(store: ObjectStore) -> None:
    assert store.last_numbered("logs/rank-0/", 3, ".log") is None
    for name in ("000.log", "007.log", "010.log", "0100.log", "011.txt", "99.log", "zzz.log"):
        store.put_bytes(f"logs/rank-0/{name}", name.encode())
    store.put_bytes("logs/rank-00/999.log", b"")
    last = store.last_numbered("logs/rank-0/", 3, ".log")
    assert last == base.ObjectInfo("logs/rank-0/010.log", 7)
    assert store.last_numbered("logs/rank-0/", 5, ".log") is None


def test_more_objects_than_one_page(store: ObjectStore) -> None:
    made = [f"jobs/1/logs/{number:05d}.log" for number in range(1100)]
    workers = [threading.Thread(target=lambda part=part: [store.put_bytes(key, b"x") for key in made[part::8]]) for part in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store.put_bytes("jobs/10/logs/0.log", b"")
    assert keys(store, "jobs/1/") == made
    assert keys(store, "jobs/1/", after=made[1050]) == made[1051:]
    assert keys(store, "jobs/1/", limit=1001) == made[:1001]
    last = store.last_numbered("jobs/1/logs/", 5, ".log")
    assert last is not None
    assert (last.key, last.size) == (made[-1], 1)
    store.delete_prefix("jobs/1/")
    assert keys(store) == ["jobs/10/logs/0.log"]


@pytest.mark.parametrize("size", [0, 1, base._PIECE_BYTES, base._PIECE_BYTES + 1])
def test_objects_are_read_in_pieces(store: ObjectStore, size: int) -> None:
    content = random.Random(1).randbytes(size)
    store.put_bytes("a/large", content)
    pieces = [*store.read("a/large")]
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= base._PIECE_BYTES for piece in pieces)
    with pytest.raises(ObjectMissing):
        next(store.read("a/nothing"))


def test_delete_takes_a_folder_only(store: ObjectStore) -> None:
    store.put_bytes("jobs/1/x", b"")
    for prefix in ("jobs/1", "", "jobs", "/"):
        with pytest.raises(ValueError):
            store.delete_prefix(prefix)
    assert keys(store) == ["jobs/1/x"]


HOSTILE = ["", "/", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./a", "a/./b", "a//b", "a/", "a\0b", "a\\b", "\ud800", "a/.partial-x"]


@pytest.mark.parametrize("key", HOSTILE, ids=[ascii(key) for key in HOSTILE])
def test_hostile_keys_are_refused_everywhere(store: ObjectStore, tmp_path: Path, key: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    for use in (
        lambda: store.put_bytes(key, b"x"),
        lambda: store.put_file(key, tmp_path / "file"),
        lambda: store.get_bytes(key),
        lambda: store.get_file(key, tmp_path / "target"),
        lambda: store.exists(key),
        lambda: store.uri(key),
    ):
        with pytest.raises(ValueError):
            use()
    if key not in ("", "a/"):
        with pytest.raises(ValueError):
            keys(store, key)
        with pytest.raises(ValueError):
            store.delete_prefix(f"{key}/")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_readers_see_whole_objects_only(store: ObjectStore) -> None:
    sizes = (200_000, 300_000)
    store.put_bytes("x", b"0" * sizes[0])
    done = threading.Event()

    def write() -> None:
        for number in range(1, 16):
            store.put_bytes("x", str(number % 10).encode() * sizes[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    reads = 0
    while not done.is_set() or not reads:
        content = store.get_bytes("x")
        assert len(content) in sizes
        assert content.count(content[:1]) == len(content)
        assert keys(store) == ["x"]
        reads += 1
    writer.join()


def test_ping_and_uri(store: ObjectStore) -> None:
    store.ping()
    assert keys(store) == []
    store.put_bytes("code/a b.zip", b"x")
    uri = store.uri("code/a b.zip")
    assert uri == f"{store.url}/code/a b.zip"
    base, _, name = uri.rpartition("/code/")
    assert open_store(base).get_bytes(f"code/{name}") == b"x"


@pytest.mark.parametrize("url", ["", "x", "http://host/x", "file://host/dir", "s3://", "s3:///prefix"])
def test_other_urls_are_refused_with_the_fix(url: str) -> None:
    with pytest.raises(ValueError, match="object store URL"):
        open_store(url)


def test_folder_markers_of_other_clients_are_no_objects_and_go_with_their_folder(s3_bucket_url: str) -> None:
    import boto3

    prefix = uuid.uuid4().hex
    store, client = open_store(f"{s3_bucket_url}/{prefix}"), boto3.client("s3")
    for key in ("jobs/1/", "jobs/1/attempts/1/"):
        client.put_object(Bucket="trainyard", Key=f"{prefix}/{key}")
    store.put_bytes("jobs/1/attempts/1/result.json", b"{}")
    assert keys(store, "jobs/") == ["jobs/1/attempts/1/result.json"]
    store.delete_prefix("jobs/1/")
    assert client.list_objects_v2(Bucket="trainyard", Prefix=prefix)["KeyCount"] == 0
