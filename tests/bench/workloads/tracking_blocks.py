"""Blocks of equally many training steps, every other with ten metrics reported in each step: `tracking_blocks.py ROUNDS STEPS`.

Prints for each block `block KIND SECONDS REPORTING`, KIND being "tracked" or "plain" and REPORTING the seconds inside `report`.
"""

import sys
import time

import torch
from torch import nn

import trainyard_train as ty

METRICS = 10
rounds, steps = int(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(6272, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
inputs, targets = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
done = 0


def train(count: int, tracked: bool) -> float:
    global done
    reporting = 0.0
    for _ in range(count):
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(inputs), targets)
        loss.backward()
        optimizer.step()
        done += 1
        value = loss.item()  # in both: who prints the loss has waited for it too
        if tracked:
            begun = time.perf_counter()
            ty.report({f"figure/{number}": value + number for number in range(METRICS)}, step=done)
            reporting += time.perf_counter() - begun
    return reporting


train(steps, True)
train(steps, False)
for number in range(rounds):
    for tracked in (False, True) if number % 2 == 0 else (True, False):
        begun = time.perf_counter()
        reporting = train(steps, tracked)
        print(f"block {'tracked' if tracked else 'plain'} {time.perf_counter() - begun:.4f} {reporting:.5f}", flush=True)
