"""Image classification with a small residual convolutional network."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import trainyard_train as ty
from trainyard_train.ready.sample_data import sample_file
from trainyard_train.ready.training_loop import Problem, evaluate, fit, split

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp"}


def digits() -> tuple[Tensor, Tensor, list[str]]:
    """The handwritten digits inside scikit-learn: images (1797, 1, 8, 8) in 0..1, labels (1797,), class names."""
    table = np.loadtxt(sample_file("digits.csv.gz"), delimiter=",")
    images = torch.tensor(table[:, :-1], dtype=torch.float32).reshape(-1, 1, 8, 8) / 16
    return images, torch.tensor(table[:, -1], dtype=torch.int64), [str(digit) for digit in range(10)]


def load_images(path: Path, image_size: int) -> tuple[Tensor, Tensor, list[str]]:
    """Images (N, C, H, W) in 0..1, labels (N,) and class names from an .npz with x and y, or a .zip with a folder of images per class.

    Raises:
        ValueError: the file is neither, or its arrays do not fit together.
    """
    if path.suffix == ".npz":
        return _from_arrays(path)
    if path.suffix == ".zip":
        return _from_folders(path, image_size)
    raise ValueError(f"{path.name}: an image data set is an .npz with arrays x and y, or a .zip with a folder of images per class")


def _from_arrays(path: Path) -> tuple[Tensor, Tensor, list[str]]:
    with np.load(path, allow_pickle=False) as arrays:
        if not {"x", "y"} <= set(arrays.files):
            raise ValueError(f"{path.name} has arrays {', '.join(arrays.files)}; x (images) and y (labels) are needed")
        x, y = arrays["x"], arrays["y"]
    if len(x) != len(y) or x.ndim not in (3, 4):
        raise ValueError(f"{path.name}: x has shape {x.shape} and y {y.shape}; x must be (N, H, W) or (N, H, W, C) and y (N,)")
    classes, labels = np.unique(y, return_inverse=True)
    images = torch.from_numpy(x.astype(np.float32))
    images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2).contiguous()
    if x.dtype == np.uint8:
        images = images / 255
    return images, torch.from_numpy(labels.astype(np.int64)), [str(name) for name in classes]


def _from_folders(path: Path, size: int) -> tuple[Tensor, Tensor, list[str]]:
    from PIL import Image

    with zipfile.ZipFile(path) as bundle:
        files = [PurePosixPath(name) for name in bundle.namelist()]
        files = sorted(
            file for file in files if file.suffix.lower() in IMAGE_SUFFIXES and len(file.parts) >= 2 and not file.name.startswith(".")
        )
        classes = sorted({file.parent.name for file in files})
        if len(classes) < 2:
            raise ValueError(f"{path.name} has images of {len(classes)} classes; put each class's images into a folder of its own")
        images = np.empty((len(files), size, size, 3), dtype=np.float32)
        for index, file in enumerate(files):
            with bundle.open(str(file)) as stream, Image.open(stream) as image:
                images[index] = np.asarray(image.convert("RGB").resize((size, size)), dtype=np.float32) / 255
    labels = torch.tensor([classes.index(file.parent.name) for file in files])
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), labels, classes


class _Block(nn.Module):
    """Two 3x3 convolutions with a residual connection."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """(N, width, H, W) to the same."""
        return torch.relu(inputs + self.body(inputs))


class ImageClassifier(nn.Module):
    """Images (N, C, H, W) in 0..1 to logits (N, classes); normalises with the training set's mean and deviation."""

    mean: Tensor
    std: Tensor

    def __init__(self, channels: int, classes: int, width: int, dropout: float, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean.reshape(1, channels, 1, 1))
        self.register_buffer("std", std.reshape(1, channels, 1, 1))
        self.layers = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _Block(width),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            _Block(2 * width),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(8 * width, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        logits: Tensor = self.layers((images - self.mean) / self.std)
        return logits


def _shift(size: int) -> Callable[[Tensor], Tensor]:
    """Moves every image by up to an eighth of its side, each its own way."""
    reach = max(1, size // 8)

    def augment(images: Tensor) -> Tensor:
        count, _, height, width = images.shape
        padded = nn.functional.pad(images, (reach, reach, reach, reach))
        down = torch.randint(0, 2 * reach + 1, (count, 1), device=images.device) + torch.arange(height, device=images.device)
        right = torch.randint(0, 2 * reach + 1, (count, 1), device=images.device) + torch.arange(width, device=images.device)
        sample = torch.arange(count, device=images.device)[:, None, None]
        moved = padded.permute(0, 2, 3, 1)[sample, down[:, :, None], right[:, None, :]]
        return moved.permute(0, 3, 1, 2)

    return augment


def _correct(outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
    return {"accuracy": (outputs.argmax(1) == targets).sum()}


def train(config: dict[str, Any]) -> None:
    """Entry of the `image-classification` template."""
    path = ty.data_path()
    images, labels, classes = digits() if path is None else load_images(path, config["image_size"])
    rest, test = split(len(images), config["test_fraction"])
    train_index, validation = split(len(rest), 0.1, seed=1)
    train_index, validation = rest[train_index], rest[validation]
    mean = images[train_index].mean((0, 2, 3))
    std = images[train_index].std((0, 2, 3)).clamp_min(1e-6)
    problem = Problem(
        model=ImageClassifier(images.shape[1], len(classes), config["width"], config["dropout"], mean, std),
        train=TensorDataset(images[train_index], labels[train_index]),
        validation=TensorDataset(images[validation], labels[validation]),
        loss=nn.functional.cross_entropy,
        sums=_correct,
        augment=_shift(images.shape[-1]),
        channels_last=True,
    )
    metrics = fit(problem, config)
    metrics |= evaluate(problem, problem.model, TensorDataset(images[test], labels[test]), "test")
    figures = {key: value for key, value in metrics.items() if key.startswith("test_")}
    if ty.rank() == 0:
        print(f"test accuracy {metrics['test_accuracy']:.4f} on {len(test)} images", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            names = Path(folder) / "classes.json"
            names.write_text(json.dumps(classes))
            ty.log_model(problem.model, input_example=images[test][:4].numpy(), metrics=figures, extra_files=[str(names)])
