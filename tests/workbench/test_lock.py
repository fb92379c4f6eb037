"""Chartfile.lock says what the checkout is made of, and its check names what has drifted."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from workbench.errors import WorkbenchError
from workbench.lock import FILE, check, compute, differences, render
from workbench.paths import ROOT

#: What the lock is computed from.
SOURCES = [
    "charts/*/Chart.yaml",
    "images/*/*",
    "scripts/tools/*/go.*",
    "requirements/**/*",
    "services/frontend/package*.json",
    "services/api/pyproject.toml",
]


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[dict[str, Any]]]:
    """The committed file."""
    lock: dict[str, list[dict[str, Any]]] = yaml.safe_load((ROOT / FILE).read_text())
    return lock


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the lock is computed from, and a lock that agrees with it."""
    for pattern in SOURCES:
        for path in ROOT.glob(pattern):
            target = tmp_path / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file():
                shutil.copyfile(path, target)
    (tmp_path / FILE).write_text(render(compute(tmp_path)))
    return tmp_path


def test_the_committed_lock_agrees_with_the_checkout() -> None:
    check()


def test_every_entry_is_whole(recorded: dict[str, list[dict[str, Any]]]) -> None:
    assert set(recorded) == {"charts", "images", "pulled", "tools", "requirements"}
    for section, entries in recorded.items():
        assert len({entry["name"] for entry in entries}) == len(entries) > 0
        for entry in entries:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}|h1:[\w+/]{43}=", entry["digest"]), entry
            assert entry["source"]
            assert section == "requirements" or re.match(r"v?\d", entry["version"]), entry


def test_charts(recorded: dict[str, list[dict[str, Any]]]) -> None:
    locked = {entry["name"]: entry for entry in recorded["charts"]}
    charts = [yaml.safe_load(path.read_text()) for path in ROOT.glob("charts/*/Chart.yaml")]
    assert {chart["name"] for chart in charts} | {"kuberay-operator", "kueue"} == set(locked)
    for chart in charts:
        assert chart["version"] == locked[chart["name"]]["version"]
        for dependency in chart.get("dependencies", []):
            assert dependency["version"] == locked[dependency["name"]]["version"], f"{chart['name']} wants another {dependency['name']}"


def test_controllers_have_the_versions_of_their_charts(recorded: dict[str, list[dict[str, Any]]]) -> None:
    charts, images = ({entry["name"]: entry for entry in recorded[section]} for section in ("charts", "images"))
    for name in ("kuberay-operator", "kueue"):
        assert charts[name]["module"] == images[name]["module"]
        module, version = charts[name]["module"].split("@")
        assert version == f"v{charts[name]['version']}"
        assert f"{module} {version} " in (ROOT / "images" / name / "go.mod").read_text()


def images_in(values: Any) -> Iterator[tuple[str, str]]:
    """Repository and tag of every image that values name."""
    if isinstance(values, dict):
        if "repository" in values:
            yield values["repository"], values.get("tag") or ""
        for value in values.values():
            yield from images_in(value)


def test_values_name_images_of_the_lock(recorded: dict[str, list[dict[str, Any]]]) -> None:
    versions = {entry["name"]: entry["version"] for entry in recorded["images"]}
    named = [image for path in ROOT.glob("charts/*/values.yaml") for image in images_in(yaml.safe_load(path.read_text()))]
    assert named
    for repository, tag in named:
        assert "trainyard/" in repository
        version = versions[repository.rpartition("/")[2]]
        # Without a tag it is the chart's appVersion; the trainer's tags say which PyTorch is in it.
        assert tag in ("", version, f"{version}-cpu", f"{version}-cuda")
    for path in ROOT.glob("charts/*/Chart.yaml"):
        chart = yaml.safe_load(path.read_text())
        assert chart.get("appVersion", chart["version"]) == versions["api"], path


def test_tools_and_images_are_those_of_the_checkout(recorded: dict[str, list[dict[str, Any]]]) -> None:
    assert {entry["name"] for entry in recorded["tools"]} == {path.parent.name for path in ROOT.glob("scripts/tools/*/go.mod")}
    assert {entry["name"] for entry in recorded["images"]} == {path.name for path in (ROOT / "images").iterdir() if path.is_dir()}
    for tool in recorded["tools"]:
        sums = (ROOT / "scripts" / "tools" / tool["name"] / "go.sum").read_text()
        assert f"{tool['source']} {tool['version']} {tool['digest']}\n" in sums


