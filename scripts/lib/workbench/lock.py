"""Chartfile.lock: every chart, image and tool that Trainyard is made of, with name, version, source and digest.

All of it follows from files of the checkout (Chart.yaml, go.mod, go.sum, requirements, Dockerfiles, package-lock.json): writing it needs
no network and gives the same on every machine. Our own sources are not hashed: an entry changes when a pin or a recipe changes.
"""

import argparse
import hashlib
import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from workbench.charts.sources import UPSTREAM, UpstreamChart
from workbench.cluster.kind import NODE_IMAGE, REGISTRY_IMAGE
from workbench.errors import WorkbenchError
from workbench.images.dockerfile import Dockerfile
from workbench.paths import ROOT

FILE = "Chartfile.lock"
HEADER = """\
# Everything that Trainyard is made of. ./scripts/lock writes it from the files it names, `./scripts/lock --check` fails on drift.
#   charts        our own by their Chart.yaml; others by the published archive, or by the Go module that holds their sources
#   images        what images/ builds: the images they start from, one digest over the inputs named (not our sources, not Debian's packages)
#   pulled        images of others that the development cluster runs where there is a container engine
#   tools         programs built from Go modules: the module's hash, and one digest over go.mod and go.sum with all that it requires
#   requirements  pinned packages, by file
# Digests: sha256 of a file (of several: of their names and digests), h1 as Go writes it.
"""

Entry = dict[str, Any]
Lock = dict[str, list[Entry]]


def compute(root: Path = ROOT) -> Lock:
    """What Chartfile.lock must say about the checkout at ``root``. Raises WorkbenchError when a pin is missing."""
    return {
        "charts": [*_own_charts(root), *(_upstream_chart(root, chart) for chart in UPSTREAM)],
        "images": [_image(root, folder) for folder in sorted((root / "images").iterdir()) if folder.is_dir()],
        "pulled": [_pulled(image) for image in (NODE_IMAGE, REGISTRY_IMAGE)],
        "tools": [_tool(root, path.parent) for path in sorted((root / "scripts" / "tools").glob("*/go.mod"))],
        "requirements": _requirements(root),
    }


def render(lock: Lock) -> str:
    """The text of the file."""
    text: str = yaml.safe_dump(lock, sort_keys=False, width=200)
    return HEADER + text


def differences(recorded: Lock, actual: Lock) -> list[str]:
    """One line for each entry in which the two differ, naming it."""
    found = []
    for section in sorted({*recorded, *actual}):
        was = {entry["name"]: entry for entry in recorded.get(section) or []}
        now = {entry["name"]: entry for entry in actual.get(section) or []}
        for name in sorted({*was, *now}):
            if name not in now:
                found.append(f"{section}/{name}: locked, but no longer in the checkout")
            elif name not in was:
                found.append(f"{section}/{name}: not locked")
            elif was[name] != now[name]:
                keys = [key for key in {**was[name], **now[name]} if was[name].get(key) != now[name].get(key)]
                found.append(
                    f"{section}/{name}: " + ", ".join(f"{key} is {now[name].get(key)}, locked {was[name].get(key)}" for key in keys)
                )
    return found


def check(root: Path = ROOT) -> None:
    """Raises WorkbenchError that names what has drifted."""
    path = root / FILE
    if not path.exists():
        raise WorkbenchError(f"there is no {FILE}: write it with ./scripts/lock")
    actual = compute(root)
    try:
        found = differences(yaml.safe_load(path.read_text()), actual)
    except (yaml.YAMLError, AttributeError, TypeError, KeyError) as error:
        raise WorkbenchError(f"{FILE} is damaged: write it anew with ./scripts/lock") from error
    if found:
        lines = "\n  ".join(found)
        raise WorkbenchError(f"{FILE} has drifted. Undo the change named here, or run ./scripts/lock and commit the file:\n  {lines}")


def _own_charts(root: Path) -> Iterable[Entry]:
    for path in sorted((root / "charts").glob("*/Chart.yaml")):
        chart = yaml.safe_load(path.read_text())
        yield _entry(chart["name"], chart["version"], f"charts/{path.parent.name}", _sha256(path))


def _upstream_chart(root: Path, chart: UpstreamChart) -> Entry:
    folder = root / chart.tool.folder
    version = _required(folder)[chart.module]
    module = _module(folder, chart.module, version)
    archive = chart.archives.get(version.removeprefix("v"))
    digest = f"sha256:{archive}" if archive else module["module_digest"]
    return _entry(chart.name, version.removeprefix("v"), chart.repository, digest) | module


