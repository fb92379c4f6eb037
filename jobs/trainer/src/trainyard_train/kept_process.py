"""A training process with a thread that starts it, and stays until it has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from trainyard_train.memory import high_water

TRAINING_PROCESS = [sys.executable, "-P", "-u", "-m", "trainyard_train.training_process"]


class KeptProcess:
    """One process in a session of its own, its output appended to a file.

    The kernel kills it with the thread that started it (`die_with_parent`), and Ray's own thread may end before.
    """

    def __init__(self, argv: list[str], *, cwd: Path, env: Mapping[str, str], output: Path, stdin: int = subprocess.DEVNULL) -> None:
        """Start it. Raises OSError."""
        self.ended = threading.Event()
        self.returncode = 0
        self.ended_at = 0.0
        #: The most bytes that it held in memory itself; 0 when that was less than this process held at its start.
        self.peak_bytes = 0
        self.pid = 0
        self._error: OSError | None = None
        started = threading.Event()
        keeping = (argv, cwd, env, output, stdin, started)
        threading.Thread(target=self._keep, args=keeping, name="keep the training process", daemon=True).start()
        started.wait()
        if self._error is not None:
            raise self._error

    def _keep(self, argv: list[str], cwd: Path, env: Mapping[str, str], output: Path, stdin: int, started: threading.Event) -> None:
        try:
            with output.open("ab", buffering=0) as file:
                process = subprocess.Popen(
                    argv, cwd=cwd, env=env, stdin=stdin, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
                )
            self.pid = process.pid
            shared = high_water()  # the kernel counts it in, because the new process shared it until it ran its own program
        except OSError as error:
            self._error = error
            return
        finally:
            started.set()
        _, status, usage = os.wait4(process.pid, 0)
        self.ended_at = time.time()
        self.returncode = process.returncode = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * 1024
        self.peak_bytes = peak if peak > shared else 0
        self.ended.set()
