"""Blocks of equally many steps of a model whose state is about 200 MB, each kind in turn: `checkpoint_blocks.py ROUNDS STEPS STORE`.

At the start of a block of the kind "reported" the state is given to Trainyard's `report`; of the kind "synchronous" it is written
by `torch.save` and uploaded to STORE (JSON: bucket and the S3 client's arguments), as a program does by itself; of the kind "none"
nothing is saved.
Prints for each block `block KIND SECONDS BLOCKED`, in seconds, BLOCKED being what the saving took of the training's time.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import boto3
import torch
from torch import nn

import trainyard_train as ty

KINDS = ("none", "reported", "synchronous")
rounds, steps, store = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
bucket = store.pop("bucket")
s3 = boto3.client("s3", **store)
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(7000, 7000, bias=False), nn.ReLU(), nn.Linear(7000, 100))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
inputs, targets = torch.randn(8, 7000), torch.randint(0, 100, (8,))
done = 0


def state() -> dict:
    return {"step": done, "model": model.state_dict(), "optimizer": optimizer.state_dict()}


def save(kind: str) -> None:
    if kind == "reported":
        ty.report({"loss": 0.0}, step=done, checkpoint=state())
    elif kind == "synchronous":
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "state.pt"
            torch.save(state(), path)
            s3.upload_file(str(path), bucket, "peer/state.pt")


def train(count: int) -> None:
    global done
    for _ in range(count):
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(inputs), targets).backward()
        optimizer.step()
        done += 1


train(5)
for kind in KINDS:  # what only the first one pays: connections, imports
    save(kind)
    train(steps)
for number in range(rounds):
    for kind in KINDS if number % 2 == 0 else reversed(KINDS):
        begun = time.perf_counter()
        save(kind)
        blocked = time.perf_counter() - begun
        train(steps)
        print(f"block {kind} {time.perf_counter() - begun:.4f} {blocked:.4f}", flush=True)
