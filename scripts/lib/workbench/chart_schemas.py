"""The schemas that the chart's tests check every rendered object against, without a cluster: tests/chart/schemas/objects.json.gz.

`python -m workbench.chart_schemas` makes them anew from the Go modules of Kubernetes, Kueue and the Gateway API. Unknown fields are
refused.
"""

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import WorkbenchError
from workbench.go_tools import KUBERAY_OPERATOR, KUBERNETES, KUEUE, module_folder
from workbench.paths import ROOT

BUNDLE = ROOT / "tests" / "chart" / "schemas" / "objects.json.gz"

#: What our charts and the operator's render.
_BUILT_IN = (
    "v1/ConfigMap",
    "v1/Namespace",
    "v1/Pod",
    "v1/ResourceQuota",
    "v1/Secret",
    "v1/Service",
    "v1/ServiceAccount",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "batch/v1/Job",
    "networking.k8s.io/v1/Ingress",
    "networking.k8s.io/v1/NetworkPolicy",
    "policy/v1/PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "rbac.authorization.k8s.io/v1/Role",
    "rbac.authorization.k8s.io/v1/RoleBinding",
)
_QUEUES = ("clusterqueues", "localqueues", "resourceflavors", "workloadpriorityclasses")
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_DROPPED = re.compile(r"description|default|format|x-kubernetes-.*|example")
_OPEN = ("io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",)


def bundle() -> dict[str, Any]:
    """``{"kinds": {"apps/v1/Deployment": schema}, "definitions": {...}}``. Raises WorkbenchError."""
    swagger = module_folder(KUBERNETES, "k8s.io/kubernetes") / "api" / "openapi-spec" / "swagger.json"
    definitions: dict[str, Any] = json.loads(swagger.read_text())["definitions"]
    names = {_kind(gvk): name for name, found in definitions.items() for gvk in found.get("x-kubernetes-group-version-kind", [])}
    if missing := [kind for kind in _BUILT_IN if kind not in names]:
        raise WorkbenchError(f"{swagger} does not define {missing[0]}")
    kinds: dict[str, Any] = {kind: {"$ref": f"#/definitions/{names[kind]}"} for kind in _BUILT_IN}
    for file in _custom_resources():
        kinds |= _versions(yaml.safe_load(file.read_text()))
    used: dict[str, Any] = {}
    _collect({"kinds": kinds, "meta": {"$ref": f"#/definitions/{_OBJECT_META}"}}, definitions, used)
    return {"kinds": kinds, "definitions": used}


def _kind(gvk: dict[str, str]) -> str:
    return "/".join(part for part in (gvk["group"], gvk["version"], gvk["kind"]) if part)


def _custom_resources() -> list[Path]:
    queues = module_folder(KUEUE, "sigs.k8s.io/kueue") / "config" / "components" / "crd" / "bases"
    routes = module_folder(KUBERAY_OPERATOR, "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard"
    return [*(queues / f"kueue.x-k8s.io_{name}.yaml" for name in _QUEUES), routes / "gateway.networking.k8s.io_httproutes.yaml"]


def _versions(crd: dict[str, Any]) -> dict[str, Any]:
    spec = crd["spec"]
    return {
        f"{spec['group']}/{version['name']}/{spec['names']['kind']}": strict(version["schema"]["openAPIV3Schema"], top=True)
        for version in spec["versions"]
        if version["served"]
    }


def _collect(node: Any, definitions: dict[str, Any], used: dict[str, Any]) -> None:
    """Put every definition that ``node`` needs into ``used``, made strict."""
    if isinstance(node, list):
        for item in node:
            _collect(item, definitions, used)
    elif isinstance(node, dict):
        name = node.get("$ref", "")
        if isinstance(name, str) and name.startswith("#/definitions/"):
            name = name.removeprefix("#/definitions/")
            if name not in used:
                used[name] = _definition(name, definitions[name])
                _collect(used[name], definitions, used)
        for item in node.values():
            _collect(item, definitions, used)


def _definition(name: str, found: dict[str, Any]) -> dict[str, Any]:
    if name.endswith("api.resource.Quantity"):
        return {"type": ["string", "number"]}
    if name.endswith("util.intstr.IntOrString"):
        return {"type": ["string", "integer"]}
    return strict(found) if name not in _OPEN else {"type": "object"}


def strict(found: Any, *, top: bool = False) -> Any:
    """A schema without prose, that refuses what it does not name. ``top``: of a whole custom resource, whose metadata are any object's."""
    if isinstance(found, list):
        return [strict(item) for item in found]
    if not isinstance(found, dict):
        return found
    made = {key: value for key, value in found.items() if not _DROPPED.fullmatch(key)}
    if found.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    for key in ("properties", "definitions"):
        if key in made:
            made[key] = {name: strict(value) for name, value in made[key].items()}
    for key in ("items", "additionalProperties", "allOf", "anyOf", "oneOf", "not"):
        if key in made:
            made[key] = strict(made[key])
    if top:
        made["properties"]["metadata"] = {"$ref": f"#/definitions/{_OBJECT_META}"}
    if "properties" in made and not found.get("x-kubernetes-preserve-unknown-fields") and made.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def main() -> None:
    """Write the bundle."""
    text = json.dumps(bundle(), separators=(",", ":"), sort_keys=True)
    BUNDLE.parent.mkdir(parents=True, exist_ok=True)
    BUNDLE.write_bytes(gzip.compress(text.encode(), mtime=0))
    print(f"{BUNDLE.relative_to(ROOT)}: {BUNDLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    try:
        main()
    except WorkbenchError as error:
        sys.exit(f"error: {error}")
