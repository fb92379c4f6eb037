"""A training process that waits, its imports done, for the program that it is to run."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

from trainyard_train.kept_process import TRAINING_PROCESS, KeptProcess
from trainyard_train.rank_environment import inherited
from trainyard_train.warm_up import WARM

#: How long the imports may take.
_WARM_SECONDS = 120.0


class WarmProcess:
    """The agent's end of it; `warm_up.await_program` is the other one."""

    def __init__(self, cpus: float) -> None:
        """Start it for a rank with so many CPUs, and wait until it waits. Raises OSError."""
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = KeptProcess(
                TRAINING_PROCESS, cwd=Path("/"), env=inherited(cpus) | {WARM: "1"}, output=Path(os.devnull), stdin=theirs.fileno()
            )
        self._channel.settimeout(_WARM_SECONDS)
        if not self._channel.recv(1):
            self.close()
            raise ChildProcessError("the training process ended while it imported PyTorch")

    def check(self) -> None:
        """Raise ChildProcessError when it has died."""
        if self._process.ended.is_set():
            raise ChildProcessError(f"the training process that waited has ended with {self._process.returncode}")

    def begin(self, cwd: Path, env: dict[str, str], output: Path) -> KeptProcess | None:
        """Let it run what ``env`` says, as if it had been started so; None when it is gone. To be called once."""
        word = {"cwd": str(cwd), "env": env, "output": str(output)}
        try:
            with self._channel:
                self._channel.sendall(json.dumps(word).encode())
        except OSError:
            return None
        return self._process

    def close(self) -> None:
        """End it; nothing happens when it has."""
        self._channel.close()
        if not self._process.ended.is_set():
            os.kill(self._process.pid, signal.SIGKILL)
