"""Logs: each process writes a local file; a thread ships what was added as objects named by their byte offset."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

CHUNK_BYTES = 1 << 20
INTERVAL_SECONDS = 0.3
CLOSE_SECONDS = 30.0
TAIL_BYTES = 16 * 1024


class LogShipper:
    """Tails one file and puts each new part as ``<prefix>/<first byte, 12 digits>.log``; a failed put is tried again."""

    def __init__(self, path: Path, prefix: str, put: Callable[[str, bytes], None]) -> None:
        self._path, self._prefix, self._put = path, prefix, put
        self._offset = 0
        self._done = threading.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._thread = threading.Thread(target=self._run, name=f"ship {path.name}", daemon=True)
        self._thread.start()

    def _ship(self) -> bool:
        """Put one part; True when there may be more."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            content = file.read(CHUNK_BYTES)
        if not content:
            return False
        self._put(f"{self._prefix}/{self._offset:012d}.log", content)
        self._offset += len(content)
        return True

    def _run(self) -> None:
        while not self._done.wait(INTERVAL_SECONDS):
            with contextlib.suppress(OSError):
                while self._ship():
                    pass

    def close(self) -> bool:
        """Ship the rest; False when the object store would not take it for half a minute."""
        self._done.set()
        self._thread.join()
        deadline = time.monotonic() + CLOSE_SECONDS
        while True:
            try:
                while self._ship():
                    pass
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(INTERVAL_SECONDS)
            else:
                return True


def last_lines(path: Path, count: int = 20) -> list[str]:
    """The last lines of a log, at most 16 KiB of it; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line for line in lines if line.strip()][-count:]


class OutputTee:
    """Copies this process's stdout and stderr into a file, at the level of file descriptors, until closed."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._saved = os.dup(1), os.dup(2)
        reader, writer = os.pipe()
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        os.close(writer)
        self._thread = threading.Thread(target=self._copy, args=(reader, path), name="output tee", daemon=True)
        self._thread.start()

    def _copy(self, reader: int, path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            while content := os.read(reader, 65536):
                with contextlib.suppress(OSError):
                    os.write(self._saved[0], content)
                with contextlib.suppress(OSError):
                    file.write(content)
        os.close(reader)

    def close(self) -> None:
        """Give the descriptors back and wait for the last bytes; a child that still holds them is not waited for."""
        os.dup2(self._saved[0], 1)
        os.dup2(self._saved[1], 2)
        self._thread.join(timeout=1)
