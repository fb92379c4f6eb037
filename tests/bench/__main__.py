"""`python -m tests.bench [FIGURE...] [--pairs N] [--write]`: measure and print; with --write docs/benchmarks.md too."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser

from tests.bench import (
    cold_start,
    control_plane,
    embedded,
    in_training,
    jobs,
    on_the_cluster,
    portal,
    recovery,
    report,
    scale,
    waiting_jobs,
)
from tests.bench.by_hand import fresh_platform
from tests.chaos.kubernetes import cluster_yard
from trainyard.embedded.config import PlatformConfig


@dataclass(frozen=True)
class Ground:
    """What some figures are measured on, started once for all of them; each measure is given it and the number of pairs."""

    name: str
    opened: Callable[[], AbstractContextManager[Any]]
    measures: Mapping[str, Callable[[Any, int], Sequence[report.Row]]]


@contextlib.contextmanager
def _portal() -> Iterator[tuple[Browser, PlatformConfig]]:
    portal.build()
    with fresh_platform() as config, portal.chromium() as browser:
        yield browser, config


GROUNDS = (
    Ground(
        "embedded",
        contextlib.nullcontext,
        {
            "start-up": lambda _, pairs: [embedded.start_up(pairs)],
            "idle-memory": lambda _, pairs: [embedded.idle_memory(min(3, pairs))],
            "jobs-list": lambda _, pairs: control_plane.jobs_list(pairs),
            "chart": lambda _, pairs: control_plane.chart(pairs),
            "metrics-rate": lambda _, pairs: control_plane.metrics_rate(pairs),
        },
    ),
    Ground(
        "scale",
        contextlib.nullcontext,
        {
            "scale-active": lambda _, pairs: scale.active_jobs(pairs),
            "scale-jobs": lambda _, pairs: [scale.recorded_jobs(pairs)],
            "scale-points": lambda _, pairs: [scale.metric_points(pairs)],
            "scale-log": lambda _, pairs: [scale.log_bytes(pairs)],
        },
    ),
    Ground(
        "jobs",
        fresh_platform,
        {
            "first-step": lambda config, pairs: [jobs.first_step(pairs, config)],
            "worker-loss": lambda config, pairs: [recovery.worker_loss(pairs, config)],
            "throughput": lambda config, pairs: [jobs.throughput(pairs, config)],
            "loading": lambda config, pairs: jobs.loading(pairs, config),
        },
    ),
    Ground(
        "pool",
        # The warm cluster and the peer have a CPU for each worker, as Ray counts them.
        lambda: fresh_platform(cpus=2 * jobs.WORKERS, warm=jobs.WORKERS),
        {"first-step-pool": lambda config, pairs: [jobs.first_step(pairs, config)]},
    ),
    Ground(
        "training",
        in_training.platform_on_minio,
        {
            "checkpoints": lambda both, pairs: in_training.checkpoints(both, pairs),
            "tracking": lambda both, pairs: in_training.tracking(both, pairs),
        },
    ),
    Ground(
        "portal",
        _portal,
        {
            "portal-size": lambda both, _: [portal.size(*both)],
            "portal-log": lambda both, _: [portal.log_line(*both)],
            "portal-compare": lambda both, pairs: [portal.compare(*both, pairs)],
            "portal-jobs": lambda both, pairs: [portal.jobs_list(*both, pairs)],
        },
    ),
    Ground(
        "cluster",
        cluster_yard,
        {
            "cold-start": lambda yard, pairs: [cold_start.against_sample(yard, pairs, "image-classification")],
            "cold-start-tabular": lambda yard, pairs: [cold_start.against_sample(yard, pairs, "tabular")],
            "cold-start-tax": lambda yard, pairs: [cold_start.against_identical(yard, pairs, "image-classification")],
            "head-loss": lambda yard, pairs: [on_the_cluster.head_loss(yard, pairs)],
            "head-pod-loss": lambda yard, pairs: [on_the_cluster.head_pod_loss(yard, pairs)],
            "log-line": lambda yard, pairs: on_the_cluster.log_line(yard, pairs),
            "throughput-cluster": lambda yard, pairs: [on_the_cluster.training_rate(yard, pairs)],
            "submissions": lambda yard, pairs: on_the_cluster.submissions(yard, pairs),
            "warm-start": lambda yard, pairs: [cold_start.on_a_warm_cluster(yard, pairs, "image-classification")],
        },
    ),
    Ground("queue", waiting_jobs.held_queue, {"waiting-jobs": waiting_jobs.waiting_jobs}),
    Ground("queue-memory", waiting_jobs.held_queue, {"waiting-memory": lambda queue, _: waiting_jobs.waiting_memory(queue)}),
    Ground(
        "installation", on_the_cluster.empty_cluster, {"install": lambda platform, pairs: [on_the_cluster.installation(platform, pairs)]}
    ),
)


def main() -> int:
    """Measure the figures that were asked for."""
    names = [name for ground in GROUNDS for name in (ground.name, *ground.measures)]
    parser = argparse.ArgumentParser(prog="./scripts/bench", description=__doc__)
    parser.add_argument(
        "figures",
        nargs="*",
        metavar="FIGURE",
        help=f"of {', '.join(names)}; all when none is given. "
        "`cluster`, `queue`, `queue-memory`, `installation` need the Kubernetes of ./scripts/cluster",
    )
    parser.add_argument("--pairs", type=int, default=7, help="pairs of readings per figure (default 7)")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/benchmarks.md, in place of earlier ones")
    options = parser.parse_args()
    if unknown := set(options.figures) - set(names):
        parser.error(f"unknown figure {', '.join(sorted(unknown))}")
    for ground in GROUNDS:
        whole = not options.figures or ground.name in options.figures
        wanted = [measure for name, measure in ground.measures.items() if whole or name in options.figures]
        if not wanted:
            continue
        with ground.opened() as opened:
            for measure in wanted:
                for row in measure(opened, options.pairs):
                    print(row, flush=True)
                    if options.write:
                        report.put(row, shlex.join(["./scripts/bench", *sys.argv[1:]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
