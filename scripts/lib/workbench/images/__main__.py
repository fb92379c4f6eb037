"""The command ``scripts/images``."""

import argparse
import json
import sys
import time
from typing import Any

from workbench.errors import WorkbenchError
from workbench.images import registry
from workbench.images.catalogue import IMAGES, REGISTRY, Image, named
from workbench.images.engines import Engine, choose


def build(engine: Engine, images: list[Image]) -> None:
    """Build what is not there yet. Raises WorkbenchError."""
    for image in images:
        if engine.size(image.reference) is not None:
            print(f"{image.name}: {image.reference} is built")
            continue
        started = time.monotonic()
        engine.build(image)
        print(f"{image.name}: built {image.reference} in {time.monotonic() - started:.0f} s", flush=True)


def push(engine: Engine, images: list[Image]) -> None:
    """Push them, built anew where their inputs changed. Raises WorkbenchError."""
    if not registry.answers(REGISTRY):
        raise WorkbenchError(f"no registry answers at {REGISTRY}: ./scripts/cluster up starts it")
    for image in images:
        engine.build(image)
        engine.push(image)
        print(f"{image.name}: pushed {image.reference}", flush=True)


def describe(engine: Engine, image: Image) -> dict[str, Any]:
    """What `list` tells of an image; the sizes are None where it is not built or not pushed."""
    try:
        reference = image.reference
    except WorkbenchError as error:
        return {"name": image.name, "key": None, "reference": None, "size": None, "compressed_size": None, "problem": str(error)}
    size = engine.size(reference)
    compressed = registry.compressed_bytes(reference)
    return {
        "name": image.name,
        "key": image.key,
        "reference": reference,
        "built": size is not None,
        "pushed": compressed is not None,
        "size": size,
        "compressed_size": compressed,
    }


def show(engine: Engine, as_json: bool) -> None:
    """Print every image."""
    rows = [describe(engine, image) for image in IMAGES.values()]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    print(f"{'name':<18}{'key':<18}{'built':<7}{'size':>10}{'compressed':>12}")
    for row in rows:
        if row["key"] is None:
            print(f"{row['name']:<18}{row['problem']}")
            continue
        print(
            f"{row['name']:<18}{row['key']:<18}{'yes' if row['built'] else 'no':<7}{_mb(row['size']):>10}{_mb(row['compressed_size']):>12}"
        )


def _mb(size: int | None) -> str:
    return "-" if size is None else f"{size / 1e6:.1f} MB"


def main(argv: list[str]) -> None:
    """Run the command. Raises WorkbenchError."""
    parser = argparse.ArgumentParser(prog="./scripts/images", description="Builds, pushes and lists the container images.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("build", "build images whose inputs changed"), ("push", f"build them and push them to {REGISTRY}")):
        command = commands.add_parser(name, help=text)
        command.add_argument("names", nargs="*", metavar="NAME", help="all but trainer-cuda when none is named")
    listing = commands.add_parser("list", help="name, input key and sizes of every image")
    listing.add_argument("--json", action="store_true")
    arguments = parser.parse_args(argv)
    if arguments.command == "list":
        show(choose(), arguments.json)
        return
    {"build": build, "push": push}[arguments.command](choose(), named(arguments.names))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
