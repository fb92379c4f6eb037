"""The process that runs the user's code for one rank: `python -m trainyard_train.training_process`, started by the agent."""

from __future__ import annotations

import importlib
import os
import random
import runpy
import sys
import traceback
from pathlib import Path

from trainyard_templates.runspec import RunSpec
from trainyard_train import api, life
from trainyard_train.process_end import ProcessEnd
from trainyard_train.process_guard import die_with_parent
from trainyard_train.records import RecordWriter
from trainyard_train.step_stamps import count_steps, stamp_steps
from trainyard_train.warm_up import WARM, await_program

#: What gloo and NCCL say when a peer is gone; they raise plain RuntimeErrors for it.
_PEER_GONE = ("closed by peer", "reset by peer", "broken pipe", "gloo", "nccl", "socket timeout", "connection refused")


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
    sys.argv = [str(script), *spec.argv]
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name="__main__")


def _own_frames_left_out(error: BaseException) -> list[str]:
    """The traceback from the user's first frame on."""
    own = ("trainyard_train/training_process", "runpy", "importlib")
    frames = error.__traceback__
    while frames and any(part in frames.tb_frame.f_code.co_filename for part in own):
        frames = frames.tb_next
    return traceback.format_exception(type(error), error, frames)


def _peer_is_gone(error: BaseException) -> bool:
    """Whether this is a collective that broke because another rank ended."""
    torch = sys.modules.get("torch")
    cause: BaseException | None = error
    while cause is not None:
        if torch is not None and isinstance(cause, torch.distributed.DistError):
            return True
        if isinstance(cause, RuntimeError | ConnectionError) and any(part in str(cause).lower() for part in _PEER_GONE):
            return True
        cause = cause.__cause__
    return False


def _failure_kind(error: BaseException) -> str:
    """Whose failure this is, as far as the exception tells."""
    out_of_gpu_memory = getattr(sys.modules.get("torch"), "OutOfMemoryError", ())
    if isinstance(error, (MemoryError, out_of_gpu_memory)) or "can't allocate memory" in str(error):
        return "out_of_memory"
    return "infrastructure" if _peer_is_gone(error) or type(error).__name__ == "ModelNotLogged" else "user"


def main() -> int:
    """Run the spec's script or function; the exit code is the user code's own."""
    die_with_parent(int(os.environ["TRAINYARD_AGENT_PID"]))
    if WARM in os.environ:
        await_program()
    if "TRAINYARD_LIFE" in os.environ:
        life.start(Path(os.environ["TRAINYARD_LIFE"]), Path(os.environ["TRAINYARD_STACKS"]))
    records = RecordWriter(Path(os.environ["TRAINYARD_RECORDS"]))
    spec = RunSpec.model_validate_json(os.environ.pop("TRAINYARD_SPEC"))
    try:
        count_steps()
        if api.rank() == 0:
            stamp_steps(records)
            records.write("stage", name="train_function_entered", detail={})
        (_run_script if spec.kind == "script" else _run_function)(spec)
    except SystemExit as leaving:
        if leaving.code is None or isinstance(leaving.code, int):
            return leaving.code or 0
        print(leaving.code, file=sys.stderr)
        return 1
    except BaseException as error:
        victim, failure = _peer_is_gone(error), _failure_kind(error)
        records.write("error", type=type(error).__name__, message=str(error)[:2000], victim=victim, failure=failure)
        sys.stdout.flush()
        sys.stderr.write("".join(_own_frames_left_out(error)))
        return 1
    return 0


if __name__ == "__main__":
    end = ProcessEnd()
    end.status = main()
