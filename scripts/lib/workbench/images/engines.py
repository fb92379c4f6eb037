"""What builds images: Docker's buildx where an engine answers, else buildah without one."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.images.base import bootstrap
from workbench.images.catalogue import BASE, Image, version
from workbench.paths import ROOT, cache

_SOURCE = "https://trainyard.dev"
#: Variables that name a machine's own certificates, in the order in which they count.
_CA_VARIABLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class Engine(ABC):
    """Builds and keeps images."""

    @abstractmethod
    def size(self, reference: str) -> int | None:
        """Bytes of the image, unpacked; None when it has not been built."""

    @abstractmethod
    def prepare(self) -> None:
        """See to it that the base image is there. Raises WorkbenchError."""

    @abstractmethod
    def build_command(self, image: Image, contexts: Mapping[str, Path]) -> list[str]:
        """What builds the image and gives it both names."""

    @abstractmethod
    def push_commands(self, image: Image) -> list[list[str]]:
        """What pushes it under both names."""

    def build(self, image: Image) -> None:
        """Build it; nothing is done when the engine has it. Raises WorkbenchError."""
        with _alone(image.name):
            if self.size(image.reference) is not None:
                return
            contexts = {name: make() for name, make in image.contexts.items()}
            with _alone("base"):
                self.prepare()
            _run(self.build_command(image, contexts), f"{image.name} could not be built")

    def push(self, image: Image) -> None:
        """Push what has been built; only layers that the registry lacks move. Raises WorkbenchError."""
        for command in self.push_commands(image):
            _run(command, f"{image.name} could not be pushed; is the registry up? ./scripts/cluster up starts it")


class Docker(Engine):
    """A Docker engine with buildx."""

    def size(self, reference: str) -> int | None:
        done = _ask(["docker", "image", "inspect", "--format", "{{.Size}}", reference])
        return None if done is None else int(done)

    def prepare(self) -> None:
        if self.size(BASE) is None and _ask(["docker", "pull", "--quiet", BASE]) is None:
            _run(["docker", "import", "--change", 'CMD ["bash"]', str(bootstrap()), BASE], f"{BASE} could not be imported")

    def build_command(self, image: Image, contexts: Mapping[str, Path]) -> list[str]:
        return ["docker", "buildx", "build", "--load", *_build_options(image, contexts)]

    def push_commands(self, image: Image) -> list[list[str]]:
        return [["docker", "push", "--quiet", reference] for reference in (image.reference, image.version_reference)]


class Buildah(Engine):
    """buildah in chroot isolation: no engine, no daemon. Its images and layers are kept in the cache."""

    def __init__(self, program: str) -> None:
        root = str(cache() / "images-storage")
        run_root = f"/run/trainyard-images-{hashlib.sha256(root.encode()).hexdigest()[:8]}"  # what a reboot undoes
        self._command = [program, "--root", root, "--runroot", run_root, "--storage-driver", "overlay"]

    def size(self, reference: str) -> int | None:
        done = _ask([*self._command, "inspect", "--type", "image", "--format", "{{.FromImageID}}", reference])
        if done is None:
            return None
        images = json.loads(_ask([*self._command, "images", "--json", "--no-trunc"]) or "[]")
        found = [entry["size"] for entry in images if entry["id"].removeprefix("sha256:") == done]
        return _bytes(found[0]) if found else None

    def prepare(self) -> None:
        name = f"docker.io/library/{BASE}"
        if self.size(name) is not None or _ask([*self._command, "pull", "--quiet", name]) is not None:
            return
        made = subprocess.run([*self._command, "from", "scratch"], capture_output=True, text=True, check=True).stdout.strip()
        try:
            _run([*self._command, "add", "--quiet", made, str(bootstrap()), "/"], f"{BASE} could not be imported")
            _run([*self._command, "config", "--cmd", "bash", made], f"{BASE} could not be imported")
            _run([*self._command, "commit", "--quiet", made, name], f"{BASE} could not be imported")
        finally:
            _ask([*self._command, "rm", made])

    def build_command(self, image: Image, contexts: Mapping[str, Path]) -> list[str]:
        return [
            *self._command,
            "bud",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--layers",
            "--force-rm",
            "--pull-never",
            *_build_options(image, contexts),
        ]

    def push_commands(self, image: Image) -> list[list[str]]:
        references = (image.reference, image.version_reference)
        return [[*self._command, "push", "--quiet", "--tls-verify=false", image.reference, f"docker://{name}"] for name in references]


def choose() -> Engine:
    """Docker where its engine answers, else buildah. Raises WorkbenchError where there is neither."""
    if shutil.which("docker") and _ask(["docker", "version", "--format", "{{.Server.Version}}"]):
        return Docker()
    program = shutil.which("buildah")
    if program is None:
        raise WorkbenchError(
            "images are built with Docker (no engine answers here) or, as root on Linux, with buildah (apt-get install buildah)"
        )
    if os.geteuid():
        raise WorkbenchError("images are built with Docker (no engine answers here) or with buildah, which needs root here")
    return Buildah(program)


def _build_options(image: Image, contexts: Mapping[str, Path]) -> list[str]:
    options = ["--file", str(image.path), "--tag", image.reference, "--tag", image.version_reference]
    for name, value in image.arguments:
        options += ["--build-arg", f"{name}={value}"]
    for name, folder in contexts.items():
        options += ["--build-context", f"{name}={folder}"]
    for name, value in (("version", version()), ("source", _SOURCE)):
        options += ["--label", f"org.opencontainers.image.{name}={value}"]
    bundle = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    if bundle:
        options += ["--secret", f"id=ca-bundle,src={bundle}"]
    return [*options, str(ROOT)]


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """One process at a time."""
    folder = cache() / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _ask(command: list[str]) -> str | None:
    """What the command prints; None when it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None


def _run(command: list[str], failure: str) -> None:
    """Run it with its output on our standard error. Raises WorkbenchError."""
    if subprocess.run(command, stdout=sys.stderr).returncode:
        raise WorkbenchError(f"{failure}: its messages are above")


def _bytes(text: str) -> int:
    """Bytes of a size such as ``80.9 MB``."""
    number, unit = text.split()
    return int(float(number) * 1000 ** ["B", "KB", "MB", "GB", "TB"].index(unit.upper()))
