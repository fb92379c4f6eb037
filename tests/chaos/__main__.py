"""`python -m tests.chaos [CASE...] [--repeat N]`, or `soak`: faults on an embedded platform that is started for them."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.by_hand import fresh_config
from tests.chaos import control_plane, training
from tests.chaos.case import run_case, table
from tests.chaos.soak import soak
from tests.chaos.yard import Yard
from trainyard.embedded import lifecycle

CASES = {case.name: case for case in (*training.CASES, *control_plane.CASES)}


def say(line: str) -> None:
    """A line of progress; the table alone goes to standard output."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def fresh_yard() -> Iterator[Yard]:
    """A platform in a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    config = fresh_config(folder)
    try:
        with lifecycle.platform(config):
            yield Yard(config)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run what was asked for; the exit status is 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="./scripts/chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or `soak`; every case when none is given")
    parser.add_argument("--list", action="store_true", help="show the cases and end")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each case N times")
    parser.add_argument("--jobs", type=int, default=20, metavar="N", help="soak: how many jobs (default 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="soak: the same seed gives the same faults")
    parser.add_argument("--minutes", type=float, default=20, metavar="N", help="soak: stop after so long (default 20)")
    options = parser.parse_args()
    if options.list:
        for case in CASES.values():
            print(f"{case.name:22} {case.fault}: {case.expected}")
        return 0
    if options.cases == ["soak"]:
        with fresh_yard() as yard:
            failures = soak(yard, options.jobs, options.seed, options.minutes, say)
        print("\n".join(failures) or "nothing was lost")
        return 1 if failures else 0
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown case {', '.join(sorted(unknown))}; --list shows them")
    results = []
    with fresh_yard() as yard:
        for name in options.cases or CASES:
            for number in range(1, options.repeat + 1):
                say(f"{name} ({number} of {options.repeat}) ...")
                results.append(run_case(CASES[name], yard))
                say(f"{name}: {'passed' if results[-1].passed else 'FAILED'} in {results[-1].seconds:.0f} s: {results[-1].seen}")
                yard.mend()
    print(table(results))
    return 0 if all(one.passed for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
