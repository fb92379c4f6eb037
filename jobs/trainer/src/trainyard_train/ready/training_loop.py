"""The training loop that the ready trainers share: DDP, a sampler per epoch, schedules."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler, TensorDataset

import trainyard_train as ty
from trainyard_train.ready.computing import Computing
from trainyard_train.ready.training_state import Position, Training

#: From model outputs and targets of a batch to sums over its samples, for instance {"correct": 31.0}.
Sums = Callable[[Tensor, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Problem:
    """What to learn. `loss` is a mean over the batch; `sums` are divided by the sample count of the split to give metrics.

    ``channels_last`` is for models of images (N, C, H, W), whose convolutions are faster in that layout on CPUs and GPUs.
    """

    model: nn.Module
    train: TensorDataset
    validation: TensorDataset
    loss: Callable[[Tensor, Tensor], Tensor]
    sums: Sums
    augment: Callable[[Tensor], Tensor] | None = None
    channels_last: bool = False


def split(count: int, fraction: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Indices of a random split: (the rest, a part of ``fraction``), the same on every rank."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    held_out = min(count - 1, max(1, round(count * fraction)))
    return order[held_out:], order[:held_out]


def make_optimizer(model: nn.Module, config: dict[str, Any]) -> torch.optim.Optimizer:
    """The optimizer that the parameters name."""
    rate, decay = config["learning_rate"], config["weight_decay"]
    if config["optimizer"] == "adamw":
        return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    if config["optimizer"] == "adam":
        return torch.optim.Adam(model.parameters(), lr=rate, weight_decay=decay)
    return torch.optim.SGD(model.parameters(), lr=rate, weight_decay=decay, momentum=0.9, nesterov=True)


def make_schedule(optimizer: torch.optim.Optimizer, config: dict[str, Any], steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning-rate schedule over ``steps`` optimizer steps."""
    schedules = torch.optim.lr_scheduler
    if config["schedule"] == "cosine":
        return schedules.CosineAnnealingLR(optimizer, T_max=steps)
    if config["schedule"] == "one-cycle":
        return schedules.OneCycleLR(optimizer, max_lr=config["learning_rate"], total_steps=steps + 1)
    if config["schedule"] == "step":
        return schedules.MultiStepLR(optimizer, milestones=[steps // 2, steps * 3 // 4])
    return schedules.ConstantLR(optimizer, factor=1.0)


def batches(dataset: TensorDataset, sampler: DistributedSampler[Any], batch_size: int, skip: int) -> Iterator[tuple[Tensor, ...]]:
    """This rank's batches of an epoch from number ``skip`` on: one gather per batch, and no draw from the random generators."""
    for index in torch.split(torch.tensor(list(sampler)), batch_size)[skip:]:
        yield dataset[index]


@torch.inference_mode()
def evaluate(problem: Problem, model: nn.Module, dataset: TensorDataset, prefix: str, batch_size: int = 512) -> dict[str, float]:
    """Loss and metrics over a whole data set, each rank its share, added up over the ranks."""
    device = next(model.parameters()).device
    model.eval()
    if torch.distributed.is_initialized():
        for buffer in model.buffers():  # every rank kept its own running statistics; rank 0's are the ones that are saved
            torch.distributed.broadcast(buffer, src=0)
    totals: dict[str, Tensor] = {"loss": torch.zeros((), dtype=torch.float64), "count": torch.zeros((), dtype=torch.float64)}
    own = torch.arange(ty.rank(), len(dataset), ty.world_size())
    for index in torch.split(own, batch_size):
        inputs, targets = (tensor.to(device) for tensor in dataset[index])
        outputs = model(inputs)
        figures = {"loss": problem.loss(outputs, targets) * len(index), "count": torch.tensor(len(index)), **problem.sums(outputs, targets)}
        for key, value in figures.items():
            totals[key] = totals.get(key, torch.zeros((), dtype=torch.float64)) + value.double().cpu()
    if torch.distributed.is_initialized():
        keys = sorted(totals)  # every split has at least as many samples as there are ranks, so the keys agree
        packed = torch.stack([totals[key] for key in keys]).to(device)
        torch.distributed.all_reduce(packed)
        totals = dict(zip(keys, packed.cpu(), strict=True))
    count = float(totals.pop("count"))
    return {f"{prefix}_{key}": float(value) / max(1.0, count) for key, value in totals.items()}


def fit(problem: Problem, config: dict[str, Any]) -> dict[str, float]:
    """Train for the epochs that the parameters ask for, resuming where an earlier attempt stopped; the last epoch's metrics
    (none when every epoch was done before)."""
    ty.init_distributed()
    device = ty.device()
    computing = Computing.choose(device, config["precision"], channels_last=problem.channels_last)
    model = computing.model(problem.model)
    train = computing.data(problem.train)
    wrapped: nn.Module = model
    if ty.world_size() > 1:
        wrapped = DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
    sampler: DistributedSampler[Any] = DistributedSampler(train, num_replicas=ty.world_size(), rank=ty.rank(), shuffle=True)
    steps = math.ceil(len(sampler) / config["batch_size"])
    optimizer = make_optimizer(model, config)
    training = Training(
        model,
        optimizer,
        make_schedule(optimizer, config, config["epochs"] * steps),
        torch.amp.GradScaler(device.type, enabled=computing.dtype is torch.float16 and device.type == "cuda"),
    )
    if ty.rank() == 0:
        print(computing, flush=True)
    at = training.resume(device)
    metrics: dict[str, float] = {}
    while at.epoch < config["epochs"]:
        sampler.set_epoch(at.epoch)
        wrapped.train()
        started, seen_before, loss_sum = time.perf_counter(), at.seen, torch.tensor(at.loss_sum, device=device)
        for batch in batches(train, sampler, config["batch_size"], at.batch):
            inputs, targets = (computing.moved(tensor) for tensor in batch)
            if problem.augment is not None:
                inputs = problem.augment(inputs)
            with computing.autocast():
                loss = problem.loss(wrapped(computing.laid_out(inputs)), targets)
            training.step(loss)
            at.step, at.batch, at.seen = at.step + 1, at.batch + 1, at.seen + len(inputs)
            loss_sum += loss.detach() * len(inputs)
            if is_due(at.step, config["checkpoint_every_steps"]) and at.batch < steps:
                at.loss_sum = float(loss_sum)
                training.save(at, {})
        seconds = time.perf_counter() - started
        metrics = {
            "train_loss": float(loss_sum) / max(1, at.seen),
            "learning_rate": float(training.schedule.get_last_lr()[0]),
            "samples_per_second": (at.seen - seen_before) * ty.world_size() / seconds,
            "epoch": at.epoch + 1.0,
            **evaluate(problem, model, problem.validation, "validation"),
        }
        at = Position(at.epoch + 1, at.step)
        if is_due(at.epoch, config["checkpoint_every"]) or is_due(at.step, config["checkpoint_every_steps"]):
            training.save(at, metrics)
        else:
            ty.report(metrics, step=at.step)
        if ty.rank() == 0:
            shown = " ".join(f"{key} {value:.4f}" for key, value in metrics.items() if key not in ("epoch", "learning_rate"))
            print(f"epoch {at.epoch}/{config['epochs']} {shown}", flush=True)
    return metrics


def is_due(number: int, every: int) -> bool:
    """Whether this epoch or step is one after which a checkpoint is saved."""
    return every > 0 and number % every == 0
