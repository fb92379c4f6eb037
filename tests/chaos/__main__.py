"""`python -m tests.chaos [CASE...] [--cluster] [--repeat N]`, or `soak`: faults on a platform that is started for them."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from tests.chaos import control_plane, kubernetes, stores, training
from tests.chaos.case import Case, Result, run_case, table
from tests.chaos.embedded import embedded_yard
from tests.chaos.kubernetes import cluster_yard
from tests.chaos.soak import soak
from tests.chaos.stores import stores_yard
from tests.support.processes import ServerUnavailable


@dataclass(frozen=True)
class Ground:
    """A kind of platform: how one is made, and the cases that it can have."""

    title: str
    opened: Callable[[], AbstractContextManager[Any]]
    cases: Sequence[Case[Any]]


EMBEDDED = (
    Ground("embedded platform", embedded_yard, [*training.CASES, *control_plane.CASES]),
    Ground("embedded platform on PostgreSQL and MinIO", stores_yard, stores.CASES),
)
CLUSTER = (Ground("chart on the test cluster", cluster_yard, [*training.CASES, *kubernetes.CASES]),)


def say(line: str) -> None:
    """A line of progress; the table alone goes to standard output."""
    print(line, file=sys.stderr, flush=True)


def run(ground: Ground, names: list[str], repeat: int) -> list[Result]:
    """The named cases of this ground, or all of them, on one platform. Raises ServerUnavailable when it cannot be had on this machine."""
    asked = [case for case in ground.cases if not names or case.name in names]
    results: list[Result] = []
    if not asked:
        return results
    say(f"Starting: {ground.title} ...")
    with ground.opened() as yard:
        for case in asked:
            for number in range(1, repeat + 1):
                say(f"{case.name} ({number} of {repeat}) ...")
                results.append(run_case(case, yard))
                say(f"{case.name}: {'passed' if results[-1].passed else 'FAILED'} in {results[-1].seconds:.0f} s: {results[-1].seen}")
                yard.mend()
    return results


def main() -> int:
    """Run what was asked for; the exit status is 1 when anything was lost, 2 when a platform cannot be had here."""
    parser = argparse.ArgumentParser(prog="./scripts/chaos", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases, or `soak`; every case when none is given")
    parser.add_argument("--cluster", action="store_true", help="on the Kubernetes of ./scripts/cluster instead of embedded platforms")
    parser.add_argument("--list", action="store_true", help="show the cases and end")
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run each case N times")
    parser.add_argument("--jobs", type=int, default=20, metavar="N", help="soak: how many jobs (default 20)")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="soak: how many of them at the same time (default 2)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="soak: the same seed gives the same faults")
    parser.add_argument("--minutes", type=float, default=20, metavar="N", help="soak: start no more after so long (default 20)")
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell had it ignored: what was started is taken away
        signal.signal(number, signal.default_int_handler)
    grounds = CLUSTER if options.cluster else EMBEDDED
    if options.list:
        for ground in grounds:
            print(f"{ground.title}:")
            for case in ground.cases:
                print(f"  {case.name:22} {case.fault}: {case.expected}")
        return 0
    if options.cases == ["soak"]:
        if options.cluster:
            parser.error("the soak runs on an embedded platform only")
        with embedded_yard() as yard:
            failures = soak(yard, options.jobs, options.seed, options.minutes, options.at_once, say)
        print("\n".join(failures) or "nothing was lost")
        return 1 if failures else 0
    if unknown := set(options.cases) - {case.name for ground in grounds for case in ground.cases}:
        parser.error(f"unknown case {', '.join(sorted(unknown))}; --list shows them")
    results: list[Result] = []
    missing = False
    for ground in grounds:
        try:
            results += run(ground, options.cases, options.repeat)
        except ServerUnavailable as reason:
            missing = True
            say(f"No {ground.title}: {reason}")
    print(table(results))
    return 2 if missing else 0 if all(one.passed for one in results) else 1


if __name__ == "__main__":
    sys.exit(main())
