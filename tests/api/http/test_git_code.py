"""Code from git: a real repository behind a real HTTPS server, and everything that is refused before or while it is fetched."""

import io
import os
import socket
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.http.conftest import app_on, client_of, opened
from tests.support.api_calls import ApiClient, problems
from tests.support.git_server import GitServer, git_server

from trainyard.packing import packed_folder
from trainyard_api.services import git_repository
from trainyard_api.services.errors import Invalid
from trainyard_api.services.git_places import GitPlace, check_place
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A git server."""
    with git_server(tmp_path_factory.mktemp("git")) as server:
        yield server


@pytest.fixture
def allowing(settings: Settings, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """The platform with that server among its hosts, and its certificate trusted."""
    monkeypatch.setenv("GIT_SSL_CAINFO", str(server.ca_file))
    with opened(settings.model_copy(update={"git_hosts": ("example.com", server.host)})) as platform:
        yield platform


@pytest.fixture
def git_client(allowing: Platform) -> ApiClient:
    """A client of it."""
    return client_of(app_on(allowing))


def fetch(client: ApiClient, url: str, ref: str | None = "main", **fields: Any) -> Any:
    """The answer to fetching code."""
    return client.post("/code/git", json={"url": url, **({"ref": ref} if ref is not None else {}), **fields})


def files_of(platform: Platform, upload_id: str) -> dict[str, bytes]:
    """The files of a stored archive."""
    with zipfile.ZipFile(io.BytesIO(platform.objects.get_bytes(f"code/{upload_id}.zip"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_branch_a_tag_and_a_commit_become_the_archive_that_a_folder_becomes(
    git_client: ApiClient, allowing: Platform, server: GitServer, tmp_path: Path
) -> None:
    repository = server.repository("branches")
    first = repository.commit({"train.py": "print(1)\n", "nets/small.py": "x = 1\n", "run.sh": "#!/bin/sh\n"})
    repository.tag("v1.0")
    (repository.work / "run.sh").chmod(0o755)
    second = repository.commit({"train.py": "print(2)\n"}, branch="feature/a+b")
    url = server.url("branches")

    answer = fetch(git_client, url, "feature/a+b")
    assert answer.status_code == 201, answer.text
    upload = answer.json
    assert upload["source"] == {"url": url, "commit": second}
    assert (upload["name"], upload["files"]) == ("branches.zip", ["nets/small.py", "run.sh", "train.py"])
    assert files_of(allowing, upload["id"])["train.py"] == b"print(2)\n"
    with packed_folder(repository.work) as packed:
        assert packed.path.read_bytes() == allowing.objects.get_bytes(f"code/{upload['id']}.zip"), "the same files are the same upload"
    assert git_client.get(f"/code/{upload['id']}").json == upload

    again = fetch(git_client, url, second)
    assert (again.status_code, again.json) == (200, upload)
    tagged = fetch(git_client, url, "v1.0").json
    assert tagged["source"]["commit"] == first
    assert tagged["id"] == fetch(git_client, url, None).json["id"] == fetch(git_client, url, first).json["id"] != upload["id"]
    nets = fetch(git_client, url, "main", folder="nets/").json
    assert (nets["name"], nets["files"]) == ("nets.zip", ["small.py"])
    assert not [*(tmp_path / "incoming").iterdir()], "nothing of the repositories stays"


def test_nothing_of_the_repository_is_run_and_submodules_are_left_out(git_client: ApiClient, allowing: Platform, server: GitServer) -> None:
    inner = server.repository("inner")
    inner.commit({"inner.py": ""})
    repository = server.repository("filters")
    attributes = "*.py filter=lfs text eol=crlf export-subst\n"
    repository.commit(
        {"train.py": "$Format:%H$\n", ".gitattributes": attributes, "big.bin": "version https://git-lfs.github.com/spec/v1\n"}
    )
    repository.git("submodule", "--quiet", "add", str(server.folder / "inner.git"), "vendor/inner")
    repository.commit({})
    upload = fetch(git_client, server.url("filters")).json
    files = files_of(allowing, upload["id"])
    assert sorted(files) == [".gitattributes", ".gitmodules", "big.bin", "train.py"]
    assert files["train.py"] == b"$Format:%H$\n"
    assert files["big.bin"].startswith(b"version https://git-lfs")


def test_links_inside_are_followed(git_client: ApiClient, allowing: Platform, server: GitServer) -> None:
    repository = server.repository("links")
    for name, target in (("alias.py", "nets/small.py"), ("again.py", "alias.py"), ("copy", "nets"), ("nets/up.py", "../train.py")):
        path = repository.work / name
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(target)
    repository.commit({"train.py": "t", "nets/small.py": "s"})
    files = files_of(allowing, fetch(git_client, server.url("links")).json["id"])
    assert files == {
        **{"train.py": b"t", "nets/small.py": b"s", "nets/up.py": b"t"},
        **{"alias.py": b"s", "again.py": b"s", "copy/small.py": b"s"},
    }


@pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "nowhere", ".", "loop"])
def test_links_that_lead_elsewhere_are_refused(git_client: ApiClient, server: GitServer, target: str) -> None:
    name = f"outside-{'abcde'[['/etc/passwd', '../../secret', 'nowhere', '.', 'loop'].index(target)]}"
    repository = server.repository(name)
    (repository.work / "loop").symlink_to(target)
    repository.commit({"train.py": ""})
    found = problems(fetch(git_client, server.url(name)))
    assert found == {"url": ("the link 'loop' leads out of it, into itself or to nothing", "remove the link")}
    assert git_client.get("/code").json["items"] == []


def test_what_is_not_there_is_named(git_client: ApiClient, server: GitServer) -> None:
    server.repository("there").commit({"train.py": "", "nets/a.py": ""})
    url = server.url("there")
    assert "no branch, tag or commit absent" in problems(fetch(git_client, url, "absent"))["ref"][0]
    assert "no branch, tag or commit" in problems(fetch(git_client, url, "0" * 40))["ref"][0]
    assert "no folder absent" in problems(fetch(git_client, url, folder="absent"))["folder"][0]
    assert "no folder train.py" in problems(fetch(git_client, url, folder="train.py"))["folder"][0]
    assert "no repository that anybody may read" in problems(fetch(git_client, server.url("absent")))["url"][0]
    server.instead["/private.git"] = (401, {"WWW-Authenticate": 'Basic realm="x"'})
    assert "no repository that anybody may read" in problems(fetch(git_client, server.url("private")))["url"][0]
    server.instead["/broken.git"] = (500, {})
    answer = fetch(git_client, server.url("broken"))
    problems(answer, 503)
    assert answer.headers["Retry-After"]


def test_a_server_cannot_lead_elsewhere(git_client: ApiClient, server: GitServer) -> None:
    server.repository("target").commit({"train.py": ""})
    server.instead["/moved.git"] = (302, {"Location": f"{server.url('target')}/info/refs?service=git-upload-pack"})
    asked = len(server.asked)
    assert "leads to another address" in problems(fetch(git_client, server.url("moved")))["url"][0]
    assert [path for path in server.asked[asked:] if path.startswith("/target")] == []


def test_an_untrusted_certificate_is_refused(git_client: ApiClient, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.repository("untrusted").commit({"train.py": ""})
    monkeypatch.delenv("GIT_SSL_CAINFO")
    assert "certificate" in problems(fetch(git_client, server.url("untrusted")))["url"][0]


def test_a_large_repository_is_given_up_while_it_is_fetched(git_client: ApiClient, allowing: Platform, server: GitServer) -> None:
    repository = server.repository("large")
    repository.commit({"train.py": "", "noise.bin": os.urandom(allowing.settings.max_upload_bytes + 4096)})
    answer = fetch(git_client, server.url("large"))
    problems(answer, 413)
    assert "more than the 4,194,304 bytes" in answer.json["detail"]
    assert not [*(allowing.settings.state_dir / "incoming").iterdir()]


def test_what_unpacks_to_too_much_is_refused(settings: Settings, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSL_CAINFO", str(server.ca_file))
    server.repository("zeros").commit({"zeros.bin": bytes(3 * 1024**2)})
    with opened(settings.model_copy(update={"git_hosts": (server.host,), "max_unpacked_bytes": 1024**2})) as platform:
        answer = fetch(client_of(app_on(platform)), server.url("zeros"))
    problems(answer, 413)
    assert "take more than 1,048,576 bytes" in answer.json["detail"]


def test_without_git_or_with_all_slots_taken_it_says_so(git_client: ApiClient, server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.repository("busy").commit({"train.py": ""})
    taken = [git_repository._slots.acquire(blocking=False) for _ in range(2)]
    try:
        answer = fetch(git_client, server.url("busy"))
        assert (taken, "try again in a moment" in answer.json["detail"]) == ([True, True], True)
        problems(answer, 503)
    finally:
        for _ in taken:
            git_repository._slots.release()
    assert fetch(git_client, server.url("busy")).status_code == 201
    monkeypatch.setenv("PATH", "/nonexistent")
    answer = fetch(git_client, server.url("busy"))
    problems(answer, 503)
    assert "git program is not installed" in answer.json["detail"]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"url": "http://example.com/a.git"}, "url", "only https"),
        ({"url": "file:///etc"}, "url", "only https"),
        ({"url": "ssh://git@example.com/a.git"}, "url", "only https"),
        ({"url": "git@example.com:a/b.git"}, "url", "only https"),
        ({"url": "ext::sh -c id"}, "url", "only https"),
        ({"url": "https://me:secret@example.com/a.git"}, "url", "user name or password"),
        ({"url": "https://token@example.com/a.git"}, "url", "user name or password"),
        ({"url": "https://example.com/a.git?x=1"}, "url", "query"),
        ({"url": "https://example.com/a.git#x"}, "url", "query"),
        ({"url": "https://example.com"}, "url", "names no repository"),
        ({"url": "https://example.com/a b"}, "url", "names no repository"),
        ({"url": "https://exa mple.com/a"}, "url", "names no repository"),
        ({"url": "https://-oProxyCommand=x/a"}, "url", "names no repository"),
        ({"url": "https://example.com:99999/a"}, "url", "no address"),
        ({"url": "https://[::1/a"}, "url", "no address"),
        ({"url": "https://elsewhere.com/a.git"}, "url", "code is not taken from elsewhere.com"),
        ({"url": "https://example.com/a.git", "ref": "--upload-pack=id"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": "+main"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": "main:refs/heads/x"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": "main~1"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": "a..b"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": "a b"}, "ref", "no branch"),
        ({"url": "https://example.com/a.git", "ref": ""}, "ref", "at least 1"),
        ({"url": "https://example.com/a.git", "folder": "../x"}, "folder", "no folder of a repository"),
        ({"url": "https://example.com/a.git", "folder": "/etc"}, "folder", "no folder of a repository"),
        ({"url": "https://example.com/a.git", "folder": "a\\b"}, "folder", "no folder of a repository"),
        ({"url": 1}, "url", "valid string"),
        ({}, "url", "field required"),
        ({"url": "https://example.com/a.git", "branch": "x"}, "branch", "no such field"),
    ],
)
def test_places_that_cannot_be_are_named(git_client: ApiClient, fields: dict[str, Any], field: str, message: str) -> None:
    answer = git_client.post("/code/git", json=fields)
    found = problems(answer)
    assert message in found[field][0], found
    assert "secret" not in answer.text


PRIVATE = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "fe80::1", "fd00::1"]
DISGUISED = ["::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"]


@pytest.mark.parametrize("address", [*PRIVATE, *DISGUISED])
def test_addresses_that_only_the_server_can_reach_are_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    def lookup(_host: str, port: int, **_: Any) -> list[Any]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(Invalid, match="not a public host"):
        check_place(GitPlace("https://rebinding.example.com/a.git"), None)
    listed = check_place(GitPlace("https://Git.Corp.example.com/a.git"), ("git.corp.EXAMPLE.com",))
    assert (listed.host, listed.port, listed.addresses) == ("git.corp.example.com", 443, ("93.184.215.14", address))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "2130706433", "0x7f000001", "127.1", "[::1]"])
def test_names_of_this_machine_are_refused(client: ApiClient, host: str) -> None:
    assert "public host" in problems(fetch(client, f"https://{host}/a.git"))["url"][0]


def test_a_public_host_is_asked_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.215.14", port))]
    )
    server = check_place(GitPlace("https://example.com:8443/team/project.git"), None)
    assert (server.host, server.port, server.addresses) == ("example.com", 8443, ("93.184.215.14",))


@pytest.mark.parametrize(
    ("text", "hosts"), [("", None), ("git.example.com", ("git.example.com",)), ("a.example, b.example,", ("a.example", "b.example"))]
)
def test_hosts_are_set_with_commas_between_them(monkeypatch: pytest.MonkeyPatch, text: str, hosts: tuple[str, ...] | None) -> None:
    monkeypatch.setenv("TRAINYARD_GIT_HOSTS", text)
    assert Settings().git_hosts == hosts


def test_files_keep_their_permissions(git_client: ApiClient, allowing: Platform, server: GitServer) -> None:
    repository = server.repository("permissions")
    repository.commit({"train.py": "", "run.sh": ""})
    (repository.work / "run.sh").chmod(0o755)
    repository.commit({})
    upload_id = fetch(git_client, server.url("permissions")).json["id"]
    with zipfile.ZipFile(io.BytesIO(allowing.objects.get_bytes(f"code/{upload_id}.zip"))) as archive:
        modes = {info.filename: stat.filemode(info.external_attr >> 16) for info in archive.infolist()}
    assert modes == {"run.sh": "-rwxr-xr-x", "train.py": "-rw-r--r--"}
