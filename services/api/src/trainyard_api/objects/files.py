"""Objects as files below one directory."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from trainyard_api.objects.base import (
    PARTIAL,
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    check_key,
    check_prefix,
    failed,
    numbered,
)

_DELETE_TRIES = 10


class FileStore(ObjectStore):
    """Each object is a file; a write goes to a temporary file beside it and is renamed."""

    def __init__(self, root: Path) -> None:
        """Keep objects below ``root``, which is made on the first write."""
        self.root = root.absolute()
        self.url = self.root.as_uri()

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def put_bytes(self, key: str, content: bytes) -> None:
        """See ObjectStore."""
        self._put(key, lambda partial: partial.write_bytes(content))

    def put_file(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        self._put(key, lambda partial: shutil.copyfile(path, partial))

    def _put(self, key: str, write: Callable[[Path], object]) -> None:
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=PARTIAL, dir=target.parent)
            os.close(handle)
            try:
                write(Path(name))
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise failed(f"cannot write {target}: {error.strerror}", error) from error

    def get_bytes(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(-1 if length is None else length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectMissing(key) from error
        except OSError as error:
            raise failed(f"cannot read {key}: {error.strerror}", error) from error

    def get_file(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        source = self._path(key)
        if not source.is_file():
            raise ObjectMissing(key)
        try:
            shutil.copyfile(source, path)
        except OSError as error:
            raise failed(f"cannot copy {key} to {path}: {error.strerror}", error) from error

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """See ObjectStore."""
        folder, _, start = check_prefix(prefix).rpartition("/")
        try:
            yield from itertools.islice(self._walk(self.root / folder, f"{folder}/" if folder else "", start, after), limit)
        except OSError as error:
            raise failed(f"cannot list {prefix}: {error.strerror}", error) from error

    def _walk(self, folder: Path, key: str, start: str, after: str) -> Iterator[ObjectInfo]:
        try:
            entries = [
                entry
                for entry in os.scandir(folder)
                if entry.name.startswith(start)
                and (f"{key}{entry.name}/" > after or after.startswith(f"{key}{entry.name}/"))
                and not entry.name.startswith(PARTIAL)
            ]
        except (FileNotFoundError, NotADirectoryError):
            return
        # S3's order: a folder sorts with its slash.
        for entry in sorted(entries, key=lambda item: item.name + "/" if item.is_dir() else item.name):
            name = key + entry.name
            if entry.is_dir():
                yield from self._walk(Path(entry.path), f"{name}/", "", after)
            elif name > after:
                try:
                    yield ObjectInfo(name, entry.stat().st_size)
                except FileNotFoundError:
                    continue

    def last_numbered(self, folder: str, digits: int, suffix: str) -> ObjectInfo | None:
        """See ObjectStore; one look at the folder's names."""
        name = numbered("", digits, suffix)
        try:
            with os.scandir(self.root / check_prefix(folder)) as entries:
                last = max((entry for entry in entries if name.match(entry.name)), key=lambda entry: entry.name, default=None)
            return None if last is None else ObjectInfo(folder + last.name, last.stat().st_size)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise failed(f"cannot list {folder}: {error.strerror}", error) from error

    def delete_prefix(self, prefix: str) -> None:
        """See ObjectStore."""
        if not prefix.endswith("/"):
            raise ValueError("delete_prefix needs a folder")
        folder = self.root / check_prefix(prefix)
        if not folder.is_dir():
            return
        for left in reversed(range(_DELETE_TRIES)):
            try:
                shutil.rmtree(folder)
            except FileNotFoundError:  # somebody else deletes too
                if not folder.exists():
                    return
            except OSError as error:
                if not left:
                    raise failed(f"cannot delete {prefix}: {error.strerror}", error) from error
            else:
                return

    def ping(self) -> None:
        """See ObjectStore; writes a byte, because permissions alone do not tell of a read-only or full disk."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(prefix=PARTIAL, dir=self.root) as probe:
                probe.write(b"\0")
                probe.flush()
        except OSError as error:
            raise failed(f"object store {self.root} cannot be written: {error.strerror}", error) from error
