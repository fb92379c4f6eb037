"""One way to render the umbrella chart: every object that comes out is checked against the schemas of its kind."""

import functools
import gzip
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from pytest_helm import HelmTemplateError, ManifestIndex, parse_manifest_documents

from workbench.go_tools import HELM, build
from workbench.paths import ROOT

CHART = ROOT / "charts" / "trainyard"
SCHEMAS = Path(__file__).parent / "schemas"
KUEUE = "kueue.x-k8s.io/v1beta2/ClusterQueue"
Object = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """What Helm made of one set of values."""

    manifest: str

    @functools.cached_property
    def objects(self) -> list[Object]:
        """Every object, hooks included."""
        return [document for document in yaml.safe_load_all(self.manifest) if document]

    @functools.cached_property
    def index(self) -> ManifestIndex:
        """For look-ups: ``index.get("deployment/trainyard-api")``. Of objects of one name in several namespaces the first is found."""
        return parse_manifest_documents(self.manifest, on_duplicate="ignore")

    def inside(self, namespace: str, kind: str, name: str) -> Object:
        """The object of this kind and name in a namespace."""
        [found] = [item for item in self.of(kind) if (item["metadata"].get("namespace"), item["metadata"]["name"]) == (namespace, name)]
        return found

    def of(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [item for item in self.objects if item["kind"] in kinds]

    def has(self, kind: str, name: str) -> bool:
        """Whether there is such an object."""
        return any(item["metadata"]["name"] == name for item in self.of(kind))

    @functools.cached_property
    def pods(self) -> dict[str, Object]:
        """The spec of every pod that these objects lead to, by kind and name."""
        return {f"{item['kind']}/{item['metadata']['name']}": spec for item in self.objects for spec in _pod_specs(item)}


def _pod_specs(item: Object) -> Iterator[Object]:
    if item["kind"] == "Pod":
        yield item["spec"]
    elif item["kind"] in ("Deployment", "StatefulSet", "Job"):
        yield item["spec"]["template"]["spec"]


def helm(*arguments: str) -> str:
    """Run Helm away from every cluster; returns what it prints. Raises HelmTemplateError."""
    command = [str(build(HELM)["helm"]), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "KUBECONFIG": os.devnull})
    if done.returncode:
        raise HelmTemplateError(command, returncode=done.returncode, stderr=done.stderr, stdout=done.stdout)
    return done.stdout


def render(
    values: Mapping[str, Any] | None = None,
    *,
    files: Sequence[Path] = (),
    release: str = "trainyard",
    namespace: str = "platform",
    api_versions: Sequence[str] = (),
    command: Sequence[str] = ("template",),
) -> Rendered:
    """Render the chart and check every object. Raises HelmTemplateError where the chart or its schema refuses the values."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as own:
        own.write(yaml.safe_dump(dict(values or {})))
        own.flush()
        arguments = [*command, release, str(CHART), "--namespace", namespace, "--kube-version", "1.34.4"]
        for version in api_versions:
            arguments += ["--api-versions", version]
        for file in (*files, Path(own.name)):
            arguments += ["--values", str(file)]
        rendered = Rendered(helm(*arguments))

    _check_identities(rendered)
    for item in rendered.objects:
        problems = [f"{'/'.join(map(str, error.path))}: {error.message[:300]}" for error in _validator(item).iter_errors(item)]
        assert not problems, f"{item['kind']}/{item['metadata']['name']} is not valid: {problems}"
    return rendered


def _check_identities(rendered: Rendered) -> None:
    seen = [(item["apiVersion"], item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]) for item in rendered.objects]
    twice = {identity for identity in seen if seen.count(identity) > 1}
    assert not twice, f"rendered twice: {twice}"


@functools.cache
def _bundle() -> dict[str, Any]:
    bundle: dict[str, Any] = json.loads(gzip.decompress((SCHEMAS / "objects.json.gz").read_bytes()))
    bundle["kinds"]["monitoring.coreos.com/v1/ServiceMonitor"] = json.loads((SCHEMAS / "servicemonitor.json").read_text())
    return bundle


def _validator(item: Object) -> Draft202012Validator:
    return _validator_of(f"{item['apiVersion']}/{item['kind']}")


@functools.cache
def _validator_of(kind: str) -> Draft202012Validator:
    kinds = _bundle()["kinds"]
    assert kind in kinds, f"there is no schema of {kind}; add it to workbench.chart_schemas"
    return Draft202012Validator({**kinds[kind], "definitions": _bundle()["definitions"]})


def sources() -> dict[Path, str]:
    """Every template of our charts."""
    folders = [ROOT / "charts" / name / "templates" for name in ("api", "frontend", "mlflow", "postgres", "minio", "trainyard")]
    return {path: path.read_text() for folder in folders for path in sorted(folder.rglob("*.yaml"))}


def kinds_in(template: str) -> set[str]:
    """The kinds that a template makes."""
    return set(re.findall(r"^kind: (\w+)", template, re.MULTILINE))
