"""Files from the server, saved on this machine: whole or not at all, and never outside of where the user said."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from trainyard.errors import InvalidInput


def save(parts: Iterable[bytes], target: Path, name: str) -> Path:
    """Write the parts to a file; where it is.

    Args:
        parts: its content; what they raise is raised here, and nothing stays then.
        target: the file; or a folder, in which it gets `name`.
        name: the server's.

    Raises:
        InvalidInput: it cannot be written.
    """
    path = target / (re.sub(r"[^\w. -]", "_", name).strip(". ") or "file") if target.is_dir() else target
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=f".{path.name[:100]}-", dir=path.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
        Path(partial).replace(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            Path(partial).unlink()
        if isinstance(error, OSError):
            raise _unwritable(path, error) from None
        raise
    return path


def below(folder: Path, name: str) -> Path:
    """The path below a folder that a server's name means. Raises InvalidInput for one that leads elsewhere."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        raise InvalidInput("path", f"the server has a file {name!r}, which leads out of {folder}", "download it by itself")
    return folder.joinpath(*parts)


def _unwritable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput("--download", f"{path} cannot be written: {error.strerror or type(error).__name__}", "name another place")
