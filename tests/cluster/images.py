"""The images that the tests run, in the cluster's registry."""

import subprocess
import sys

from workbench.images.catalogue import IMAGES
from workbench.paths import ROOT


def push_images(*names: str) -> dict[str, tuple[str, str]]:
    """Name to repository and tag (the input key); built and pushed where that has not been done."""
    subprocess.run([ROOT / "scripts/images", "push", *names], check=True, stdout=sys.stderr)
    split = {name: IMAGES[name].reference.rpartition(":") for name in names}
    return {name: (repository, tag) for name, (repository, _, tag) in split.items()}
