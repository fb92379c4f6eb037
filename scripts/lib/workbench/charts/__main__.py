"""``./scripts/charts``."""

import argparse
import sys

from workbench.charts.kueue import kueue_chart
from workbench.charts.vendor import vendor
from workbench.errors import WorkbenchError


def main(arguments: list[str]) -> None:
    """Run one command. Raises WorkbenchError."""
    parser = argparse.ArgumentParser(prog="./scripts/charts", description="Brings charts of other projects to where Helm finds them.")
    commands = parser.add_subparsers(dest="command", required=True)
    vendoring = commands.add_parser("vendor", help="fill charts/trainyard/charts with what the umbrella depends on")
    vendoring.add_argument("--refresh", action="store_true", help="make anew what is there, asking the publisher again")
    commands.add_parser("kueue", help="print the folder of the kueue chart, which is a release of its own")
    chosen = parser.parse_args(arguments)
    if chosen.command == "kueue":
        print(kueue_chart())
        return
    for sentence in vendor(refresh=chosen.refresh) or ["Nothing to do: charts/trainyard/charts is filled"]:
        print(sentence, file=sys.stderr)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
