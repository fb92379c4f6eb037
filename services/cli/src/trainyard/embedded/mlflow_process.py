"""`mlflow server` in one process: `python -m trainyard.embedded.mlflow_process`, with the arguments of `mlflow server --workers 1`.

MLflow's command imports its server to check options and tables, and then starts uvicorn in a second process, which imports it again.
Here the first one goes on as that uvicorn: seconds of a start and over a hundred megabytes less. Should MLflow start its server
otherwise one day, this is `mlflow server` as it is.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn


def _go_on_as(command: Sequence[str], *, extra_env: Mapping[str, str], **_: Any) -> NoReturn:
    """In place of MLflow's start of ``python -m uvicorn ...`` with these variables."""
    from mlflow import server
    from uvicorn.main import main as uvicorn

    os.environ.update(extra_env)
    importlib.reload(server)  # its routes and its middleware are made on import, from these variables
    uvicorn(args=list(command[3:]), prog_name="uvicorn")
    sys.exit(0)


def main(arguments: Sequence[str]) -> None:
    """Serve until a signal comes."""
    from mlflow import server
    from mlflow.cli import cli

    if hasattr(server, "_exec_cmd"):
        server._exec_cmd = _go_on_as
    cli(args=["server", *arguments], prog_name="mlflow")


if __name__ == "__main__":
    main(sys.argv[1:])
