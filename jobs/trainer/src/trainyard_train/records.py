"""The way from training code to the worker's agent: JSON lines appended to a local file that outlives the process.

Kinds: ``metrics`` {metrics, step}, ``params`` {params}, ``stage`` {name, detail}, ``model`` {name, version, uri}, ``error``
{type, message, victim, failure}. Every record has ``time`` (Unix seconds). The agent itself adds the system's metrics.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

#: How much of the file is held at a time.
PIECE_BYTES = 256 * 1024


class RecordWriter:
    """Appends records; one write call each, so that records of several threads and processes never mix."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, kind: str, **fields: Any) -> None:
        """Append one record, stamped with the time. A disk that is full costs the record, and never the training."""
        try:
            os.write(self._handle, json.dumps({"kind": kind, "time": time.time(), **fields}).encode() + b"\n")
        except OSError as error:
            print(f"trainyard: {kind} could not be recorded: {error}", file=sys.stderr, flush=True)


class RecordReader:
    """Reads whole lines of a file that grows, a bounded piece at a time."""

    def __init__(self, path: Path, wanted: Callable[[bytes], bool]) -> None:
        """``wanted`` is asked for each line before it is parsed."""
        self._path, self._wanted = path, wanted
        #: Everything before this byte was read.
        self.offset = 0

    def pieces(self, limit: int | None = None) -> Iterator[list[dict[str, Any]]]:
        """The wanted records that were added, up to byte ``limit``; ``offset`` moves on when the next piece is asked for."""
        size = PIECE_BYTES
        while content := self._content(size, limit):
            whole = content.rfind(b"\n") + 1
            if not whole:
                if len(content) < size:
                    return  # a line without its end stays for the next time
                size *= 2
                continue
            yield [record for line in content[:whole].splitlines() if self._wanted(line) and (record := parse(line)) is not None]
            self.offset += whole
            size = PIECE_BYTES

    def _content(self, size: int, limit: int | None) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset)
                return file.read(size if limit is None else max(0, min(size, limit - self.offset)))
        except FileNotFoundError:
            return b""


def parse(line: bytes) -> dict[str, Any] | None:
    """The record of one line; None for one that was cut off, by a disk that was full or with its writer."""
    try:
        record: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return record


def is_for_mlflow(line: bytes) -> bool:
    """Whether a line holds metrics or parameters."""
    return line.startswith((b'{"kind": "metrics"', b'{"kind": "params"'))


def is_for_agent(line: bytes) -> bool:
    """Whether a line holds anything else."""
    return not is_for_mlflow(line)
