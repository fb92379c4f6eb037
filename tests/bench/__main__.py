"""`python -m tests.bench [FIGURE...] [--pairs N]`: measure, print, and (for all figures) write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.bench import embedded, jobs, portal, report
from tests.bench.by_hand import fresh_config
from tests.bench.goals import Goal
from tests.bench.pairs import Figure, spread
from trainyard.embedded import lifecycle

PORTAL = ("portal-size", "portal-jobs", "portal-compare", "portal-log")
FIGURES = ("start-up", "idle-memory", "first-step", "throughput", *PORTAL)
#: `portal` stands for all of the portal's.
GROUPS = {"portal": PORTAL}


def main() -> int:
    """Measure the figures that were asked for."""
    parser = argparse.ArgumentParser(prog="./scripts/bench", description=__doc__)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"one of {', '.join(FIGURES)}, or portal; all when none is given")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of readings per figure (default 7)")
    options = parser.parse_args()
    if unknown := set(options.figures) - set(FIGURES) - set(GROUPS):
        parser.error(f"unknown figure {', '.join(sorted(unknown))}")
    wanted = [name for figure in options.figures or FIGURES for name in GROUPS.get(figure, (figure,))]
    found: list[Figure] = []
    if "start-up" in wanted:
        found.append(embedded.start_up(options.pairs))
    if "idle-memory" in wanted:
        found.append(embedded.idle_memory(min(3, options.pairs)))
    if {"first-step", "throughput"} & set(wanted):
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        config = fresh_config(folder)
        with lifecycle.platform(config):
            if "first-step" in wanted:
                found.append(jobs.first_step(options.pairs, config))
            if "throughput" in wanted:
                found.append(jobs.throughput(options.pairs, config))
        shutil.rmtree(folder, ignore_errors=True)
    goals: list[Goal] = []
    if set(PORTAL) & set(wanted):
        portal.build()
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        config = fresh_config(folder)
        with lifecycle.platform(config), portal.chromium() as browser:
            if "portal-size" in wanted:
                found.append(portal.size(browser, config))
            if "portal-log" in wanted:
                goals.append(portal.log_line(browser, config))
            if "portal-compare" in wanted:
                goals.append(portal.compare(browser, config, options.pairs))
            if "portal-jobs" in wanted:
                goals.append(portal.jobs_list(browser, config, options.pairs))
        shutil.rmtree(folder, ignore_errors=True)
    for goal in goals:
        print(goal)
    for figure in found:
        print(f"{figure.title}: ratio {spread(figure.ratios)}, goal {figure.goal} {'met' if figure.met else 'NOT met'}")
    if not options.figures:
        report.write(found, goals, " ".join(["./scripts/bench", *sys.argv[1:]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
