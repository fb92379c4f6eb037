"""The CRDs' schemas that rendered objects are checked against. `python -m tests.support.crd_schemas CRD.yaml...` writes them."""

from __future__ import annotations

import gzip
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import yaml

FOLDER = Path(__file__).parent / "schemas"


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without its prose, in which fields that the API server would drop or refuse are errors."""
    kept = {key: value for key, value in schema.items() if key != "description" and not key.startswith("x-kubernetes-")}
    if schema.get("x-kubernetes-int-or-string"):
        kept.pop("type", None)
        kept["anyOf"] = [{"type": "integer"}, {"type": "string"}]
    if "properties" in schema:
        kept["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            kept["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            kept[key] = strict(schema[key])
    return kept


@cache
def validator(kind: str, version: str) -> jsonschema.Draft202012Validator:
    """Of a custom resource, such as ``rayjob``, ``v1``."""
    content = gzip.decompress((FOLDER / f"{kind}-{version}.json.gz").read_bytes())
    return jsonschema.Draft202012Validator(json.loads(content))


def main(paths: list[str]) -> None:
    """Write the schema of each served version of these CRDs."""
    FOLDER.mkdir(exist_ok=True)
    for path in paths:
        crd = yaml.safe_load(Path(path).read_text())
        for version in crd["spec"]["versions"]:
            if version["served"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                content = gzip.compress(json.dumps(schema, sort_keys=True).encode(), mtime=0)
                name = f"{crd['spec']['names']['singular']}-{version['name']}.json.gz"
                (FOLDER / name).write_bytes(content)
                print(f"{name}: {len(content):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