def test_images_start_from_what_their_dockerfiles_say(recorded: dict[str, list[dict[str, Any]]]) -> None:
    for image in recorded["images"]:
        words = [line.split() for line in (ROOT / image["source"] / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")]
        stages = {line[3] for line in words if len(line) == 4}
        assert set(image["bases"]) == {line[1] for line in words} - stages
        assert not [base for base in image["bases"] if base != "scratch" and (":" not in base or base.endswith(":latest"))]
        assert f"{image['source']}/Dockerfile" in image["inputs"]
        for name in re.findall(r"requirements/images/[a-z-]+", (ROOT / image["source"] / "Dockerfile").read_text()):
            assert [used for used in image["inputs"] if used.startswith(name)]


def test_requirements_are_pinned_by_hash(recorded: dict[str, list[dict[str, Any]]]) -> None:
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "requirements").rglob("*.txt")}
    assert files == {entry["name"] for entry in recorded["requirements"] if entry["name"].endswith(".txt")}
    for name in files:
        pins = re.findall(r"^[a-z0-9][\w.\[\],-]*(.*?)(?=^[a-z0-9]|\Z)", (ROOT / name).read_text(), re.MULTILINE | re.DOTALL)
        assert pins
        assert all(pin.startswith("==") and "--hash=sha256:" in pin for pin in pins), name


def test_nothing_in_it_belongs_to_one_machine_or_one_index() -> None:
    text = (ROOT / FILE).read_text()
    assert str(Path.home()) not in text
    assert str(ROOT) not in text
    assert not re.search(r"pypi|pythonhosted|npmjs|proxy\.golang", text)


@pytest.mark.parametrize(
    ("path", "pattern", "becomes", "named"),
    [
        ("scripts/tools/etcd/go.mod", r"(server/v3) v3\S+", r"\1 v3.99.0", "etcd/go.sum lacks go.etcd.io/etcd/server/v3 v3.99.0"),
        ("scripts/tools/helm/go.sum", r"(helm/v4 \S+ h1:).", r"\1_", "tools/helm: digest is h1:_"),
        ("scripts/tools/helm/go.sum", r"(dario.cat/mergo \S+ h1:).", r"\1_", "tools/helm: modules is"),
        ("requirements/uv.txt", "sha256:.", "sha256:_", "requirements/requirements/uv.txt: digest is"),
        ("requirements/images/trainer-cpu.txt", "ray==", "ray===", "images/trainer: digest is"),
        ("images/trainer/Dockerfile", "FROM debian:trixie-slim", "FROM debian:forky-slim", "images/trainer: .*debian:forky-slim"),
        ("images/kueue/go.sum", r"(sigs.k8s.io/kueue \S+ h1:).", r"\1_", "charts/kueue: digest is h1:_"),
        ("services/api/pyproject.toml", r'version = "[^"]+"', 'version = "99.0.0"', "images/trainer: version is 99.0.0, locked 0"),
    ],
)
def test_drift_is_named(checkout: Path, path: str, pattern: str, becomes: str, named: str) -> None:
    check(checkout)
    text, changes = re.subn(pattern, becomes, (checkout / path).read_text())
    assert changes
    (checkout / path).write_text(text)
    with pytest.raises(WorkbenchError, match=named):
        check(checkout)


def test_what_is_new_and_what_is_gone_is_named(checkout: Path) -> None:
    shutil.copytree(checkout / "images" / "trainer", checkout / "images" / "another")
    shutil.rmtree(checkout / "scripts" / "tools" / "coredns")
    (checkout / "charts" / "extra").mkdir(parents=True)
    (checkout / "charts" / "extra" / "Chart.yaml").write_text("name: extra\nversion: 1.0.0\n")
    found = differences(yaml.safe_load((checkout / FILE).read_text()), compute(checkout))
    assert found == ["charts/extra: not locked", "images/another: not locked", "tools/coredns: locked, but no longer in the checkout"]


def test_sources_do_not_drift(checkout: Path) -> None:
    (checkout / "images" / "trainer" / "notes.txt").write_text("changed often")
    (checkout / "jobs").mkdir()
    (checkout / "jobs" / "train.py").write_text("pass")
    check(checkout)


@pytest.mark.parametrize("text", [None, "charts: [", "- 1", "charts: [{version: 1}]", ""])
def test_a_missing_or_damaged_file_is_said_to_be_so(checkout: Path, text: str | None) -> None:
    (checkout / FILE).unlink() if text is None else (checkout / FILE).write_text(text)
    with pytest.raises(WorkbenchError, match=r"\./scripts/lock"):
        check(checkout)


def test_the_command_fails_on_drift_and_passes_without(tmp_path: Path) -> None:
    """In a copy of the checkout's tracked and new files, as somebody runs it."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\n")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tmp_path / name)
    assert subprocess.run(["./scripts/lock"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.startswith(FILE)
    assert subprocess.run(["./scripts/lock", "--check"], cwd=tmp_path, capture_output=True).returncode == 0
    with (tmp_path / "requirements" / "dev.txt").open("a") as file:
        file.write("\n")
    drifted = subprocess.run(["./scripts/lock", "--check"], cwd=tmp_path, capture_output=True, text=True)
    assert drifted.returncode == 2
    assert drifted.stderr.startswith("error: Chartfile.lock has drifted.")
    assert "requirements/dev.txt" in drifted.stderr
