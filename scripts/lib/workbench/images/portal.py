"""The portal's build, which the frontend image serves."""

import subprocess
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.images.dockerfile import files_below
from workbench.paths import ROOT, digest

_SOURCES = ROOT / "services/frontend"
_SCRIPT = ROOT / "scripts/portal"
#: Below services/frontend: not inputs of the build.
_OUTPUTS = {"dist", "coverage", "test-results", "playwright-report"}


class Portal:
    """services/frontend, built by scripts/portal."""

    @property
    def key(self) -> str:
        """Changes whenever the portal's build would. Raises WorkbenchError where there is no portal."""
        if not (_SOURCES / "package-lock.json").exists() or not _SCRIPT.exists():
            raise WorkbenchError(
                "the frontend image needs services/frontend/package-lock.json and scripts/portal, which this checkout lacks"
            )
        found = [path for path in files_below(_SOURCES) if path.relative_to(_SOURCES).parts[0] not in _OUTPUTS]
        files = [path for path in found if ".test." not in path.name]
        return digest([*files, _SCRIPT])

    def build(self) -> Path:
        """Build the portal; the folder that has its index.html. Raises WorkbenchError."""
        done = subprocess.run([_SCRIPT], stdout=subprocess.PIPE, text=True)
        lines = done.stdout.strip().splitlines()
        if done.returncode or not lines or not (Path(lines[-1]) / "index.html").is_file():
            raise WorkbenchError("./scripts/portal did not build the portal, which the frontend image serves; its messages are above")
        return Path(lines[-1])
