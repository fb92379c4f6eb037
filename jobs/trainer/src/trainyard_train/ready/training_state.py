"""Everything that the next step of a ready trainer depends on: saved and restored so that a resumed run goes on as if undisturbed."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import trainyard_train as ty
from trainyard_train.state_saver import STATE_FILE


@dataclass
class Position:
    """Where a run is: epochs done, steps done, and within the epoch the batches, samples and sum of losses of this rank."""

    epoch: int = 0
    step: int = 0
    batch: int = 0
    seen: int = 0
    loss_sum: float = 0.0


@dataclass(frozen=True)
class Training:
    """What a step changes."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler

    def step(self, loss: Tensor) -> None:
        """One optimizer step."""
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.schedule.step()

    def save(self, at: Position, metrics: dict[str, float]) -> None:
        """Report metrics and a checkpoint; every rank must call it."""
        ranks = _from_every_rank({"random": random_state(), "loss_sum": at.loss_sum, "seen": at.seen})
        if ty.rank() != 0:
            ty.report(metrics, step=at.step)
            return
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "position": asdict(at),
            "ranks": ranks,
        }
        ty.report(metrics, step=at.step, checkpoint=state)

    def resume(self, device: torch.device) -> Position:
        """Restore the checkpoint, when there is one; where it was saved."""
        checkpoint = ty.resume_checkpoint()
        if checkpoint is None:
            return Position()
        state = torch.load(checkpoint.path / STATE_FILE, map_location="cpu", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        at = Position(**state["position"])
        if len(state["ranks"]) == ty.world_size():
            own = state["ranks"][ty.rank()]
            at.loss_sum, at.seen = own["loss_sum"], own["seen"]
            restore_random_state(own["random"], device)
        elif at.batch:  # the epoch was shared out among another number of ranks: it starts again
            at = Position(at.epoch, at.step)
        if ty.rank() == 0:
            within = f" and {at.batch} batches" if at.batch else ""
            print(f"resuming after epoch {at.epoch}{within} (step {at.step})", flush=True)
        return at


def _from_every_rank(own: dict[str, Any]) -> list[dict[str, Any]]:
    """What each rank gives, on rank 0; nothing on the others."""
    if not torch.distributed.is_initialized():
        return [own]
    gathered: list[Any] | None = [None] * ty.world_size() if ty.rank() == 0 else None
    torch.distributed.gather_object(own, gathered)
    return gathered or []


def random_state() -> dict[str, Any]:
    """The state of all random generators of this process: torch's, NumPy's and Python's; of types that torch.load takes unasked."""
    version, words, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "python": (version, words, gauss),
        "numpy": (str(name), torch.from_numpy(np.asarray(keys, dtype=np.int64)), int(position), int(has_gauss), float(cached)),
    }


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put all random generators of this process back."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))
