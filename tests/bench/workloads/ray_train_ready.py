"""The peer of a job of a ready trainer: the same function in a TorchTrainer written by hand, which tells when the first step was done."""

import importlib
import json
import os
import sys
import time

import ray
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer


def train(config: dict) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    trainer = importlib.import_module(f"trainyard_train.ready.{config.pop('trainer')}")
    stamp = config.pop("stamp", None)
    done: list[float] = []

    def stepped(*_: object) -> None:
        if not done and ray.train.get_context().get_world_rank() == 0:
            done.append(time.time())
            print(f"first step at {done[0]:.3f}", flush=True)
            if stamp:
                with open(stamp, "w") as file:  # noqa: PTH123
                    file.write(str(done[0]))

    register_optimizer_step_post_hook(stepped)
    context = ray.train.get_context()
    os.environ |= {"RANK": str(context.get_world_rank()), "WORLD_SIZE": str(context.get_world_size())}
    trainer.train(config)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    TorchTrainer(train, train_loop_config=settings, scaling_config=ScalingConfig(num_workers=settings["workers"])).fit()
