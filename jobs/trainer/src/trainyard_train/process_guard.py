"""No training process outlives its agent, however the agent ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """In the training process: be killed when the agent, process ``parent``, ends (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(137)


class GroupGuard:
    """In the agent: kills a process group when closed, and also when this process ends in any way.

    A shell waits for the end of a pipe that only this process holds open. It is no child of this process, because Ray
    kills a worker's children one by one, and what they started would stay.
    """

    def __init__(self, group: int) -> None:
        """``group`` is the process group's id."""
        reader, self._writer = os.pipe()
        script = 'exec 3<&0; (read _ <&3; kill -s KILL -- "-$1") </dev/null >/dev/null 2>&1 &'
        try:
            subprocess.run(["/bin/sh", "-c", script, "guard", str(group)], stdin=reader, check=True, start_new_session=True)
        finally:
            os.close(reader)
        self._group = group

    def close(self) -> None:
        """Kill what is left of the group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._group, signal.SIGKILL)
        os.close(self._writer)
