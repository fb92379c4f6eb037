"""A memory control group of this machine's kernel, with a limit, for tests of what happens at it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_for

MEMORY_GROUP_BYTES = 96 * 2**20
_V1, _V2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


@contextmanager
def memory_group() -> Iterator[Path]:
    """An empty group with a limit of 96 MiB. Raises OSError where this process may make none."""
    folder = (_V1 if _V1.is_dir() else _V2) / f"trainyard-test-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        (folder / ("memory.limit_in_bytes" if _V1.is_dir() else "memory.max")).write_text(str(MEMORY_GROUP_BYTES))
        yield folder
    finally:
        wait_for("the group to be empty", lambda: not (folder / "cgroup.procs").read_text(), seconds=30)
        folder.rmdir()
