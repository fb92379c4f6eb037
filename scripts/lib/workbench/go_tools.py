"""Programs built from pinned Go modules: one small module a tool (go.mod with ``tool`` lines, go.sum), built once into the cache."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.paths import ROOT, cache, digest

_FLAGS = ["-trimpath", "-buildvcs=false"]


@dataclass(frozen=True)
class GoTool:
    """One module: the folder below the checkout, and what the programs in it are called where Go would name them otherwise."""

    folder: str
    names: tuple[tuple[str, str], ...] = ()
    #: Linker variables; ``{version}`` is that of the module named first.
    stamp: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """The last part of the folder."""
        return Path(self.folder).name

    @property
    def module(self) -> Path:
        """The folder with go.mod and go.sum."""
        return ROOT / self.folder

    @property
    def packages(self) -> list[str]:
        """The main packages, from the ``tool`` lines of go.mod; the module itself where there are none."""
        text = (self.module / "go.mod").read_text()
        block = re.search(r"^tool \(\n(.*?)^\)", text, re.MULTILINE | re.DOTALL)
        found = block.group(1).split() if block else re.findall(r"^tool (\S+)$", text, re.MULTILINE)
        return found or ["."]

    @property
    def programs(self) -> dict[str, str]:
        """Program name to main package."""
        renamed = dict(self.names)
        return {renamed.get(package, package.rsplit("/", 1)[-1] if package != "." else self.name): package for package in self.packages}

    def version_of(self, module: str) -> str:
        """The version that go.mod requires of ``module``. Raises KeyError."""
        found = re.search(rf"^(?:require |\s+){re.escape(module)} (v\S+)", (self.module / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise KeyError(module)
        return found.group(1)

    @property
    def linker_flags(self) -> str:
        """For ``go build -ldflags``."""
        if self.stamp is None:
            return "-s -w"
        module, variables = self.stamp
        version = self.version_of(module)
        major, minor, *_ = version.removeprefix("v").split(".")
        return "-s -w " + " ".join(f"-X {variable.format(version=version, major=major, minor=minor)}" for variable in variables.split())

    @property
    def key(self) -> str:
        """Changes whenever the programs would."""
        sources = [path for path in self.module.iterdir() if path.name in ("go.mod", "go.sum") or path.suffix == ".go"]
        return digest(sources, self.linker_flags, *_FLAGS)


KUBERNETES = GoTool(
    "scripts/tools/kubernetes",
    stamp=(
        "k8s.io/kubernetes",
        "k8s.io/component-base/version.gitVersion={version} k8s.io/component-base/version.gitMajor={major}"
        " k8s.io/component-base/version.gitMinor={minor} k8s.io/client-go/pkg/version.gitVersion={version}",
    ),
)
ETCD = GoTool("scripts/tools/etcd", names=(("go.etcd.io/etcd/server/v3", "etcd"),))
COREDNS = GoTool("scripts/tools/coredns")
KUBE_ROUTER = GoTool("scripts/tools/kube-router")
HELM = GoTool("scripts/tools/helm")
KIND = GoTool("scripts/tools/kind")
KUBERAY_OPERATOR = GoTool("images/kuberay-operator", names=(("github.com/ray-project/kuberay/ray-operator", "manager"),))
KUEUE = GoTool("images/kueue", names=(("sigs.k8s.io/kueue/cmd/kueue", "manager"),))
MINIO = GoTool("images/minio")
PAUSE = GoTool("images/pause")

TOOLS = {tool.name: tool for tool in (KUBERNETES, ETCD, COREDNS, KUBE_ROUTER, HELM, KUBERAY_OPERATOR, KUEUE, MINIO, PAUSE, KIND)}


def build(tool: GoTool) -> dict[str, Path]:
    """Program name to path; builds what the cache lacks (minutes). Safe when several processes want it at once. Raises WorkbenchError."""
    folder = cache() / f"{tool.name}-{tool.key}"
    programs = {name: folder / name for name in tool.programs}
    if all(path.exists() for path in programs.values()):
        return programs
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, package in tool.programs.items():
            if not programs[name].exists():
                _build(tool, package, programs[name])
    return programs


def module_folder(tool: GoTool, module: str) -> Path:
    """Where Go keeps the sources of a module that ``tool`` requires. Raises WorkbenchError."""
    done = _go(tool, "mod", "download", module)
    if done.returncode:
        raise WorkbenchError(f"{module} could not be downloaded: {done.stderr.strip()[-500:]}")
    done = _go(tool, "list", "-m", "-f", "{{.Dir}}", module)
    if done.returncode or not done.stdout.strip():
        raise WorkbenchError(f"{module} is not in {tool.folder}/go.mod: {done.stderr.strip()[-500:]}")
    return Path(done.stdout.strip())


def _go(tool: GoTool, *arguments: str) -> subprocess.CompletedProcess[str]:
    go = shutil.which("go")
    if go is None:
        raise WorkbenchError(f"{tool.name} is built with Go, which is not installed: install Go 1.26 or newer (https://go.dev/dl)")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    return subprocess.run([go, *arguments], cwd=tool.module, env=environment, capture_output=True, text=True)


def _build(tool: GoTool, package: str, program: Path) -> None:
    print(f"Building {program.name} from {tool.folder} (once; later checkouts use it too) ...", file=sys.stderr, flush=True)
    started = time.monotonic()
    partial = program.with_suffix(".partial")
    done = _go(tool, "build", *_FLAGS, f"-ldflags={tool.linker_flags}", "-o", str(partial), package)
    if done.returncode:
        raise WorkbenchError(f"{program.name} could not be built from {tool.folder}: {done.stderr.strip()[-2000:]}")
    partial.replace(program)
    print(f"Built {program.name} in {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Build the named modules, or all of them; prints the programs' paths."""
    unknown = [name for name in arguments if name not in TOOLS]
    if unknown:
        raise WorkbenchError(f"no tool is called {unknown[0]!r}; there are {', '.join(TOOLS)}")
    for name in arguments or TOOLS:
        for path in build(TOOLS[name]).values():
            print(path)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WorkbenchError as error:
        sys.exit(f"error: {error}")
