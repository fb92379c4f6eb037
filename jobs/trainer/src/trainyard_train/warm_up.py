"""The training process's side of waiting for a program: what every program imports is imported, and used once, before it is known."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

#: The variable that makes a training process wait.
WARM = "TRAINYARD_WARM"


def await_program() -> None:
    """Return when the agent has said what to run, with its variables, folder and output in place; end the process when it says nothing."""
    _import()
    with socket.socket(fileno=os.dup(0)) as channel:
        channel.sendall(b"\n")
        word = b"".join(iter(lambda: channel.recv(2**16), b""))
    if not word:
        sys.exit(0)
    _become(json.loads(word))


def _import() -> None:
    import numpy  # noqa: F401
    import torch
    import torch.distributed
    import torch.utils.data

    # The first step of an optimizer imports more. No random number is drawn: a program without a seed gets the same ones as ever.
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([parameter])
    parameter.square().sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def _become(word: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(word["env"])
    os.chdir(word["cwd"])
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(word["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)
