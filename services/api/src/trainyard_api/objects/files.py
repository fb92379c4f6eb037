"""Objects as files below one directory."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trainyard_api.objects.base import (
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    ObjectStoreError,
    check_key,
)

_PARTIAL = ".partial-"


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
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ObjectStoreError(f"cannot write {path}: {error.strerror}") from error

    def put_file(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=_PARTIAL, dir=target.parent)
            os.close(handle)
            try:
                shutil.copyfile(path, name)
                Path(name).replace(target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ObjectStoreError(f"cannot write {target}: {error.strerror}") from error

    def get_bytes(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore."""
        try:
            with self._path(key).open("rb") as file:
                file.seek(start)
                return file.read(-1 if length is None else length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise ObjectMissing(key) from error
        except OSError as error:
            raise ObjectStoreError(f"cannot read {key}: {error.strerror}") from error

    def get_file(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        source = self._path(key)
        if not source.is_file():
            raise ObjectMissing(key)
        try:
            shutil.copyfile(source, path)
        except OSError as error:
            raise ObjectStoreError(f"cannot copy {key} to {path}: {error.strerror}") from error

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        """See ObjectStore."""
        folder, _, start = prefix.rpartition("/")
        base = self.root / check_key(folder) if folder else self.root
        yield from self._walk(base, f"{folder}/" if folder else "", start, after)

    def _walk(self, folder: Path, key: str, start: str, after: str) -> Iterator[ObjectInfo]:
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        # S3's order: a folder sorts with its slash.
        for entry in sorted(entries, key=lambda item: item.name + "/" if item.is_dir() else item.name):
            if not entry.name.startswith(start) or entry.name.startswith(_PARTIAL):
                continue
            name = key + entry.name
            if entry.is_dir():
                if not after or f"{name}/" > after or after.startswith(f"{name}/"):
                    yield from self._walk(Path(entry.path), f"{name}/", "", after)
            elif name > after:
                try:
                    yield ObjectInfo(name, entry.stat().st_size)
                except FileNotFoundError:
                    continue

    def delete_prefix(self, prefix: str) -> None:
        """See ObjectStore."""
        if not prefix.endswith("/"):
            raise ValueError("delete_prefix needs a folder")
        shutil.rmtree(self._path(prefix), ignore_errors=True)

    def ping(self) -> None:
        """See ObjectStore."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ObjectStoreError(f"object store {self.root}: {error.strerror}") from error
        if not os.access(self.root, os.W_OK):
            raise ObjectStoreError(f"object store {self.root} is not writable")
