"""Classification and regression on tables with a multi-layer perceptron."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import trainyard_train as ty
from trainyard_train.ready.sample_data import sample_file
from trainyard_train.ready.training_loop import Problem, evaluate, fit, split

#: What the breast-cancer table measures of each cell nucleus.
_OF_A_NUCLEUS = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)


@dataclass(frozen=True)
class Table:
    """Features (N, F), targets (N,), the features' names and the classes (None for regression)."""

    features: Tensor
    targets: Tensor
    names: list[str]
    classes: list[str] | None


def breast_cancer() -> pd.DataFrame:
    """The 569 rows of scikit-learn's breast-cancer table; the last column, `target`, is 0 (malignant) or 1 (benign)."""
    measures = [name.format(of) for name in ("mean {}", "{} error", "worst {}") for of in _OF_A_NUCLEUS]
    return pd.read_csv(sample_file("breast_cancer.csv"), skiprows=1, names=[*measures, "target"])


def read_table(path: Path) -> pd.DataFrame:
    """A CSV or Parquet file.

    Raises:
        ValueError: another kind of file.
    """
    if path.suffix in (".csv", ".gz"):
        return pd.read_csv(path)
    if path.suffix in (".parquet", ".pq"):
        return pd.read_parquet(path)
    raise ValueError(f"{path.name}: a table is a .csv or a .parquet file")


def prepare(frame: pd.DataFrame, target: str | None, task: str) -> Table:
    """Numbers from a table: text becomes one column per category (at most 100), gaps become the column's median.

    Raises:
        ValueError: the target is not a column, or the table is too small.
    """
    name = str(frame.columns[-1]) if target is None else target
    if name not in frame.columns:
        raise ValueError(f"target: the table has no column {name!r}; it has {', '.join(map(str, frame.columns[:20]))}")
    frame = frame.dropna(subset=[name])
    if len(frame) < 10:
        raise ValueError(f"the table has {len(frame)} rows with a target; at least 10 are needed")
    goal, rest = frame[name], frame.drop(columns=[name])
    if task == "auto":
        task = "regression" if pd.api.types.is_float_dtype(goal) else "classification"
    text = [
        column
        for column in rest.columns
        if not pd.api.types.is_numeric_dtype(rest[column]) and not pd.api.types.is_bool_dtype(rest[column])
    ]
    wide = [column for column in text if rest[column].nunique() > 100]
    numbers = pd.get_dummies(rest.drop(columns=wide), columns=[column for column in text if column not in wide], dtype=float).astype(
        "float32"
    )
    numbers = numbers.fillna(numbers.median()).fillna(0.0)
    features = torch.from_numpy(numbers.to_numpy(copy=True))
    names = [str(column) for column in numbers.columns]
    if task == "regression":
        return Table(features, torch.tensor(goal.to_numpy(dtype="float32", copy=True)), names, None)
    codes, classes = pd.factorize(goal, sort=True)
    return Table(features, torch.from_numpy(codes.astype("int64")), names, [str(value) for value in classes])


class TabularModel(nn.Module):
    """Features (N, F) to logits (N, classes), or to values (N,) for regression, in the targets' own units."""

    mean: Tensor
    std: Tensor
    goal_mean: Tensor
    goal_std: Tensor

    def __init__(self, table: Table, index: Tensor, hidden: list[int], dropout: float) -> None:
        super().__init__()
        self.regression = table.classes is None
        features = table.features[index]
        self.register_buffer("mean", features.mean(0))
        self.register_buffer("std", features.std(0).clamp_min(1e-6))
        goal = table.targets[index].float() if self.regression else torch.zeros(2)
        self.register_buffer("goal_mean", goal.mean())
        self.register_buffer("goal_std", goal.std().clamp_min(1e-6) if self.regression else torch.ones(()))
        layers: list[nn.Module] = []
        width = features.shape[1]
        for units in hidden:
            layers += [nn.Linear(width, units), nn.ReLU(), nn.Dropout(dropout)]
            width = units
        self.layers = nn.Sequential(*layers, nn.Linear(width, 1 if table.classes is None else len(table.classes)))

    def forward(self, features: Tensor) -> Tensor:
        """Logits or values."""
        outputs: Tensor = self.layers((features - self.mean) / self.std)
        return outputs.squeeze(1) * self.goal_std + self.goal_mean if self.regression else outputs


def _sums(table: Table) -> Any:
    if table.classes is None:
        return lambda outputs, targets: {
            "squared_error": (outputs - targets).square().sum(),
            "absolute_error": (outputs - targets).abs().sum(),
        }
    return lambda outputs, targets: {"accuracy": (outputs.argmax(1) == targets).sum()}


def train(config: dict[str, Any]) -> None:
    """Entry of the `tabular` template."""
    path = ty.data_path()
    table = prepare(breast_cancer() if path is None else read_table(path), config["target"], config["task"])
    rest, test = split(len(table.features), config["test_fraction"])
    inner, validation = split(len(rest), 0.1, seed=1)
    inner, validation = rest[inner], rest[validation]
    model = TabularModel(table, inner, config["hidden"], config["dropout"])
    variance = model.goal_std.square()

    def scaled_error(outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets) / variance.to(outputs.device)

    problem = Problem(
        model=model,
        train=TensorDataset(table.features[inner], table.targets[inner]),
        validation=TensorDataset(table.features[validation], table.targets[validation]),
        loss=scaled_error if table.classes is None else nn.functional.cross_entropy,
        sums=_sums(table),
    )
    metrics = fit(problem, config)
    metrics |= evaluate(problem, model, TensorDataset(table.features[test], table.targets[test]), "test")
    figures = {key: value for key, value in metrics.items() if key.startswith("test_")}
    if table.classes is None:
        spread = float(table.targets[test].var(unbiased=False))
        figures["test_r2"] = 1 - figures["test_squared_error"] / max(spread, 1e-12)
    if ty.rank() == 0:
        print(" ".join(f"{key} {value:.4f}" for key, value in figures.items()), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            about = Path(folder) / "table.json"
            about.write_text(json.dumps({"features": table.names, "classes": table.classes}))
            ty.log_model(model, input_example=table.features[test][:4].numpy(), metrics=figures, extra_files=[str(about)])
