"""The job's part of the object store, through Arrow's file systems (the ones that Ray Train itself uses)."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from pyarrow import fs


def open_filesystem(url: str) -> tuple[fs.FileSystem, str]:
    """File system and base path behind ``file:///dir`` or ``s3://bucket/prefix`` (credentials and endpoint from AWS_*).

    Raises:
        ValueError: another scheme.
    """
    split = urlsplit(url)
    if split.scheme == "file":
        return fs.LocalFileSystem(), unquote(split.path)
    if split.scheme == "s3":
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return fs.S3FileSystem(endpoint_override=endpoint, region=region), f"{split.netloc}/{split.path.strip('/')}".rstrip("/")
    raise ValueError(f"object store URL {url!r}: the scheme must be file or s3")


class Objects:
    """Whole objects by key below one URL. A put is atomic: a reader never sees a part."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs, self._base = open_filesystem(url)
        self._local = isinstance(self._fs, fs.LocalFileSystem)

    def put(self, key: str, content: bytes) -> None:
        """Write one object. Raises OSError."""
        path = f"{self._base}/{key}"
        if not self._local:
            with self._fs.open_output_stream(path) as stream:
                stream.write(content)
            return
        parent = Path(path).parent
        parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".partial-", dir=parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def put_json(self, key: str, value: Any) -> None:
        """Write one JSON object. Raises OSError."""
        self.put(key, json.dumps(value).encode())

    def put_file(self, key: str, source: Path) -> None:
        """Write one object from a file. Raises OSError."""
        path = f"{self._base}/{key}"
        if self._local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            path, final = f"{Path(path).parent}/.partial-{os.getpid()}-{Path(path).name}", path
        fs.copy_files(str(source), path, source_filesystem=fs.LocalFileSystem(), destination_filesystem=self._fs)
        if self._local:
            Path(path).replace(final)

    def get(self, key: str) -> bytes | None:
        """The object, or None when there is none. Raises OSError."""
        try:
            with self._fs.open_input_stream(f"{self._base}/{key}") as stream:
                content: bytes = stream.read()
                return content
        except FileNotFoundError:
            return None

    def get_file(self, key: str, target: Path) -> None:
        """Write the object to a local file, whose folder is made. Raises OSError, FileNotFoundError when there is none."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._fs.open_input_stream(f"{self._base}/{key}") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 8 * 2**20)

    def get_json(self, key: str) -> Any:
        """A JSON object, or None when there is none. Raises OSError."""
        content = self.get(key)
        return None if content is None else json.loads(content)

    def list(self, folder: str) -> list[str]:
        """Keys below ``folder``, sorted. Raises OSError."""
        selector = fs.FileSelector(f"{self._base}/{folder}", allow_not_found=True, recursive=True)
        infos = [info for info in self._fs.get_file_info(selector) if info.type == fs.FileType.File]
        return sorted(info.path.removeprefix(f"{self._base}/") for info in infos if "/.partial-" not in info.path)

    def delete_folder(self, folder: str) -> None:
        """Delete every object below ``folder``. Raises OSError."""
        self._fs.delete_dir(f"{self._base}/{folder}")

    def fetch(self, uri: str, folder: Path) -> Path:
        """A local path with the content of ``uri``: the file itself where it is local, a download below ``folder`` where not.

        Raises:
            FileNotFoundError: nothing is there.
        """
        filesystem, path = open_filesystem(uri)
        if isinstance(filesystem, fs.LocalFileSystem):
            if not Path(path).exists():
                raise FileNotFoundError(path)
            return Path(path)
        target = folder / hashlib.sha256(uri.encode()).hexdigest()[:16] / PurePosixPath(path).name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".partial-{os.getpid()}-{target.name}")
            fs.copy_files(path, str(partial), source_filesystem=filesystem, destination_filesystem=fs.LocalFileSystem())
            partial.replace(target)
        return target
