"""The training loop that the ready trainers share: DDP, a sampler per epoch, mixed precision, schedules, checkpoints."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, TensorDataset

import trainyard_train as ty

#: From model outputs and targets of a batch to sums over its samples, for instance {"correct": 31.0}.
Sums = Callable[[Tensor, Tensor], dict[str, Tensor]]


@dataclass(frozen=True)
class Problem:
    """What to learn. `loss` is a mean over the batch; `sums` are divided by the sample count of the split to give metrics."""

    model: nn.Module
    train: TensorDataset
    validation: TensorDataset
    loss: Callable[[Tensor, Tensor], Tensor]
    sums: Sums
    augment: Callable[[Tensor], Tensor] | None = None


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


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """The reduced type to compute in, or None for fp32."""
    if precision == "auto":
        if device.type != "cuda":
            return None
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def batches(dataset: TensorDataset, sampler: DistributedSampler[Any], batch_size: int) -> DataLoader[Any]:
    """Whole batches by index list: one gather per batch instead of one per sample."""
    return DataLoader(dataset, sampler=BatchSampler(sampler, batch_size, drop_last=False), batch_size=None)


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


@contextlib.contextmanager
def _checkpoint(state: dict[str, Any], wanted: bool) -> Iterator[str | None]:
    """A folder with the state in it, on rank 0."""
    if not wanted or ty.rank() != 0:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.save(state, Path(folder) / "state.pt")
        yield folder


def fit(problem: Problem, config: dict[str, Any]) -> dict[str, float]:
    """Train for the epochs that the parameters ask for, resuming where an earlier attempt stopped; the last epoch's metrics
    (none when every epoch was done before)."""
    ty.init_distributed()
    device = ty.device()
    model = problem.model.to(device)
    wrapped: nn.Module = model
    if ty.world_size() > 1:
        wrapped = DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)
    sampler: DistributedSampler[Any] = DistributedSampler(problem.train, num_replicas=ty.world_size(), rank=ty.rank(), shuffle=True)
    loader = batches(problem.train, sampler, config["batch_size"])
    optimizer = make_optimizer(model, config)
    schedule = make_schedule(optimizer, config, config["epochs"] * len(loader))
    dtype = autocast_dtype(config["precision"], device)
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16 and device.type == "cuda")
    first, step = _resume(model, optimizer, schedule, device)
    metrics: dict[str, float] = {}
    for epoch in range(first, config["epochs"]):
        sampler.set_epoch(epoch)
        wrapped.train()
        started, seen, loss_sum = time.perf_counter(), 0, torch.zeros((), device=device)
        for inputs, targets in loader:
            inputs, targets = inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)
            if problem.augment is not None:
                inputs = problem.augment(inputs)
            with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
                loss = problem.loss(wrapped(inputs), targets)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            scaler.step(optimizer)
            scaler.update()
            schedule.step()
            step += 1
            seen += len(inputs)
            loss_sum += loss.detach() * len(inputs)
        seconds = time.perf_counter() - started
        metrics = {
            "train_loss": float(loss_sum) / max(1, seen),
            "learning_rate": float(schedule.get_last_lr()[0]),
            "samples_per_second": seen * ty.world_size() / seconds,
            "epoch": epoch + 1.0,
            **evaluate(problem, model, problem.validation, "validation"),
        }
        every = config["checkpoint_every"]
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "epoch": epoch + 1,
            "step": step,
        }
        with _checkpoint(state, wanted=bool(every) and (epoch + 1) % every == 0) as folder:
            ty.report(metrics, step=step, checkpoint=folder)
        if ty.rank() == 0:
            shown = " ".join(f"{key} {value:.4f}" for key, value in metrics.items() if key not in ("epoch", "learning_rate"))
            print(f"epoch {epoch + 1}/{config['epochs']} {shown}", flush=True)
    return metrics


def _resume(
    model: nn.Module, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler, device: torch.device
) -> tuple[int, int]:
    """Load the checkpoint, when there is one; (epochs done, steps done)."""
    checkpoint = ty.resume_checkpoint()
    if checkpoint is None:
        return 0, 0
    state = torch.load(checkpoint.path / "state.pt", map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    if ty.rank() == 0:
        print(f"resuming after epoch {state['epoch']} (step {state['step']})", flush=True)
    return int(state["epoch"]), int(state["step"])
