"""A platform without processes: the controller is driven round by round."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import leading
from tests.support.leading import Leader, Yard


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    """An empty platform with four CPUs."""
    with leading.yard(tmp_path) as yard:
        yield yard


@pytest.fixture
def leader(yard: Yard) -> Leader:
    """Its controller."""
    return yard.lead()