def _image(root: Path, folder: Path) -> Entry:
    """One image; where it carries a program that is built from a Go module, that module too."""
    inputs = [*folder.glob("Dockerfile"), *folder.glob("go.*")]
    recipe = folder / "Dockerfile"
    dockerfile = Dockerfile.parse(recipe.read_text() if recipe.exists() else "")
    for name in re.findall(r"\brequirements/[\w./${}-]+\.txt", " ".join(dockerfile.all("COPY"))):
        inputs += root.glob(re.sub(r"\$\{?\w+\}?", "*", name))
    if folder.name == "frontend":
        inputs += root.glob("services/frontend/package-lock.json")
    version = tomllib.loads((root / "services" / "api" / "pyproject.toml").read_text())["project"]["version"]
    entry = _entry(folder.name, version, f"images/{folder.name}", _sha256_of_all(root, inputs))
    if (folder / "go.sum").exists():
        entry |= _module(folder, *_main_module(folder))
    stages = {stage for _, stage in dockerfile.stages}
    entry["bases"] = sorted({base for base, _ in dockerfile.stages} - stages)
    entry["inputs"] = [str(path.relative_to(root)) for path in sorted(set(inputs))]
    return entry


def _pulled(image: str) -> Entry:
    name, digest = image.split("@")
    return _entry(name.rpartition(":")[0], name.rpartition(":")[2], name, digest)


def _tool(root: Path, folder: Path) -> Entry:
    module, version = _main_module(folder)
    return {
        **_entry(folder.name, version, module, _sum(folder, module, version)),
        "modules": _sha256_of_all(root, [folder / "go.mod", folder / "go.sum"]),
    }


def _requirements(root: Path) -> list[Entry]:
    compiled = [(path, path.with_suffix(".in")) for path in sorted((root / "requirements").rglob("*.txt"))]
    compiled += [(path, path.with_name("package.json")) for path in root.glob("services/frontend/package-lock.json")]
    return [
        {"name": str(path.relative_to(root)), "source": str(source.relative_to(root)), "digest": _sha256(path)} for path, source in compiled
    ]


def _main_module(folder: Path) -> tuple[str, str]:
    """The module, with its version, that the programs named in go.mod belong to."""
    text = (folder / "go.mod").read_text()
    block = re.search(r"^tool \(\n(.*?)^\)", text, re.MULTILINE | re.DOTALL)
    packages = block.group(1).split() if block else re.findall(r"^tool (\S+)$", text, re.MULTILINE)
    program = packages[0] if packages else ""
    holding = [(module, version) for module, version in _required(folder).items() if f"{program}/".startswith(f"{module}/")]
    if not holding:
        raise WorkbenchError(
            f"{folder.parent.name}/{folder.name}/go.mod requires no module for its tool lines: run `go get -tool PACKAGE@VERSION` there"
        )
    return max(holding, key=lambda pair: len(pair[0]))


def _required(folder: Path) -> dict[str, str]:
    return dict(re.findall(r"^(?:require )?\s*([\w./~-]+\.[\w./~-]+) (v\S+)", (folder / "go.mod").read_text(), re.MULTILINE))


def _module(folder: Path, module: str, version: str) -> Entry:
    return {"module": f"{module}@{version}", "module_digest": _sum(folder, module, version)}


def _sum(folder: Path, module: str, version: str) -> str:
    found = re.search(rf"^{re.escape(module)} {re.escape(version)} (h1:\S+)$", (folder / "go.sum").read_text(), re.MULTILINE)
    if found is None:
        raise WorkbenchError(f"{folder.parent.name}/{folder.name}/go.sum lacks {module} {version}: run `go mod tidy` there")
    return found.group(1)


def _entry(name: str, version: str, source: str, digest: str) -> Entry:
    return {"name": name, "version": version, "source": source, "digest": digest}


def _sha256(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def _sha256_of_all(root: Path, paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in sorted(set(paths)):
        total.update(f"{path.relative_to(root)} {_sha256(path)}\n".encode())
    return f"sha256:{total.hexdigest()}"


def main(arguments: list[str]) -> None:
    """Write the file, or check it. Raises WorkbenchError."""
    parser = argparse.ArgumentParser(prog="./scripts/lock", description=f"Writes {FILE}: every chart, image and tool with its digest.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the file differs from the checkout, and name it")
    if parser.parse_args(arguments).check:
        check()
        print(f"{FILE} agrees with the checkout")
        return
    path = ROOT / FILE
    text = render(compute())
    changed = not path.exists() or path.read_text() != text
    path.write_text(text)
    print(f"{FILE} {'written' if changed else 'is as it was'}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
