"""A plain DDP program: trains a small convolutional network on synthetic images and prints the samples per second after the first epoch."""

import argparse
import time

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--samples", type=int, default=12_000)
    arguments = parser.parse_args()
    dist.init_process_group("gloo")
    torch.manual_seed(0)
    images = torch.randn(arguments.samples, 1, 28, 28)
    labels = torch.randint(0, 10, (arguments.samples,))
    dataset = TensorDataset(images, labels)
    sampler = DistributedSampler(dataset, shuffle=True)
    loader = DataLoader(dataset, batch_size=64, sampler=sampler)
    network = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6272, 10),
    )
    model = DistributedDataParallel(network)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    begun = 0.0
    for epoch in range(arguments.epochs):
        sampler.set_epoch(epoch)
        if epoch == 1:
            dist.barrier()
            begun = time.perf_counter()
        for inputs, targets in loader:
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    dist.barrier()
    if dist.get_rank() == 0:
        rate = (arguments.epochs - 1) * arguments.samples / (time.perf_counter() - begun)
        print(f"samples_per_second {rate:.1f}", flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
