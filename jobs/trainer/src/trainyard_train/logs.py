"""Logs and records: each process writes local files; threads ship what was added as objects named by their byte offset."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

CHUNK_BYTES = 1 << 20
#: A piece of a log grows to this size before the next one begins: a program that prints little at a time leaves few objects.
LOG_PIECE_BYTES = 16 * 1024
RETRY_SECONDS = 0.3
CLOSE_SECONDS = 30.0
TAIL_BYTES = 16 * 1024


def log_gap_seconds(workers: int) -> float:
    """Between two puts of one rank's log: as live as the object store bears from all ranks of a job, which is 80 puts a second here."""
    return min(1.0, max(0.1, workers / 80))


class LogShipper:
    """Tails one file into pieces named ``<prefix>/<first byte, 12 digits><suffix>``; a failed put is tried again."""

    def __init__(
        self,
        path: Path,
        prefix: str,
        put: Callable[[str, bytes], None],
        *,
        suffix: str = ".log",
        gap: float = 0.1,
        piece_bytes: int = LOG_PIECE_BYTES,
        offset: int = 0,
    ) -> None:
        """Ship what is behind byte ``offset`` as soon as it is there, with at least ``gap`` seconds from one put to the next.

        A piece smaller than ``piece_bytes`` is put again with what was added to it.
        """
        self._path, self._prefix, self._put, self._suffix = path, prefix, put, suffix
        self._gap, self._piece_bytes, self._start = gap, piece_bytes, offset
        #: How many bytes of the file are in the object store.
        self.offset = offset
        self._done, self._wake, self._moved = threading.Event(), threading.Event(), threading.Condition()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._thread = threading.Thread(target=self._run, name=f"ship {path.name}", daemon=True)
        self._thread.start()

    def _ship(self) -> bool:
        """Put one piece; False when there was nothing to put."""
        with self._path.open("rb") as file:
            file.seek(self._start)
            content = file.read(CHUNK_BYTES)
        end = self._start + len(content)
        if end <= self.offset:
            return False
        self._put(f"{self._prefix}/{self._start:012d}{self._suffix}", content)
        if len(content) >= self._piece_bytes:
            self._start = end
        with self._moved:
            self.offset = end
            self._moved.notify_all()
        return True

    def _run(self) -> None:
        while not self._done.is_set():
            begun, gap = time.monotonic(), self._gap
            try:
                while self._ship() and self._path.stat().st_size - self.offset >= CHUNK_BYTES and not self._done.is_set():
                    pass
            except OSError:
                gap = max(gap, RETRY_SECONDS)
            self._wake.wait(max(0.0, begun + gap - time.monotonic()))
            with contextlib.suppress(OSError):
                while self._path.stat().st_size <= self.offset and not self._wake.wait(self._gap / 4):
                    pass
            self._wake.clear()

    def catch_up(self, seconds: float) -> bool:
        """Return when what the file holds now is in the object store; False when it is not after ``seconds``."""
        size = self._path.stat().st_size
        self._wake.set()
        with self._moved:
            return self._moved.wait_for(lambda: self.offset >= size, seconds if self._thread.is_alive() else 0)

    def close(self, seconds: float = CLOSE_SECONDS) -> bool:
        """Ship the rest; False when the object store would not take it for ``seconds``."""
        self._done.set()
        self._wake.set()
        self._thread.join()
        deadline = time.monotonic() + seconds
        while True:
            try:
                while self._ship():
                    pass
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(RETRY_SECONDS)
            else:
                return True


class Remarks:
    """What the platform itself says in a rank's log, which the user reads: each trouble once, and when it is over."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._troubles: dict[str, str] = {}

    def say(self, text: str) -> None:
        """One line."""
        with self._log.open("ab", buffering=0) as log:
            log.write(f"trainyard: {text}\n".encode())

    def trouble(self, topic: str, problem: str | None) -> None:
        """What is wrong with ``topic`` and will be tried again, or None when nothing is."""
        before = self._troubles.get(topic)
        if problem is None:
            self._troubles.pop(topic, None)
            if before is not None:
                self.say(f"{topic}: everything is sent again")
        elif problem != before:
            self._troubles[topic] = problem
            self.say(f"{problem}; training goes on, and it is tried again")


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
