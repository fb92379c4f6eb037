"""Code archives and data sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from trainyard.calls.base import Calls
from trainyard.errors import InvalidInput
from trainyard.models import Upload


class UploadCalls(Calls):
    """What was uploaded."""

    def upload_code(self, path: Path, *, on_read: Callable[[int], None] | None = None) -> Upload:
        """Store a .zip of code; the same bytes again give the same upload. `on_read` gets the bytes sent so far."""
        return self._upload("/code", path, on_read)

    def upload_dataset(self, path: Path, *, on_read: Callable[[int], None] | None = None) -> Upload:
        """Store a data file; see `upload_code`."""
        return self._upload("/datasets", path, on_read)

    def fetch_code(self, url: str, ref: str = "HEAD", *, folder: str | None = None) -> Upload:
        """Have the server fetch code from a public git repository; the same files again give the same upload.

        Args:
            url: an https address.
            ref: a branch, a tag or a full commit id.
            folder: only this folder of it.
        """
        body = {"url": url, "ref": ref, "folder": folder}
        return self._one(Upload, self._http.json("POST", "/code/git", json=body, repeatable=True, timeout=300.0))

    def get_code(self, upload_id: str) -> Upload:
        """One code archive."""
        return self._one(Upload, self._http.json("GET", f"/code/{quote(upload_id, safe='')}"))

    def download_code(self, upload_id: str) -> Iterator[bytes]:
        """A code archive as it was uploaded, in parts."""
        return self._http.content(f"/code/{quote(upload_id, safe='')}/download")

    def download_dataset(self, upload_id: str) -> Iterator[bytes]:
        """A data set as it was uploaded, in parts."""
        return self._http.content(f"/datasets/{quote(upload_id, safe='')}/download")

    def list_code(self) -> list[Upload]:
        """Code archives, newest first."""
        return self._many(Upload, self._http.json("GET", "/code"))

    def list_datasets(self) -> list[Upload]:
        """Data sets, newest first."""
        return self._many(Upload, self._http.json("GET", "/datasets"))

    def get_dataset(self, upload_id: str) -> Upload:
        """One data set."""
        return self._one(Upload, self._http.json("GET", f"/datasets/{quote(upload_id, safe='')}"))

    def _upload(self, path: str, source: Path, on_read: Callable[[int], None] | None) -> Upload:
        try:
            handle = source.open("rb")
        except OSError as error:
            raise InvalidInput("file", f"{source} cannot be read: {error.strerror}", "name a readable file") from None
        with handle:
            file: Any = _CountingReader(handle, on_read) if on_read else handle
            return self._one(Upload, self._http.json("POST", path, files={"file": (source.name, file)}, repeatable=True, timeout=600.0))


class _CountingReader:
    """A file that tells how far it was read; rewinding starts the count afresh, as a repeated upload does."""

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file, self._on_read = file, on_read

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._on_read(self._file.tell())
        return content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
