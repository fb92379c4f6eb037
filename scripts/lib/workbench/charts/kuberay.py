"""The kuberay-operator chart: as published, or assembled from the operator's own module where the publisher cannot be reached."""

import shutil
import tarfile
import tempfile
from pathlib import Path

import yaml

from workbench.charts.published import NotPublished, fetch
from workbench.charts.sources import KUBERAY_CHART, UpstreamChart
from workbench.errors import WorkbenchError
from workbench.go_tools import module_folder

#: Templates and values of the assembled chart; roles and CRDs are the operator's.
TEMPLATES = Path(__file__).parent / "kuberay_operator"


def put_kuberay(folder: Path, chart: UpstreamChart = KUBERAY_CHART) -> str:
    """Make ``folder``, which must not exist, the kuberay-operator chart; one sentence on where it came from. Raises WorkbenchError."""
    try:
        archive = fetch(chart)
    except NotPublished as reason:
        assemble(folder, chart)
        return f"{chart.name} {chart.version} assembled from {_origin(chart)}, because {reason}"
    with tempfile.TemporaryDirectory(prefix=".", dir=folder.parent) as scratch:
        with tarfile.open(archive) as bundle:
            bundle.extractall(scratch, filter="data")
        (Path(scratch) / chart.name).rename(folder)
    return f"{chart.name} {chart.version} as published in {chart.repository}"


def assemble(folder: Path, chart: UpstreamChart = KUBERAY_CHART) -> None:
    """Write a chart of the published one's name, version and value names to ``folder``, which must not exist. Raises WorkbenchError."""
    config = module_folder(chart.tool, chart.module) / "config"
    shutil.copytree(TEMPLATES, folder)
    metadata = {
        "apiVersion": "v2",
        "name": chart.name,
        "version": chart.version,
        "appVersion": f"v{chart.version}",
        "type": "application",
        "description": f"The KubeRay operator, assembled from {_origin(chart)}, with the value names of the published chart",
        "home": "https://github.com/ray-project/kuberay",
    }
    (folder / "Chart.yaml").write_text(yaml.safe_dump(metadata, sort_keys=False, width=200))
    _copy(sorted((config / "crd" / "bases").glob("*.yaml")), folder / "crds")
    _copy([config / "rbac" / "role.yaml", config / "rbac" / "leader_election_role.yaml"], folder / "files")


def _copy(files: list[Path], folder: Path) -> None:
    folder.mkdir()
    if not files:
        raise WorkbenchError(f"this version of the operator's module has no {folder.name}: adapt workbench/charts/kuberay.py")
    for file in files:
        # By content: the module cache is read-only, and a copy's mode must not be.
        (folder / file.name).write_bytes(file.read_bytes())


def _origin(chart: UpstreamChart) -> str:
    return f"{chart.module}@v{chart.version}"
