"""A ready trainer that is interrupted within an epoch and resumed in this process ends as one that was not: to the last bit."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import trainyard_train as ty
from trainyard_templates import get
from trainyard_train import api
from trainyard_train.checkpoint_queue import unsent
from trainyard_train.ready.image_classification import ImageClassifier, _shift
from trainyard_train.ready.training_loop import Problem, fit


class Interrupted(Exception):
    """Raised in the middle of a step."""


@pytest.fixture(autouse=True)
def one_thread(queue: Path) -> Iterator[None]:
    """As a worker with one CPU has it, in a process that is told of a job."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def train(config: dict[str, Any], *, interrupted_at: int | None = None) -> tuple[dict[str, Tensor], dict[str, float]]:
    """A small network with dropout, batch statistics and random shifts of its images: final weights and metrics.

    Everything random comes from the generators that a job seeds.
    """
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    images, labels = torch.rand(90, 1, 8, 8), torch.arange(90) % 3
    calls = 0

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        nonlocal calls
        calls += torch.is_grad_enabled()
        if calls == interrupted_at:
            raise Interrupted
        # Draws from NumPy's and Python's generators as a program of one's own might.
        return nn.functional.cross_entropy(outputs, targets) * (1 + 0.1 * np.random.rand() + 0.1 * random.random())

    model = ImageClassifier(1, 3, 4, 0.4, torch.zeros(1), torch.ones(1))
    problem = Problem(
        model=model,
        train=TensorDataset(images[:70], labels[:70]),
        validation=TensorDataset(images[70:], labels[70:]),
        loss=loss,
        sums=lambda outputs, targets: {"accuracy": (outputs.argmax(1) == targets).sum()},
        augment=_shift(8),
    )
    metrics = fit(problem, config)
    return {name: value.clone() for name, value in model.state_dict().items()}, metrics


@pytest.mark.parametrize(
    ("options", "interrupted_at", "step"),
    [
        ({"optimizer": "adamw", "schedule": "cosine", "checkpoint_every_steps": 4}, 16, 12),
        ({"optimizer": "sgd", "schedule": "one-cycle", "checkpoint_every_steps": 4}, 24, 20),
        ({"optimizer": "adam", "schedule": "step", "checkpoint_every": 1}, 12, 9),
        ({"optimizer": "adamw", "schedule": "constant", "checkpoint_every_steps": 9}, 20, 18),
    ],
    ids=["within an epoch", "before an epoch's last steps", "after an epoch", "by steps that end an epoch"],
)
def test_an_interrupted_run_ends_as_an_undisturbed_one(
    queue: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], interrupted_at: int, step: int
) -> None:
    kind = get("image-classification")
    parameters = {"epochs": 4, "batch_size": 8, "learning_rate": 0.01, "checkpoint_every": 0, **options}  # nine steps an epoch
    config = kind.render(kind.validate(parameters)).config
    weights, metrics = train(config)

    with pytest.raises(Interrupted):
        train(config, interrupted_at=interrupted_at)
    api.state_saver().wait()
    newest = shutil.copytree(unsent(queue)[-1] / "files", queue.parent / "resume")
    monkeypatch.setenv("TRAINYARD_RESUME_DIR", str(newest))
    monkeypatch.setenv("TRAINYARD_RESUME_STEP", str(step))
    resumed, resumed_metrics = train(config)

    assert torch.load(newest / "state.pt", weights_only=True)["position"]["step"] == step
    for name, value in weights.items():
        assert torch.equal(value, resumed[name]), f"{name} is not the same to the last bit"
    timing = "samples_per_second"
    assert {**metrics, timing: 0} == {**resumed_metrics, timing: 0}
    assert ty.resume_checkpoint() is not None
