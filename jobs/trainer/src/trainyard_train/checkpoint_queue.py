"""The way of a checkpoint from the training process to the object store: folders on local disk, of which the newest wins.

At most three copies are on the disk: one that is being written, one that waits, and one that is being sent.
"""

from __future__ import annotations

import errno
import fcntl
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

_WAITING, _SENDING = ".waiting", ".sending"
#: Linux: let two files share their blocks until one of them is written to.
_FICLONE = 0x40049409


def _clone_or_copy(source: str, target: str) -> str:
    """Copy a file; where the file system can (Btrfs, XFS), without copying its bytes."""
    try:
        with Path(source).open("rb") as original, Path(target).open("wb") as clone:
            fcntl.ioctl(clone.fileno(), _FICLONE, original.fileno())
    except OSError:
        shutil.copyfile(source, target)
    return target


def hand_over(queue: Path, source: Path, *, step: int, metrics: Mapping[str, float], move: bool) -> None:
    """Put a copy of ``source``, or the folder itself, into the queue; those that still wait there go. Raises OSError."""
    queue.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns():020d}"
    partial = queue / f".partial-{name}"
    partial.mkdir()
    try:
        if move:
            _move(source, partial / "files")
        else:
            shutil.copytree(source, partial / "files", copy_function=_clone_or_copy)
        (partial / "about.json").write_text(json.dumps({"step": step, "metrics": dict(metrics)}))
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)  # the disk may be full: nothing half stays on it
        raise
    partial.rename(queue / f"{name}{_WAITING}")
    drop(waiting(queue)[:-1])


def _move(source: Path, target: Path) -> None:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.move(source, target)


def waiting(queue: Path) -> list[Path]:
    """The folders that wait, oldest first."""
    return sorted(queue.glob(f"*{_WAITING}"))


def take(folder: Path) -> Path:
    """Take one that waits, to send it. Raises FileNotFoundError when the other side has just replaced it."""
    taken = folder.with_suffix(_SENDING)
    folder.rename(taken)
    return taken


def unsent(queue: Path) -> list[Path]:
    """All that a sender left that is gone, oldest first."""
    return sorted([*queue.glob(f"*{_WAITING}"), *queue.glob(f"*{_SENDING}")])


def drop(folders: list[Path]) -> None:
    """Remove folders that the other side may take at the same moment."""
    for folder in folders:
        gone = folder.with_suffix(".gone")
        try:
            folder.rename(gone)
        except FileNotFoundError:  # the other side was faster
            continue
        shutil.rmtree(gone, ignore_errors=True)
