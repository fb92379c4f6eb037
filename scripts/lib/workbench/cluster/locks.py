"""One command at a time for one state folder."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; waits for whoever has it. The folder is made where it is missing, and may be gone afterwards."""
    path = folder / "lock"
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever had it may have removed the folder: then this is the lock of nothing.
            if path.exists() and path.stat().st_ino == Path(f"/proc/self/fd/{lock.fileno()}").stat().st_ino:
                yield
                return
