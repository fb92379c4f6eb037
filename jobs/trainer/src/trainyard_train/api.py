"""The calls that training code can make. Light: torch and mlflow are imported only by the calls that need them."""

from __future__ import annotations

import functools
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainyard_train import checkpoint_queue, life
from trainyard_train.records import RecordWriter

if TYPE_CHECKING:
    import torch

    from trainyard_train.state_saver import Snapshot, StateSaver


_METRIC_NAME = re.compile(r"[\w.\-/: ]{1,250}")


@dataclass(frozen=True)
class Checkpoint:
    """A saved checkpoint: the folder as it was reported, and its step."""

    path: Path
    step: int


@functools.cache
def records() -> RecordWriter | None:
    """Where this process's records go; None outside a job."""
    path = os.environ.get("TRAINYARD_RECORDS")
    return RecordWriter(Path(path)) if path else None


def rank() -> int:
    """This process's rank among all."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """This process's rank on its machine."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def world_size() -> int:
    """How many processes train."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def device() -> torch.device:
    """The device of this rank: its GPU where there is one, otherwise the CPU."""
    import torch

    return torch.device("cuda", local_rank()) if torch.cuda.is_available() else torch.device("cpu")


def init_distributed() -> None:
    """Form the process group (nccl on GPUs, otherwise gloo); nothing happens when it is formed or there is one process outside a job."""
    import torch

    if torch.distributed.is_initialized() or "MASTER_ADDR" not in os.environ:
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(device())
        torch.distributed.init_process_group("nccl")
    else:
        torch.distributed.init_process_group("gloo")


def report(
    metrics: Mapping[str, float],
    *,
    step: int,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    move: bool = False,
) -> None:
    """Record metrics at a step and, where given, a folder to resume from; returns at once, sending happens outside this process.

    Rank 0 counts; on other ranks the call does nothing. A step that an earlier attempt of the job has reported keeps its first value.

    Args:
        metrics: names and numbers.
        step: an integer that grows.
        checkpoint: a dictionary of tensors and plain values, which is copied to memory before the call returns and written as
            ``state.pt`` (for `torch.load`) beside the training; or a folder, which is copied before the call returns (on Btrfs
            and XFS without copying its bytes). When checkpoints come faster than they can be sent, the newest wins.
        move: take the folder away instead of copying it; nothing is copied when it came from `checkpoint_folder`.

    Raises:
        ValueError: a metric is not a number or has a name that MLflow refuses, or the checkpoint is neither folder nor dictionary.
        OSError: the checkpoint, or the state that was given before it, does not fit on the disk; those before that are safe.
    """
    life.advance()
    if rank() != 0:
        return
    figures, step = _checked(metrics), int(step)
    state = checkpoint if isinstance(checkpoint, Mapping) else None
    source = Path(checkpoint) if checkpoint is not None and not isinstance(checkpoint, Mapping) else None
    if source is not None and not source.is_dir():
        raise ValueError(f"report(checkpoint): {source} is not a folder; save the files into one and give that, or give a dictionary")
    writer = records()
    if writer is None:
        print(f"step {step}: {figures}")
        return
    resumed = int(os.environ.get("TRAINYARD_RESUME_STEP") or step)
    known = _reported_before()
    new = {key: value for key, value in figures.items() if not resumed <= step <= known.get(key, step - 1)}
    writer.write("metrics", metrics=new, step=step)
    # After the record: who resumes from here never reports this step again.
    if source is not None:
        if state_saver.cache_info().currsize:  # a state that was given before this folder is older than it
            state_saver().wait()
        checkpoint_queue.hand_over(Path(os.environ["TRAINYARD_CHECKPOINTS"]), source, step=step, metrics=figures, move=move)
    if state is not None:
        state_saver().save(state, step, figures)


@functools.cache
def state_saver() -> StateSaver:
    """What writes this process's states."""
    from trainyard_train.state_saver import StateSaver

    queue = Path(os.environ["TRAINYARD_CHECKPOINTS"])

    def hand_over(folder: Path, snapshot: Snapshot) -> None:
        checkpoint_queue.hand_over(queue, folder, step=snapshot.step, metrics=snapshot.metrics, move=True)

    return StateSaver(checkpoint_folder, hand_over)


def _checked(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics as MLflow takes them. Raises ValueError."""
    figures = {}
    for key, value in metrics.items():
        if not _METRIC_NAME.fullmatch(str(key)):
            raise ValueError(f"report(metrics): {key!r} is no name for a metric; use up to 250 letters, digits, spaces and _ - . / :")
        try:
            figures[str(key)] = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"report(metrics): the value of {key!r} must be a number: {error}") from error
    return figures


@functools.cache
def _reported_before() -> dict[str, int]:
    """The last step of each metric that an earlier attempt reported."""
    path = os.environ.get("TRAINYARD_REPORTED")
    known: dict[str, int] = json.loads(Path(path).read_text()) if path else {}
    return known


def checkpoint_folder() -> Path:
    """A new empty folder on the disk from which `report(checkpoint=, move=True)` takes it without copying."""
    base = os.environ.get("TRAINYARD_CHECKPOINTS")
    if base:
        Path(base).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".new-", dir=base))


def resume_checkpoint() -> Checkpoint | None:
    """What to resume from, on every rank's own disk: what an earlier attempt saved last, or the checkpoint of another job that this
    one was told to start from; None where there is neither."""
    path, step = os.environ.get("TRAINYARD_RESUME_DIR"), os.environ.get("TRAINYARD_RESUME_STEP")
    return Checkpoint(Path(path), int(step)) if path and step else None


def data_path() -> Path | None:
    """The job's data set as a local file, or None when the job has none."""
    path = os.environ.get("TRAINYARD_DATA_PATH")
    return Path(path) if path else None


def stage(name: str, **detail: Any) -> None:
    """Stamp the job's timeline (rank 0)."""
    writer = records()
    if rank() == 0 and writer is not None:
        writer.write("stage", name=name, detail=detail)


def log_params(params: Mapping[str, Any]) -> None:
    """Record hyper-parameters that the job's own parameters do not hold (rank 0)."""
    writer = records()
    if rank() == 0 and writer is not None:
        writer.write("params", params={str(key): str(value) for key, value in params.items()})
