"""`tabular`: classification or regression on a table, by default scikit-learn's breast-cancer table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trainyard_templates.base import ReadyTemplate, TrainingParameters


class TabularParameters(TrainingParameters):
    """Hyper-parameters of the multi-layer perceptron."""

    epochs: int = Field(default=30, ge=1, le=100_000, title="Epochs", description="Passes over the training set.")
    batch_size: int = Field(default=32, ge=1, le=65536, title="Batch size", description="Samples per worker and step.")
    target: str | None = Field(default=None, max_length=500, title="Target column", description="Column to predict; empty: the last one.")
    task: Literal["auto", "classification", "regression"] = Field(
        default="auto", title="Task", description="auto: regression when the target is a floating-point column, otherwise classification."
    )
    hidden: list[Annotated[int, Field(ge=1, le=65536)]] = Field(
        default=[64, 32], max_length=20, title="Hidden layers", description="Units of each hidden layer."
    )
    dropout: float = Field(default=0.1, ge=0, lt=1, title="Dropout", description="After each hidden layer.")


class Tabular(ReadyTemplate):
    """The ready table trainer."""

    name = "tabular"
    title = "Tabular"
    description = (
        "Trains a multi-layer perceptron on a table. Without a data set: the 569 rows of scikit-learn's breast-cancer table. "
        "With one: a CSV or Parquet file; text columns become categories."
    )
    entry = "trainyard_train.ready.tabular:train"
    parameters = TabularParameters
