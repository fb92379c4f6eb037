"""The peer of a submitted job: the same trainer in a TorchTrainer written by hand; writes down when the first optimizer step was done."""

import json
import os
import sys
import time

import ray
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer


def train(config: dict) -> None:
    from torch.optim.optimizer import register_optimizer_step_post_hook

    from trainyard_train.ready.image_classification import train as train_digits

    done: list[float] = []

    def stepped(*_: object) -> None:
        if not done and ray.train.get_context().get_world_rank() == 0:
            done.append(time.time())
            with open(config.pop("stamp"), "w") as file:  # noqa: PTH123
                file.write(str(done[0]))

    register_optimizer_step_post_hook(stepped)
    context = ray.train.get_context()
    os.environ |= {"RANK": str(context.get_world_rank()), "WORLD_SIZE": str(context.get_world_size())}
    train_digits(config)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    TorchTrainer(train, train_loop_config=settings, scaling_config=ScalingConfig(num_workers=settings["workers"])).fit()
