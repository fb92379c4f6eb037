"""values.schema.json and README.md of our charts, made from the comments in their values.yaml.

``# --`` above a key documents it, and the key is then a value of its own whatever is below it; a key without is a section.
``# @schema {...}`` in the same comment adds to what the schema says of it. ``values.defs.json`` beside values.yaml holds schemas that
``$ref`` names.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workbench.errors import WorkbenchError
from workbench.paths import ROOT

_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True)
class Value:
    """One documented key: its path from the top, its default, what its comment says."""

    path: tuple[str, ...]
    default: Any
    description: str
    extra: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the value."""
        found = {"description": self.description, **self.extra}
        kind = _TYPES.get(type(self.default))
        if kind and not {"type", "$ref"} & found.keys():
            found["type"] = kind
        return found


def charts() -> list[Path]:
    """The folders of our charts that have values, the umbrella last."""
    found = sorted(path.parent for path in (ROOT / "charts").glob("*/Chart.yaml") if path.parent.name != "common")
    return sorted(found, key=lambda path: path.name == "trainyard")


def read_values(chart: Path) -> list[Value]:
    """Every documented value, in the file's order. Raises WorkbenchError for a key that is no section and has no comment."""
    file = chart / "values.yaml"
    text = file.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    return list(_walk(file, text.splitlines(), root, ()))


def _walk(file: Path, lines: list[str], node: Any, path: tuple[str, ...]) -> Iterator[Value]:
    for key, value in node.value:
        here = (*path, key.value)
        comment = _comment(lines, key.start_mark.line)
        if comment is not None:
            yield Value(here, _construct(value), *comment)
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _walk(file, lines, value, here)
        else:
            raise WorkbenchError(
                f"{file.parent.name}/{file.name}:{key.start_mark.line + 1}: {'.'.join(here)} has no `# --` comment; say what it does"
            )


def _construct(node: Any) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]] | None:
    """What the comment right above ``line`` says, and what it adds to the schema; None where it is no documentation."""
    block: list[str] = []
    while line and (found := re.match(r"\s*# ?(.*)", lines[line - 1])):
        block.insert(0, found.group(1))
        line -= 1
    starts = [number for number, text in enumerate(block) if text.startswith("-- ")]
    if not starts:
        return None
    block = block[starts[-1] :]
    extra = [json.loads(text.removeprefix("@schema ")) for text in block if text.startswith("@schema ")]
    words = " ".join(text for text in block if not text.startswith("@schema ")).removeprefix("-- ")
    return words, {key: value for schema in extra for key, value in schema.items()}


def schema(chart: Path) -> dict[str, Any]:
    """JSON Schema of the chart's values: no key is allowed that values.yaml does not have."""
    dependencies = [entry["name"] for entry in yaml.safe_load((chart / "Chart.yaml").read_text()).get("dependencies", [])]
    top = _section({})
    for value in read_values(chart):
        section = top
        for name in value.path[:-1]:
            section = section["properties"].setdefault(name, _section({}))
        section["properties"][value.path[-1]] = value.schema
    for name in (*dependencies, "global"):
        # A dependency's values are checked by its own schema; Helm hands `global` to every chart.
        given = top["properties"].setdefault(name, {"type": "object"})
        if name != "global":
            given.pop("additionalProperties", None)
    if definitions := _definitions(chart):
        top["$defs"] = definitions
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"Values of the chart {chart.name}", **top}


def _definitions(chart: Path) -> dict[str, Any]:
    file = chart / "values.defs.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _section(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties}


def readme(chart: Path) -> str:
    """The chart's README: what it is, and a table of its values."""
    metadata = yaml.safe_load((chart / "Chart.yaml").read_text())
    lines = [f"# {chart.name}", "", f"{metadata['description']}.", ""]
    if chart.name == "trainyard":
        lines += [
            "Installing it: [docs/install.md](../../docs/install.md). Values by task: [docs/values.md](../../docs/values.md).",
            "",
        ]
    else:
        lines += ["A part of [trainyard](../trainyard), which installs it; its values go below the key " + f"`{chart.name}` there.", ""]
    lines += ["Made by `./scripts/chart-docs` from values.yaml.", "", "| value | default | what |", "|---|---|---|"]
    lines += [f"| `{'.'.join(value.path)}` | {_cell(value.default)} | {_escape(value.description)} |" for value in read_values(chart)]
    for definition in _definitions(chart).values():
        if "properties" in definition:
            lines += ["", f"## {definition['title']}", "", "| key | default | what |", "|---|---|---|"]
            lines += [f"| {' | '.join(row)} |" for row in _rows(definition, "")]
    return "\n".join([*lines, ""])


def _rows(definition: dict[str, Any], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, property in definition["properties"].items():
        if "properties" in property:
            yield from _rows(property, f"{prefix}{name}.")
        else:
            yield f"`{prefix}{name}`", _cell(property.get("default")), _escape(property["description"])


def _cell(default: Any) -> str:
    text = json.dumps(default)
    return f"`{text}`" if len(text) <= 60 else "see values.yaml"


def _escape(text: str) -> str:
    return "`".join(part if inside else part.replace("<", "&lt;") for inside, part in _spans(text.replace("|", "\\|")))


def _spans(text: str) -> list[tuple[bool, str]]:
    """The pieces between backticks, and whether each is code."""
    return [(number % 2 == 1, part) for number, part in enumerate(text.split("`"))]


def documents() -> dict[Path, str]:
    """Every file that is made, and what it should hold."""
    made = {}
    for chart in charts():
        made[chart / "values.schema.json"] = json.dumps(schema(chart), indent=2) + "\n"
        made[chart / "README.md"] = readme(chart)
    return made


def main(arguments: list[str]) -> None:
    """Write them, or with ``--check`` say which are out of date. Raises WorkbenchError."""
    if arguments not in ([], ["--check"]):
        raise WorkbenchError("usage: ./scripts/chart-docs [--check]")
    stale = {path: text for path, text in documents().items() if not path.exists() or path.read_text() != text}
    if arguments and stale:
        names = ", ".join(str(path.relative_to(ROOT)) for path in stale)
        raise WorkbenchError(f"out of date: {names}; run ./scripts/chart-docs")
    for path, text in stale.items():
        path.write_text(text)
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
