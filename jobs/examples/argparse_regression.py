"""A program with command-line arguments: polynomial regression, each rank on its part of the points.

torchrun --nproc-per-node 2 argparse_regression.py --degree 5 --lr 0.05 --name "my first fit"
trainyard submit argparse_regression.py --workers 2 --watch -- --degree 5 --lr 0.05 --name "my first fit"
"""

import argparse
import os
import sys

import torch
import torch.distributed as dist


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """The program's own arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--degree", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="fit")
    return parser.parse_args(argv)


def main() -> None:
    """Fit sin(x) on -2..2 and print the loss of every step."""
    arguments = parse_arguments(sys.argv[1:])
    rank, world_size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", rank=rank, world_size=world_size)
    torch.manual_seed(arguments.seed)
    x = torch.linspace(-2, 2, 1_000, dtype=torch.float64)
    y = torch.sin(x) + 0.1 * torch.randn_like(x)
    powers = torch.stack([x**power for power in range(arguments.degree + 1)], dim=1)[rank::world_size]
    targets = y[rank::world_size]
    weights = torch.zeros(arguments.degree + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weights], lr=arguments.lr)
    for step in range(arguments.steps):
        optimizer.zero_grad()
        loss = (powers @ weights - targets).square().mean()
        loss.backward()
        dist.all_reduce(weights.grad)
        weights.grad /= world_size
        optimizer.step()
        if rank == 0:
            print(f"{arguments.name}: step {step} loss {loss.item():.10f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
