"""The small data sets inside scikit-learn, read from its files: importing it takes longer than an epoch on them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


def sample_file(name: str) -> Path:
    """A file of ``sklearn.datasets``. Raises ModuleNotFoundError where scikit-learn is not installed."""
    package = find_spec("sklearn")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("the default data set is one inside scikit-learn, which is not installed; give a data set")
    return Path(package.submodule_search_locations[0]) / "datasets" / "data" / name
