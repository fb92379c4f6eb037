"""The way from training code to the worker's agent: JSON lines appended to a local file that outlives the process.

Kinds: ``metrics`` {metrics, step}, ``params`` {params}, ``stage`` {name, detail}, ``checkpoint`` {step, path}, ``model``
{name, version, uri}, ``error`` {type, message}. Every record has ``time`` (Unix seconds).
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any


class RecordWriter:
    """Appends records; one write call each, so that records of several threads never mix."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(self, kind: str, **fields: Any) -> None:
        """Append one record, stamped with the time."""
        os.write(self._handle, json.dumps({"kind": kind, "time": time.time(), **fields}).encode() + b"\n")


class RecordReader:
    """Reads records that were added since the last call; a line without its end stays for the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> list[dict[str, Any]]:
        """New records, oldest first."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                content = file.read()
        except FileNotFoundError:
            return []
        whole = content.rfind(b"\n") + 1
        self._offset += whole
        return [json.loads(line) for line in content[:whole].splitlines()]
