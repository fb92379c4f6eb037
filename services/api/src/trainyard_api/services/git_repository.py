"""One commit of a remote repository, fetched with the git program. Nothing is checked out: no hook, filter or submodule runs."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from trainyard_api.services.errors import FieldError, Invalid, TooLarge, Unavailable
from trainyard_api.services.git_places import GitPlace, Server
from trainyard_api.services.strict_json import printable

FETCH_SECONDS = 120.0
_READ_SECONDS = 120.0
#: Two of them fit beside the API in its pod.
_MEMORY_KIB = 384 * 1024
_LISTING_BYTES = 16 * 1024**2
_KEPT_VARIABLES = ("PATH", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "TMPDIR")
#: Bounds what one git may write to a file (in blocks of 512 bytes) and take of memory, where the system can.
_BOUNDED = 'ulimit -f "$1" && { ulimit -v "$2" 2>/dev/null || true; } && shift 2 && exec "$@"'
#: Of one process; each takes a core for a while.
_slots = threading.BoundedSemaphore(2)

_GONE = ("couldn't find remote ref", "not our ref", "unadvertised object", "does not point to a valid object")
_NO_REPOSITORY = ("not found", "could not read Username", "Authentication failed", "returned error: 40", "not valid: is this a git")
_TOO_LARGE = ("File too large", "Out of memory", "out of memory")


@dataclass(frozen=True)
class TreeEntry:
    """One file, link or submodule of a commit, as git names and stores it; ``size`` is 0 for a submodule."""

    mode: str
    object_id: str
    size: int
    name: bytes


class GitRepository:
    """What was fetched of one repository, below a folder of its own."""

    def __init__(self, folder: Path, commit: str) -> None:
        """See ``fetched``."""
        self._folder, self.commit = folder, commit

    def entries(self, folder: str | None) -> list[TreeEntry]:
        """Every file, link and submodule of the commit, or of one folder of it. Raises Invalid when there is no such folder."""
        tree = f"{self.commit}:{folder or ''}"
        with _git(self._folder, "ls-tree", "-r", "-z", "-l", "--full-tree", tree) as process:
            assert process.stdout is not None  # noqa: S101 - narrows for mypy
            listing = process.stdout.read(_LISTING_BYTES + 1)
            if len(listing) > _LISTING_BYTES:
                raise TooLarge("the repository holds too many files; name a folder of it")
            if process.wait():
                raise Invalid(
                    FieldError("folder", f"there is no folder {printable(folder or '')} in it", "check its name, or leave it out")
                )
        return [_entry(line) for line in listing.split(b"\0") if line]

    @contextmanager
    def reader(self) -> Iterator["BlobReader"]:
        """Reads contents, one after the other."""
        with _git(self._folder, "cat-file", "--batch", stdin=subprocess.PIPE) as process:
            yield BlobReader(process)


class BlobReader:
    """Contents of a repository by their ids."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - narrows for mypy
        assert process.stdout is not None  # noqa: S101 - narrows for mypy
        self._questions: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout

    def pieces(self, entry: TreeEntry) -> Iterator[bytes]:
        """The content of a file, or the target of a link; to be read to its end before the next. Raises Unavailable when git breaks off."""
        self._questions.write(f"{entry.object_id}\n".encode())
        self._questions.flush()
        header = self._answers.readline().split()
        if len(header) != 3 or int(header[2]) != entry.size:
            raise Unavailable("the repository could not be read; try again")
        left = entry.size
        while left > 0:
            piece = self._answers.read(min(left, 1 << 20))
            if not piece:
                raise Unavailable("the repository could not be read; try again")
            left -= len(piece)
            yield piece
        self._answers.read(1)  # the line break after it


