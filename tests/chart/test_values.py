"""Values, their schemas, their documentation, and the ready files in values/."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_helm import HelmTemplateError

from tests.chart.rendering import CHART, KUEUE, render
from workbench import chart_docs
from workbench.paths import ROOT

FILES = sorted((ROOT / "values").glob("*.yaml"))


def test_schemas_and_readmes_are_those_of_the_values() -> None:
    stale = [path for path, text in chart_docs.documents().items() if path.read_text() != text]
    assert not stale, "run ./scripts/chart-docs"


@pytest.mark.parametrize(
    "section", ["", "global", "api", "api.autoscaling", "frontend.ingress", "mlflow", "postgres.persistence", "minio", "tests"]
)
def test_unknown_keys_are_refused(section: str) -> None:
    values: dict[str, Any] = {"surprise": 1}
    for name in reversed(section.split(".") if section else []):
        values = {name: values}
    with pytest.raises(HelmTemplateError, match="surprise"):
        render(values)


@pytest.mark.parametrize(
    "values",
    [
        {"api": {"replicaCount": "two"}},
        {"api": {"service": {"type": "Nonsense"}}},
        {"global": {"publicUrl": "trainyard.example.com"}},
        {"global": {"database": {"sslMode": "on"}}},
        {"global": {"kueue": {"enabled": "perhaps"}}},
        {"global": {"teams": {"vision": {"quota": {"tpu": 1}}}}},
        {"global": {"teams": {"Not A Name": {}}}},
    ],
    ids=str,
)
def test_values_of_a_wrong_kind_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(HelmTemplateError, match="values don't meet the specifications"):
        render(values)


def test_a_key_without_documentation_is_named(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("# -- Said.\nsaid: 1\nunsaid: 2\n")
    with pytest.raises(Exception, match="unsaid"):
        chart_docs.read_values(tmp_path)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_every_ready_file_renders(file: Path) -> None:
    render(files=[file], api_versions=[KUEUE])
    if "true" not in re.findall(r"kueue:\s+enabled: (\w+)", file.read_text()):
        render(files=[file])


def test_ready_files_go_together() -> None:
    files = [ROOT / "values" / f"{name}.yaml" for name in ("production", "gpu", "team-vision", "team-nlp")]
    rendered = render(files=files, api_versions=[KUEUE])
    assert {item["metadata"]["name"] for item in rendered.of("ClusterQueue")} == {"trainyard-default", "trainyard-vision", "trainyard-nlp"}


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_a_ready_file_says_only_what_differs(file: Path) -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in ("api", "frontend", "mlflow", "postgres", "minio"):
        defaults[name] = yaml.safe_load((ROOT / "charts" / name / "values.yaml").read_text())
    same = [path for path, value in _leaves(yaml.safe_load(file.read_text())) if _at(defaults, path) == value]
    assert not same, f"{file.name} repeats defaults"


def _leaves(values: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _at(values: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return None
        values = values[key]
    return values
