"""The umbrella's dependencies are brought into its charts/ folder once."""

import pytest

from tests.chart import rendering
from workbench.charts.vendor import vendor
from workbench.errors import WorkbenchError
from workbench.go_tools import HELM, build


@pytest.fixture(scope="session", autouse=True)
def vendored() -> None:
    """Helm, and the charts that the umbrella depends on."""
    try:
        build(HELM)
        vendor()
    except WorkbenchError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def default() -> rendering.Rendered:
    """The chart without any values."""
    return rendering.render()
