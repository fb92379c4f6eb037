"""Archives that are written as they are sent: nothing of them is kept in memory or on disk."""

import io
import stat
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ZipEntry:
    """A file to come: its name, its size in bytes and its content."""

    name: str
    size: int
    content: Iterable[bytes]


class _Outbox(io.RawIOBase):
    """A file that can only be written; what was written waits to be taken."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._waiting.append(bytes(content))
        return len(self._waiting[-1])

    def take(self) -> bytes:
        """What was written since the last time."""
        content = b"".join(self._waiting)
        self._waiting.clear()
        return content


def zipped(entries: Iterable[ZipEntry], *, modified: datetime) -> Iterator[bytes]:
    """An archive of these files, not compressed, piece by piece. Raises what their contents raise; the archive is cut off then."""
    outbox = _Outbox()
    with zipfile.ZipFile(outbox, "w", zipfile.ZIP_STORED) as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _time_of(modified))
            info.create_system = 3  # Unix, for the permissions
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            info.file_size = entry.size  # for the choice between the two formats of an entry
            with archive.open(info, "w") as member:
                for piece in entry.content:
                    member.write(piece)
                    yield outbox.take()
    yield outbox.take()


def _time_of(moment: datetime) -> tuple[int, int, int, int, int, int]:
    """The moment as an archive can hold it."""
    if not 1980 <= moment.year <= 2107:
        return (1980, 1, 1, 0, 0, 0)
    return (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)


def is_plain_path(name: str) -> bool:
    """Whether the name is a relative path that leads nowhere else on any disk."""
    parts = name.split("/")
    odd = "\\" in name or ":" in parts[0] or any(ord(letter) < 32 or ord(letter) == 127 for letter in name)
    return not odd and not any(part in ("", ".", "..") for part in parts)
