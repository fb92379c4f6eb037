"""The process that runs the user's code for one rank: `python -m trainyard_train.training_process`, started by the agent."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import os
import random
import runpy
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from trainyard_templates.runspec import RunSpec
from trainyard_train import api
from trainyard_train.records import RecordWriter

_PR_SET_PDEATHSIG = 1


def _die_with_the_agent() -> None:
    """A killed Ray worker must not leave its training process behind (Linux)."""
    parent = int(os.environ["TRAINYARD_AGENT_PID"])
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(137)


def _stamp_steps(records: RecordWriter) -> None:
    """Stamp the timeline from torch's own hooks: the group formed, the first and the last optimizer step."""
    import torch
    from torch.optim.optimizer import register_optimizer_step_post_hook

    last: list[float] = []

    def stepped(*_: Any) -> None:
        if not last:
            records.write("stage", name="first_step", detail={})
            last.append(0.0)
        last[0] = time.time()

    def at_end() -> None:
        if last:
            records.write("stage", name="last_step", detail={"at": last[0]})

    def await_group() -> None:
        while not torch.distributed.is_initialized():
            time.sleep(0.05)
        records.write("stage", name="process_group_formed", detail={"backend": torch.distributed.get_backend()})

    register_optimizer_step_post_hook(stepped)
    atexit.register(at_end)
    if torch.distributed.is_available():
        threading.Thread(target=await_group, name="await process group", daemon=True).start()


def _seed(seed: int) -> None:
    import numpy
    import torch

    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def _run_function(spec: RunSpec) -> None:
    module_name, _, function_name = spec.entry.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    module = importlib.import_module(module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise AttributeError(f"{module_name} has no function {function_name!r}")
    if spec.seed is not None:
        _seed(spec.seed)
    function(dict(spec.config))
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def _run_script(spec: RunSpec) -> None:
    script = Path.cwd() / spec.entry
    sys.argv = [spec.entry, *spec.argv]
    sys.path[0] = str(script.parent)
    runpy.run_path(str(script), run_name="__main__")


def _own_frames_left_out(error: BaseException) -> list[str]:
    """The traceback from the user's first frame on."""
    frames = error.__traceback__
    while frames and (
        "trainyard_train/training_process" in frames.tb_frame.f_code.co_filename or "runpy" in frames.tb_frame.f_code.co_filename
    ):
        frames = frames.tb_next
    return traceback.format_exception(type(error), error, frames)


def main() -> int:
    """Run the spec's script or function; the exit code is the user code's own."""
    _die_with_the_agent()
    records = RecordWriter(Path(os.environ["TRAINYARD_RECORDS"]))
    spec = RunSpec.model_validate_json(os.environ.pop("TRAINYARD_SPEC"))
    first = api.rank() == 0
    try:
        if first:
            _stamp_steps(records)
            records.write("stage", name="train_function_entered", detail={})
        (_run_script if spec.kind == "script" else _run_function)(spec)
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.stdout.flush()
        sys.stderr.write("".join(_own_frames_left_out(error)))
        records.write("error", type=type(error).__name__, message=str(error)[:2000])
        return 1
    return 0


if __name__ == "__main__":
    sys.path = [entry for entry in sys.path if entry]
    sys.path.insert(0, "")
    sys.exit(main())