@contextmanager
def fetched(place: GitPlace, server: Server, folder: Path, *, limit_bytes: int) -> Iterator[GitRepository]:
    """The one commit, fetched into an empty folder.

    Raises:
        Invalid: there is no such repository or no such branch, tag or commit in it.
        TooLarge: it takes more than ``limit_bytes``; fetching stops there.
        Unavailable: the server does not deliver, there is no git here, or others are being fetched.
    """
    if shutil.which("git") is None:
        raise Unavailable("the git program is not installed where the API runs; upload the code instead")
    if not _slots.acquire(blocking=False):
        raise Unavailable("other repositories are being fetched; try again in a moment")
    try:
        _run(folder, "init", "--quiet", "--bare", ".")
        addresses = ",".join(f"[{address}]" if ":" in address else address for address in server.addresses)
        pinned = f"http.curloptResolve={server.host}:{server.port}:{addresses}"
        fetch = (
            "fetch",
            "--quiet",
            "--depth=1",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-commit-graph",
        )
        _run(folder, "-c", pinned, *fetch, "--", place.url, place.ref, place=place, limit_bytes=limit_bytes)
        commit = _run(folder, "rev-parse", "--verify", "--quiet", "FETCH_HEAD^{commit}", place=place).decode().strip()
        yield GitRepository(folder, commit)
    finally:
        _slots.release()


def _run(folder: Path, *arguments: str, place: GitPlace | None = None, limit_bytes: int = 1 << 30) -> bytes:
    """What git prints. Raises Invalid, TooLarge, Unavailable with what went wrong."""
    with _git(folder, *arguments, limit_bytes=limit_bytes) as process:
        try:
            output, errors = process.communicate(timeout=FETCH_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"the git server did not deliver it within {FETCH_SECONDS:.0f} s; upload the code instead") from None
    if process.returncode:
        full = any(path.stat().st_size >= limit_bytes for path in folder.rglob("*") if path.is_file())
        raise _failure(errors.decode(errors="replace"), place, f"more than the {limit_bytes:,} bytes that are taken", full=full)
    return output


@contextmanager
def _git(folder: Path, *arguments: str, stdin: int = subprocess.DEVNULL, limit_bytes: int = 1 << 30) -> Iterator[subprocess.Popen[bytes]]:
    """A bounded git without anybody's settings; it and what it started end with the context."""
    settings = {
        "protocol.allow": "never",
        "protocol.https.allow": "always",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": "20",
        "credential.helper": "",
        "core.hooksPath": os.devnull,
        "core.fsmonitor": "false",
        "fetch.unpackLimit": "1",  # always one pack file, whose size is bounded
        "pack.threads": "1",
        "core.bigFileThreshold": "32m",  # larger ones are streamed
        "core.packedGitWindowSize": "16m",
        "core.packedGitLimit": "64m",
        "gc.auto": "0",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    environment = {
        **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
        "HOME": str(folder),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }
    command = ["/bin/sh", "-c", _BOUNDED, "sh", str(limit_bytes // 512 + 1), str(_MEMORY_KIB), "git", *options, *arguments]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    killer = threading.Timer(FETCH_SECONDS + _READ_SECONDS, _end, [process])
    killer.daemon = True
    killer.start()
    try:
        with process:
            try:
                yield process
            finally:
                _end(process)
    finally:
        killer.cancel()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it with everything that it started, if it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)


def _failure(errors: str, place: GitPlace | None, limit: str, *, full: bool) -> Exception:
    """The exception for what git printed; ``full``: it had written as much as it may."""
    if place is None:
        return Unavailable(f"git does not work where the API runs: {_shown(errors)}")
    if any(text in errors for text in _GONE):
        message = f"the repository has no branch, tag or commit {printable(place.ref)}"
        return Invalid(FieldError("ref", message, "give one that is there; a commit by its full id"))
    if full or any(text in errors for text in _TOO_LARGE):
        return TooLarge(f"the repository takes {limit}; use a smaller one, or upload the code")
    if "redirect" in errors or "returned error: 30" in errors:
        return Invalid(FieldError("url", "the server leads to another address", "give the address that the repository has now"))
    if any(text in errors for text in _NO_REPOSITORY):
        return Invalid(
            FieldError("url", "there is no repository that anybody may read", "check the address; a private one must be uploaded")
        )
    if "certificate" in errors:
        return Invalid(FieldError("url", "the server's certificate is not trusted here", "use another server, or upload the code"))
    return Unavailable(f"the git server does not deliver it: {_shown(errors)}")


def _shown(errors: str) -> str:
    """The last line that git printed, fit for an answer."""
    lines = [line for line in errors.splitlines() if line.strip()]
    return re.sub(r"[^\x20-\x7e]", "?", lines[-1])[:200] if lines else "it says nothing"


def _entry(line: bytes) -> TreeEntry:
    about, _, name = line.partition(b"\t")
    mode, _, object_id, size = about.decode().split()
    return TreeEntry(mode, object_id, 0 if size == "-" else int(size), name)
