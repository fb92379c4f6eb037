"""Checking an uploaded data set: its name, and that its content is what the name says."""

import codecs
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from trainyard_api.services.errors import FieldError, Invalid

MAX_NAME = 100
_SNIFFED_BYTES = 64 * 1024
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


def data_suffix(name: str) -> str:
    """The kind of data set that the name stands for. Raises Invalid for any other."""
    for suffix in _CHECKS:
        if name.lower().endswith(suffix) and len(name) > len(suffix):
            return suffix
    raise Invalid(FieldError("file", f"{name[:100]!r} is no kind of data set", f"send a file that ends in {', '.join(_CHECKS)}"))


def safe_name(name: str, suffix: str) -> str:
    """The name without folders and without anything that a disk or a URL could stumble over; it keeps the suffix."""
    stem = re.split(r"[/\\]", name)[-1][: -len(suffix)]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-")[: MAX_NAME - len(suffix)]
    return f"{stem or 'data'}{suffix}"


def check_data_file(path: Path, suffix: str) -> None:
    """Raise Invalid unless the content is what the suffix says."""
    with path.open("rb") as file:
        start = file.read(_SNIFFED_BYTES)
    if not start:
        raise Invalid(FieldError("file", "the file is empty", "send a file with data"))
    try:
        problem = _CHECKS[suffix](path, start)
    except (OSError, zlib.error, zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
        problem = str(error)[:200] or "it cannot be read"
    if problem:
        raise Invalid(FieldError("file", f"this is not a {suffix} file: {problem}", "send the file whose kind its name says"))


def _csv_problem(_path: Path, start: bytes) -> str | None:
    if b"\0" in start:
        return "it holds NUL bytes"
    try:
        codecs.getincrementaldecoder("utf-8-sig")().decode(start)
    except UnicodeDecodeError as error:
        return f"byte {error.start} is not UTF-8"
    return None


def _gzip_problem(path: Path, start: bytes) -> str | None:
    unpacker = zlib.decompressobj(wbits=31)
    return _csv_problem(path, unpacker.decompress(start, _SNIFFED_BYTES))


def _parquet_problem(path: Path, start: bytes) -> str | None:
    with path.open("rb") as file:
        file.seek(-min(4, len(start)), 2)
        end = file.read()
    return None if start[:4] == end == b"PAR1" and path.stat().st_size >= 12 else "it does not start and end with PAR1"


def _zip_problem(path: Path, start: bytes) -> str | None:
    if not start.startswith(_ZIP_STARTS) or not zipfile.is_zipfile(path):
        return "it is not a zip archive, or not a whole one"
    return None


def _npz_problem(path: Path, start: bytes) -> str | None:
    problem = _zip_problem(path, start)
    return problem or (None if b".npy" in start[30:400] else "its first entry is no array (.npy)")


_CHECKS: dict[str, Callable[[Path, bytes], str | None]] = {
    ".csv": _csv_problem,
    ".csv.gz": _gzip_problem,
    ".parquet": _parquet_problem,
    ".pq": _parquet_problem,
    ".npz": _npz_problem,
    ".zip": _zip_problem,
}
