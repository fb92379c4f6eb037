"""Fills the ``charts/`` folders of our charts with what their Chart.yaml files depend on; git ignores those folders."""

import fcntl
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from workbench.charts.kuberay import TEMPLATES, put_kuberay
from workbench.charts.sources import KUBERAY_CHART, UpstreamChart
from workbench.errors import WorkbenchError
from workbench.paths import ROOT, cache


def vendor(chart: Path = ROOT / "charts" / "trainyard", *, refresh: bool = False, kuberay: UpstreamChart = KUBERAY_CHART) -> list[str]:
    """Bring the dependencies of ``chart`` into its charts/ folder, those of its neighbours (``file://``) included.

    Args:
        chart: folder of the chart.
        refresh: make those anew that are there already.
        kuberay: the one chart of another project that a chart of ours may depend on.

    Returns:
        One sentence for each dependency that was made anew. Raises WorkbenchError.
    """
    (cache() / "charts").mkdir(parents=True, exist_ok=True)
    with (cache() / "charts" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _vendor(chart, refresh, kuberay)


def _vendor(chart: Path, refresh: bool, kuberay: UpstreamChart) -> list[str]:
    done: list[str] = []
    wanted = set()
    for dependency in _dependencies(chart):
        name, source = dependency["name"], dependency.get("repository", "")
        target, stamp = chart / "charts" / name, _stamp(chart, name)
        wanted |= {target, stamp}
        neighbour = None
        if source.startswith("file://"):
            neighbour = (chart / source.removeprefix("file://")).resolve()
            done += _vendor(neighbour, refresh, kuberay)
            _check_version(chart, dependency, neighbour)
            key = _digest(neighbour)
        elif (name, source.rstrip("/")) == (kuberay.name, kuberay.repository.rstrip("/")):
            if dependency["version"] != kuberay.version:
                raise WorkbenchError(
                    f"{chart.name}/Chart.yaml wants {name} {dependency['version']}, {kuberay.tool.folder}/go.mod builds {kuberay.version}:"
                    " the chart and the operator must be of one version, so change one of them"
                )
            key = f"{kuberay.version} {kuberay.archive_digest} {_digest(TEMPLATES)}"
        else:
            raise WorkbenchError(f"{chart.name}/Chart.yaml depends on {name} from {source!r}, which this script does not know how to bring")
        if refresh or not target.exists() or not stamp.exists() or stamp.read_text() != key:
            done.append(f"{chart.name}: {_replace(target, neighbour, kuberay)}")
            stamp.write_text(key)
    for left in set((chart / "charts").glob("*")) - wanted:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return done


def _stamp(chart: Path, dependency: str) -> Path:
    """What the vendored chart was made from, so that an unchanged one is left alone. Helm ignores what starts with a dot there."""
    return chart / "charts" / f".{dependency}.vendored"


def _replace(target: Path, neighbour: Path | None, kuberay: UpstreamChart) -> str:
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", dir=target.parent) as scratch:
        made = Path(scratch) / target.name
        if neighbour is None:
            sentence = put_kuberay(made, kuberay)
        else:
            shutil.copytree(neighbour, made)
            sentence = f"{target.name} from {neighbour.parent.name}/{neighbour.name}"
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    return sentence


def _dependencies(chart: Path) -> list[dict[str, Any]]:
    try:
        metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    except FileNotFoundError as error:
        raise WorkbenchError(f"{chart} is no chart: it has no Chart.yaml") from error
    found: list[dict[str, Any]] = metadata.get("dependencies") or []
    return found


def _check_version(chart: Path, dependency: dict[str, Any], neighbour: Path) -> None:
    actual = yaml.safe_load((neighbour / "Chart.yaml").read_text())["version"]
    if dependency["version"] != actual:
        raise WorkbenchError(
            f"{chart.name}/Chart.yaml wants {dependency['name']} {dependency['version']}, but that chart is {actual}: write {actual} there"
        )


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".vendored"):
        total.update(f"{path.relative_to(folder)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
