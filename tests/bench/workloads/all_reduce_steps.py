"""Steps of one all-reduce each, with a checkpoint every fifth, for ever: `all_reduce_steps.py STAMPS [WORKERS]`.

Every rank appends `rank pid step time` to the file STAMPS after each step. Run by Trainyard it is a rank; with WORKERS it is the peer, a
TorchTrainer written by hand that starts lost workers anew.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch.distributed as dist


def train(stamps: str, first: int, keep) -> None:
    rank = dist.get_rank()
    step = first
    while True:
        value = torch.ones(1)
        dist.all_reduce(value)
        keep(step)
        with open(stamps, "a") as file:  # noqa: PTH123
            file.write(f"{rank} {os.getpid()} {step} {time.time()}\n")
        step += 1
        time.sleep(0.1)


def as_a_rank(stamps: str) -> None:
    import trainyard_train as ty

    dist.init_process_group("gloo")
    start = ty.resume_checkpoint()

    def keep(step: int) -> None:
        folder = ty.checkpoint_folder() if step % 5 == 0 else None
        if folder is not None:
            (folder / "step.json").write_text(json.dumps(step))
        ty.report({"figure": float(step)}, step=step, checkpoint=folder, move=True)

    train(stamps, start.step + 1 if start else 1, keep)


def as_a_worker(config: dict) -> None:
    import ray.train

    start = ray.train.get_checkpoint()
    first = 1
    if start is not None:
        with start.as_directory() as folder:
            first = json.loads((Path(folder) / "step.json").read_text()) + 1

    def keep(step: int) -> None:
        if step % 5:
            ray.train.report({"figure": float(step)})
            return
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "step.json").write_text(json.dumps(step))
            kept = ray.train.Checkpoint.from_directory(folder) if ray.train.get_context().get_world_rank() == 0 else None
            ray.train.report({"figure": float(step)}, checkpoint=kept)

    train(config["stamps"], first, keep)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        as_a_rank(sys.argv[1])
    else:
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchTrainer

        scaling = ScalingConfig(num_workers=int(sys.argv[2]), resources_per_worker={"CPU": 0.5})
        run = RunConfig(storage_path=f"{sys.argv[1]}-checkpoints", failure_config=FailureConfig(max_failures=3))
        TorchTrainer(as_a_worker, train_loop_config={"stamps": sys.argv[1]}, scaling_config=scaling, run_config=run).fit()
