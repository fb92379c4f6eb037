"""Packs a folder into a .zip whose bytes depend only on the files in it, so that the same code is the same upload."""

from __future__ import annotations

import os
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trainyard.errors import InvalidInput
from trainyard.ignore import IgnoreRules

IGNORE_FILE = ".trainyardignore"
CODE_LIMIT_BYTES = 512 * 1024**2
DATA_LIMIT_BYTES = 8 * 1024**3
MAX_FILES = 10_000

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a .zip can hold
_SHOWN = 3
_TRIM = f"list what a run does not need in {IGNORE_FILE}"


@dataclass
class Packed:
    """An archive on disk: its path, the names in it, and sentences about what was left out although no rule says so."""

    path: Path
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def packed_folder(folder: Path, *, limit_bytes: int = CODE_LIMIT_BYTES, field_name: str = "code") -> Iterator[Packed]:
    """A temporary .zip of a folder, named after it; gone when the context ends.

    Links are followed to files and folders inside the folder, never out of it.

    Args:
        folder: what to pack; its .trainyardignore is respected.
        limit_bytes: of all files together.
        field_name: what errors call it.

    Raises:
        InvalidInput: nothing to pack, too much, or a file that cannot be read.
    """
    walk = _Walk(folder, field_name)
    files = sorted(walk.files("", folder.resolve(), ()))
    if not files:
        raise InvalidInput(field_name, f"{folder} holds no files to send", f"put your code in it, or look at its {IGNORE_FILE}")
    _check_size(folder, files, limit_bytes, field_name)
    with tempfile.TemporaryDirectory(prefix="trainyard-") as scratch:
        packed = Packed(Path(scratch) / f"{folder.resolve().name or 'code'}.zip", [name for name, _ in files], walk.notes())
        _write(packed.path, files, field_name)
        yield packed


@contextmanager
def packed_file(path: Path) -> Iterator[Packed]:
    """A temporary .zip with this one file; see `packed_folder`."""
    with tempfile.TemporaryDirectory(prefix="trainyard-") as scratch:
        packed = Packed(Path(scratch) / f"{path.stem}.zip", [path.name])
        _write(packed.path, [(path.name, path)], "code")
        yield packed


class _Walk:
    """Finds the files to pack, and keeps what it left out by itself."""

    def __init__(self, folder: Path, field_name: str) -> None:
        self._root, self._field = folder.resolve(), field_name
        try:
            lines = (folder / IGNORE_FILE).read_text().splitlines()
        except FileNotFoundError:
            lines = []
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(field_name, f"{folder / IGNORE_FILE} cannot be read: {error}", "make it a readable text file") from None
        self._rules = IgnoreRules(lines)
        self._outside: list[str] = []
        self._special: list[str] = []
        self._count = 0

    def files(self, prefix: str, folder: Path, above: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
        """Name in the archive and path of every file below `folder`; `above` are the real folders on the way to it."""
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            raise InvalidInput(self._field, f"{folder} cannot be read: {error.strerror}", f"list it in {IGNORE_FILE}") from None
        for entry in entries:
            name = prefix + entry.name
            path = Path(entry.path)
            if entry.is_symlink():
                path = path.resolve()
                if not path.is_relative_to(self._root) or path in (*above, folder):
                    if not self._rules.ignores(name, folder=path.is_dir()):
                        self._outside.append(name)
                    continue
            is_folder = path.is_dir()
            if self._rules.ignores(name, folder=is_folder):
                continue
            if is_folder:
                yield from self.files(f"{name}/", path, (*above, folder))
            elif path.is_file():
                self._count += 1
                if self._count > MAX_FILES:
                    raise InvalidInput(self._field, f"{self._root} holds more than {MAX_FILES} files", _TRIM)
                yield name, path
            else:
                self._special.append(name)

    def notes(self) -> list[str]:
        """Sentences for the user."""
        kinds = (("links out of the folder, into themselves or to nothing", self._outside), ("not plain files", self._special))
        return [f"left out, {what}: {_some(sorted(names))}" for what, names in kinds if names]


def _check_size(folder: Path, files: list[tuple[str, Path]], limit: int, field_name: str) -> None:
    sizes = sorted(((path.stat().st_size, name) for name, path in files), reverse=True)
    total = sum(size for size, _ in sizes)
    if total > limit:
        largest = ", ".join(f"{name} ({human_bytes(size)})" for size, name in sizes[:_SHOWN])
        fix = f"{_TRIM}; send data with `trainyard data upload`" if field_name == "code" else _TRIM
        raise InvalidInput(field_name, f"{folder} holds {human_bytes(total)}, more than {human_bytes(limit)}; largest: {largest}", fix)


def _write(target: Path, files: list[tuple[str, Path]], field_name: str) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, path in files:
            try:
                name.encode()
            except UnicodeEncodeError:
                raise InvalidInput(field_name, f"the name {name!r} is not valid UTF-8", f"rename it, or list it in {IGNORE_FILE}") from None
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3  # Unix, wherever it is packed: permissions below
            info.compress_type = zipfile.ZIP_DEFLATED
            try:
                with path.open("rb") as source:
                    executable = os.fstat(source.fileno()).st_mode & stat.S_IXUSR
                    info.external_attr = (stat.S_IFREG | (0o755 if executable else 0o644)) << 16
                    info.file_size = os.fstat(source.fileno()).st_size
                    with archive.open(info, "w") as member:
                        while content := source.read(1 << 20):
                            member.write(content)
            except OSError as error:
                raise InvalidInput(
                    field_name, f"{path} cannot be packed: {error.strerror}", f"make it readable, or list it in {IGNORE_FILE}"
                ) from None


def human_bytes(count: float) -> str:
    """A size for people: 1536 is "1.5 KiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
