"""Checking an uploaded code archive before anything of it is kept: what it would do when a worker unpacks it."""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

from trainyard_api.services.errors import FieldError, Invalid, TooLarge

MAX_FILES = 10_000
MAX_NAME_BYTES, MAX_PART_BYTES = 1000, 250
#: Archives that unpack to less than this are no bombs, however well they are packed.
_HARMLESS_BYTES = 16 * 1024**2
MAX_RATIO = 100

_FIRST_ENTRY, _END_RECORD, _END_LOCATOR_64 = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"
_END_RECORD_SIZE, _MAX_COMMENT = 22, 65535
#: The largest directory that MAX_FILES entries with the longest names and some extra fields can have.
_MAX_DIRECTORY_BYTES = MAX_FILES * 1300
_DRIVE = re.compile(r"[A-Za-z]:")
_PIECE = 1 << 20


def check_code_archive(path: Path, *, max_unpacked_bytes: int) -> list[str]:
    """The names of the files in the archive, sorted, when it is safe to unpack.

    Every file is unpacked on the way, into nothing: sizes in the archive's directory are claims.

    Raises:
        Invalid: no zip archive, damaged, encrypted, empty, or with names, links or devices that a worker must not meet.
        TooLarge: more than ``max_unpacked_bytes`` or a compression bomb.
    """
    _check_directory_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FILES:
                raise _refused(f"the archive has {len(entries):,} entries", f"send at most {MAX_FILES:,}")
            _check_entries(entries)
            _unpack_into_nothing(archive, entries, path.stat().st_size, max_unpacked_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise _refused(f"the archive is damaged: {str(error)[:200] or type(error).__name__}", "pack it again") from error
    files = sorted(entry.filename for entry in entries if not entry.is_dir())
    if not files:
        raise _refused("the archive holds no files", "put your code in it")
    return files


def _refused(message: str, fix: str) -> Invalid:
    return Invalid(FieldError("file", message, fix))


def _check_directory_size(path: Path) -> None:
    """Look at the end of the file before ``zipfile`` does: it reads a directory of any size into memory."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(4)
        file.seek(max(0, size - _END_RECORD_SIZE - _MAX_COMMENT))
        tail = file.read()
    place = tail.rfind(_END_RECORD)
    if first not in (_FIRST_ENTRY, _END_RECORD) or place < 0 or len(tail) - place < _END_RECORD_SIZE:
        raise _refused("this is not a .zip archive", "send a .zip with your code")
    directory_bytes = struct.unpack("<I", tail[place + 12 : place + 16])[0]
    if directory_bytes > _MAX_DIRECTORY_BYTES or _END_LOCATOR_64 in tail[max(0, place - 20) : place]:
        raise _refused("the archive's directory is too large", f"send at most {MAX_FILES:,} files; put data in a data set")


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for entry in entries:
        name = entry.orig_filename
        shown = repr(name[:200])
        problem = _name_problem(name)
        if problem:
            raise _refused(f"{shown} {problem}", "rename it and pack the archive again")
        if entry.flag_bits & 0x1:
            raise _refused(f"{shown} is encrypted", "pack the archive without a password")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise _refused(f"{shown} is compressed in a way that not every reader knows", "pack it as an ordinary (deflate) .zip")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > entry.is_dir():
            raise _refused(f"{shown} is a link or a device", "pack files and folders only")
        _claim(name, files, folders, is_folder=entry.is_dir())


def _name_problem(name: str) -> str | None:
    parts = name.removesuffix("/").split("/")
    if name.startswith("/") or _DRIVE.match(name):
        return "is an absolute path"
    if ".." in parts:
        return "leads out of the archive ('..')"
    if "" in parts or "." in parts:
        return "is not a plain path"
    if "\\" in name or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "holds a backslash or a control character"
    if len(name.encode()) > MAX_NAME_BYTES or any(len(part.encode()) > MAX_PART_BYTES for part in parts):
        return "is too long"
    return None


def _claim(name: str, files: dict[str, str], folders: dict[str, str], *, is_folder: bool) -> None:
    """Note that ``name`` is taken. Raises Invalid when a disk that ignores case would hold another entry there."""
    path = _same_on_disk(name.removesuffix("/"))
    above = [path[:place] for place, letter in enumerate(path) if letter == "/"]
    clash = files.get(path) if is_folder else files.get(path) or folders.get(path)
    clash = clash or next((files[folder] for folder in above if folder in files), None)
    if clash is not None:
        raise _refused(f"{name[:200]!r} and {clash[:200]!r} would be the same file on some disks", "rename one of them")
    for folder in above:
        folders.setdefault(folder, name)
    (folders if is_folder else files)[path] = name


def _same_on_disk(path: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _unpack_into_nothing(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], size: int, limit: int) -> None:
    unpacked = 0
    for entry in entries:
        with archive.open(entry) as file:
            while piece := file.read(_PIECE):
                unpacked += len(piece)
                if unpacked > limit:
                    raise TooLarge(f"the archive unpacks to more than {limit:,} bytes; put data in a data set instead")
                if unpacked > _HARMLESS_BYTES and unpacked > MAX_RATIO * size:
                    raise TooLarge(f"the archive unpacks to more than {MAX_RATIO} times its size, as a bomb does; leave such files out")
