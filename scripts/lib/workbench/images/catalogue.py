"""The images: what each is made of, and the key that changes when it would."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workbench import go_tools
from workbench.errors import WorkbenchError
from workbench.go_tools import GoTool
from workbench.images.dockerfile import Dockerfile, files_below
from workbench.images.portal import Portal
from workbench.paths import ROOT, digest

REGISTRY = "localhost:5001"
BASE = "debian:trixie-slim"


@dataclass(frozen=True)
class Image:
    """One image. ``tag_suffix`` tells the variants of one repository apart."""

    name: str
    folder: str
    arguments: tuple[tuple[str, str], ...] = ()
    tag_suffix: str = ""
    #: Handed in as the build context "programs".
    tool: GoTool | None = None
    #: Handed in as the build context "portal".
    portal: Portal | None = None
    #: Whether `build` without names makes it.
    default: bool = True

    @property
    def path(self) -> Path:
        """Its Dockerfile."""
        return ROOT / "images" / self.folder / "Dockerfile"

    @cached_property
    def dockerfile(self) -> Dockerfile:
        """Its Dockerfile, read."""
        return Dockerfile.parse(self.path.read_text())

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits over everything that the image is made of. Raises WorkbenchError when something is missing."""
        files = [self.path]
        for path in self.dockerfile.copied(dict(self.arguments)):
            files += files_below(ROOT / path)
        handed_in = [part.key for part in (self.tool, self.portal) if part is not None]
        return digest(files, BASE, version(), *handed_in, *(f"{name}={value}" for name, value in self.arguments))

    @property
    def repository(self) -> str:
        """Registry and repository, without a tag."""
        return f"{REGISTRY}/trainyard/{self.folder}"

    @property
    def reference(self) -> str:
        """Its name by key: what the tests and an installation from a checkout use."""
        return f"{self.repository}:{self.key}{self.tag_suffix}"

    @property
    def version_reference(self) -> str:
        """Its name by the project's version."""
        return f"{self.repository}:{version()}{self.tag_suffix}"

    @property
    def contexts(self) -> dict[str, Callable[[], Path]]:
        """Named build contexts; each call makes the folder where it is missing."""
        found: dict[str, Callable[[], Path]] = {}
        if self.tool is not None:
            tool = self.tool
            found["programs"] = lambda: next(iter(go_tools.build(tool).values())).parent
        if self.portal is not None:
            found["portal"] = self.portal.build
        return found


def version() -> str:
    """The project's version."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "services/api/pyproject.toml").read_text(), re.MULTILINE)
    if found is None:
        raise WorkbenchError('services/api/pyproject.toml has no line version = "..."')
    return found.group(1)


IMAGES = {
    image.name: image
    for image in (
        Image("api", "api"),
        Image("frontend", "frontend", portal=Portal()),
        Image("mlflow", "mlflow"),
        Image("trainer-cpu", "trainer", arguments=(("VARIANT", "cpu"), ("USE_LIBUV", "0")), tag_suffix="-cpu"),
        Image("trainer-cuda", "trainer", arguments=(("VARIANT", "cuda"), ("USE_LIBUV", "1")), tag_suffix="-cuda", default=False),
        Image("postgres", "postgres"),
        Image("minio", "minio", tool=go_tools.MINIO),
        Image("kuberay-operator", "kuberay-operator", tool=go_tools.KUBERAY_OPERATOR),
        Image("kueue", "kueue", tool=go_tools.KUEUE),
        Image("pause", "pause", tool=go_tools.PAUSE),
    )
}


def named(names: list[str]) -> list[Image]:
    """The images of these names; those built by default when there are none. Raises WorkbenchError."""
    unknown = [name for name in names if name not in IMAGES]
    if unknown:
        raise WorkbenchError(f"no image is called {unknown[0]!r}; there are {', '.join(IMAGES)}")
    return [IMAGES[name] for name in names] or [image for image in IMAGES.values() if image.default]
