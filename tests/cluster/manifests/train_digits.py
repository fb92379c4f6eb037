"""Trains a small network on 1,797 handwritten digits with two workers on two pods, and checks that it really was one training."""

import json
import socket

import ray
import torch
import torch.distributed as dist
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, prepare_model
from sklearn.datasets import load_digits


def train() -> None:
    """One rank: every other image is its own; the last 300 are for testing."""
    torch.manual_seed(0)
    pixels, labels = load_digits(return_X_y=True)
    images, wanted = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(labels)
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mine = torch.arange(rank, 1497, ranks)
    model = prepare_model(torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images[mine]), wanted[mine]).backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(images[1497:]).argmax(1) == wanted[1497:]).float().mean().item()
    everywhere: list[dict[str, object]] = [{} for _ in range(ranks)]
    weights = sum(parameter.double().sum().item() for parameter in model.parameters())
    dist.all_gather_object(everywhere, {"pod": socket.gethostname(), "images": len(mine), "weights": weights})
    assert len({each["weights"] for each in everywhere}) == 1, f"the ranks have different weights: {everywhere}"
    if rank == 0:
        found = {"backend": dist.get_backend(), "ranks": ranks, "accuracy": round(accuracy, 4), "each": everywhere}
        print("TRAINED", json.dumps(found), flush=True)


if __name__ == "__main__":
    ray.init()
    scaling = ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1})
    TorchTrainer(train, scaling_config=scaling, run_config=RunConfig(storage_path="/tmp/ray-train")).fit()
