"""A file system that is soon full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import ServerUnavailable


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """``folder``, which is made, as a file system of its own in memory; ``size`` like 256k. Raises ServerUnavailable where it cannot be."""
    if os.geteuid() != 0:
        raise ServerUnavailable("only root can mount a small file system to fill up")
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)], capture_output=True, text=True)
    if mounted.returncode:
        raise ServerUnavailable(f"a small file system to fill up cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
