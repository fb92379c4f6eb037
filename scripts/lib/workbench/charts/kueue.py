"""The kueue chart, a release of its own: Helm keeps a release in one Secret of 1 MiB, too small for Kueue and KubeRay together."""

import shutil
import tempfile
from pathlib import Path

from workbench.charts.sources import KUEUE_CHART
from workbench.errors import WorkbenchError
from workbench.go_tools import module_folder
from workbench.paths import cache

#: The sources name images of the development branch; publishing replaces them with those of the release.
_DEVELOPMENT = "us-central1-docker.pkg.dev/k8s-staging-images/kueue/"
_RELEASED = "registry.k8s.io/kueue/"


def kueue_chart() -> Path:
    """The folder, in the cache, of the chart of the Kueue that images/kueue builds. Raises WorkbenchError."""
    folder = cache() / "charts" / f"{KUEUE_CHART.name}-{KUEUE_CHART.version}"
    if folder.exists():
        return folder
    source = module_folder(KUEUE_CHART.tool, KUEUE_CHART.module) / "charts" / "kueue"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "kueue"
        shutil.copytree(source, made, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("tests"))
        made.chmod(0o755)
        for path in made.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (made / "values.yaml").write_text(_with_released_images((made / "values.yaml").read_text()))
        # Another process may have been faster; its chart is the same.
        if not folder.exists():
            made.rename(folder)
    return folder


def _with_released_images(values: str) -> str:
    major, minor, _ = KUEUE_CHART.version.split(".")
    branch = f"tag: release-{major}.{minor}\n"
    if _DEVELOPMENT not in values or branch not in values:
        raise WorkbenchError("the values of kueue's chart no longer name the images this script replaces: adapt workbench/charts/kueue.py")
    return values.replace(_DEVELOPMENT, _RELEASED).replace(branch, f"tag: v{KUEUE_CHART.version}\n")
