"""What every object store can do; keys are relative POSIX paths below the store's URL."""

import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: How the names of unfinished files begin; no key has such a part.
PARTIAL = ".partial-"
_PIECE_BYTES = 4 * 1024**2
#: What S3 lists in one request.
_LISTED = 1000


class ObjectStoreError(Exception):
    """The store could not be reached, is full, or refused."""


class ObjectStoreFull(ObjectStoreError):
    """The store has no room, or no quota, for the object."""


def out_of_space(error: OSError) -> bool:
    """Whether a disk, or a quota on one, is what failed."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def failed(message: str, error: OSError) -> ObjectStoreError:
    """The error to raise from one of the operating system's."""
    return (ObjectStoreFull if out_of_space(error) else ObjectStoreError)(message)


class ObjectMissing(ObjectStoreError):
    """No object has this key."""


@dataclass(frozen=True)
class ObjectInfo:
    """Key and size in bytes."""

    key: str
    size: int


class ObjectStore(ABC):
    """Whole objects by key. A put is atomic: readers see the old bytes, the new bytes, or nothing, never a part.

    Every method raises ValueError for a key that is not a plain relative path, and ObjectStoreError when the store does not do its part.
    """

    #: The URL below which every key lives.
    url: str

    @abstractmethod
    def put_bytes(self, key: str, content: bytes) -> None:
        """Write one small object, replacing what was there."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """Write one object from a local file."""

    @abstractmethod
    def get_bytes(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The object, or at most ``length`` bytes from ``start`` (from 0; past the end there are none). Raises ObjectMissing."""

    @abstractmethod
    def get_file(self, key: str, path: Path) -> None:
        """Copy the object to a local file. Raises ObjectMissing."""

    @abstractmethod
    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """Objects whose key starts with ``prefix`` and sorts after ``after``, in key order; the first ``limit`` of them."""

    @abstractmethod
    def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key starts with ``prefix``; which must name a folder (end in "/")."""

    @abstractmethod
    def ping(self) -> None:
        """Raise ObjectStoreError unless the store can be used."""

    def read(self, key: str) -> Iterator[bytes]:
        """The whole object in pieces, none of it in memory for long. Raises ObjectMissing before the first piece."""
        start = 0
        while piece := self.get_bytes(key, start=start, length=_PIECE_BYTES):
            yield piece
            start += len(piece)
            if len(piece) < _PIECE_BYTES:
                return

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""
        first = next(self.list(check_key(key), limit=1), None)  # the key itself sorts before all that start with it
        return first is not None and first.key == key

    def last_numbered(self, folder: str, digits: int, suffix: str) -> ObjectInfo | None:
        """Of the objects ``<folder><number of so many digits><suffix>`` the one with the highest number; ``folder`` ends in "/".

        Of more than a thousand it lists few: it doubles the number behind which it looks until nothing is there, then halves the rest.
        """
        name, begin = numbered(folder, digits, suffix), len(folder)
        page = [*self.list(folder, limit=_LISTED)]
        last = next((info for info in reversed(page) if name.match(info.key)), None)
        if len(page) < _LISTED or last is None:
            return last
        step = int(last.key[begin : begin + digits]) + 1
        near, above = step // 2, 10**digits  # some hundred objects; nothing has a higher number
        while above - (low := int(last.key[begin : begin + digits])) > near:
            middle = min(low + step, (low + above) // 2)
            following = next(self.list(folder, after=f"{folder}{middle:0{digits}d}{suffix}", limit=1), None)
            if following is None:
                above = middle
            elif name.match(following.key):
                last, step = following, 2 * step
            else:
                break
        for info in self.list(folder, after=last.key):
            last = info if name.match(info.key) else last
        return last

    def uri(self, key: str) -> str:
        """The object's full URL, as the trainer gets it."""
        return f"{self.url.rstrip('/')}/{check_key(key)}"


def check_key(key: str) -> str:
    """The key, when it is a plain relative path that every store keeps as it is. Raises ValueError."""
    check_prefix(key)
    if not key or key.endswith("/"):
        raise ValueError(f"not an object key: {key!r}")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix, when keys can start so; it may end inside a name or with a slash. Raises ValueError."""
    *folders, last = prefix.split("/")
    wrong = any(part in ("", ".", "..") or part.startswith(PARTIAL) for part in folders) or last in (".", "..") or last.startswith(PARTIAL)
    if wrong or "\\" in prefix or "\0" in prefix:
        raise ValueError(f"not an object key: {prefix!r}")
    prefix.encode()  # half a character has no name on disk or on S3
    return prefix


def numbered(folder: str, digits: int, suffix: str) -> re.Pattern[str]:
    """Keys of objects that are numbered in a folder; the number is the group."""
    return re.compile(rf"{re.escape(folder)}([0-9]{{{digits}}}){re.escape(suffix)}\Z")


def open_store(url: str) -> ObjectStore:
    """The store behind ``file:///dir`` or ``s3://bucket/prefix``. Raises ValueError for another scheme."""
    split = urlsplit(url)
    if split.scheme == "file":
        if split.netloc not in ("", "localhost"):
            raise ValueError(f"object store URL {url!r}: write file:///absolute/folder")
        from trainyard_api.objects.files import FileStore

        return FileStore(Path(unquote(split.path)))
    if split.scheme == "s3":
        from trainyard_api.objects.s3 import S3Store

        if not split.netloc:
            raise ValueError(f"object store URL {url!r}: write s3://bucket/prefix")
        return S3Store(split.netloc, split.path.strip("/"))
    raise ValueError(f"object store URL {url!r}: the scheme must be file or s3")
