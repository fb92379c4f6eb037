"""A running platform as the parity tests see it: the same tests run against the embedded one and against one in a cluster."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.outcome import Outcome
from trainyard import Client

COMMAND_SECONDS = 400


def run_command(arguments: tuple[str, ...], variables: Mapping[str, str], *, seconds: float = COMMAND_SECONDS) -> Outcome:
    """The `trainyard` command, run to its end with these variables and nothing of what this process was told of other platforms."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("TRAINYARD_", "RAY_", "MLFLOW_"))}
    argv = [sys.executable, "-m", "trainyard", *arguments]
    done = subprocess.run(argv, env=environment | dict(variables), capture_output=True, text=True, timeout=seconds)
    return Outcome(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Site:
    """One platform.

    Attributes:
        engine: its name.
        trainyard: the command, told of this platform.
        client: a client of it.
        mlflow_run: a run as MLflow's own API shows it.
        lose_driver: takes the driver of a running job away, as a crash does.
        size: parameters that make a worker small enough for this platform.
    """

    engine: str
    trainyard: Callable[..., Outcome]
    client: Client
    mlflow_run: Callable[[str], dict[str, Any]]
    lose_driver: Callable[[str], None]
    size: dict[str, float] = field(default_factory=dict)

    @property
    def size_options(self) -> list[str]:
        """The same for the command line."""
        return [part for key, value in self.size.items() for part in ("-p", f"{key}={value}")]
