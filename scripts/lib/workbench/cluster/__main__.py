"""`./scripts/cluster`: a Kubernetes cluster to develop and test on."""

import argparse
import sys

from workbench.cluster.providers import NAMES, Provider, choose
from workbench.errors import WorkbenchError


def main(arguments: list[str]) -> int:
    """Run one command; the exit status. Raises WorkbenchError."""
    asked = _parser().parse_args(arguments)
    provider = choose(asked.provider)
    match asked.command:
        case "up":
            provider.up()
        case "down":
            provider.down()
        case "reset":
            provider.down()
            provider.up()
        case "kubeconfig":
            print(provider.kubeconfig())
        case "load":
            for image in asked.images:
                provider.load(image)
        case "status":
            return _status(provider)
    return 0


def _status(provider: Provider) -> int:
    states = provider.status()
    if not states:
        print("There is no cluster: ./scripts/cluster up")
        return 1
    width = max(map(len, states))
    for name, state in states.items():
        print(f"{name:{width}}  {state}")
    return 0 if set(states.values()) == {"ready"} else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./scripts/cluster", description="A Kubernetes cluster to develop and test on; see docs/develop.md."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, does in {
        "up": "make the cluster, or mend it; safe to repeat",
        "down": "remove it with all it made; the registry's images stay in the cache",
        "status": "its components; exit status 1 unless all are ready",
        "kubeconfig": "print the path of the administrator's kubeconfig",
        "load": "bring images or archives into the node",
        "reset": "down, then up: an empty cluster",
    }.items():
        command = commands.add_parser(name, help=does, description=does.capitalize() + ".")
        command.add_argument(
            "--provider",
            choices=NAMES,
            help="kind: containers of Docker or Podman; processes: Linux and root, no engine (default: the one that has a cluster,"
            " else kind where an engine runs)",
        )
        if name == "load":
            command.add_argument("images", nargs="+", metavar="IMAGE", help="a name, or the file of an OCI or Docker archive")
    return parser


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
