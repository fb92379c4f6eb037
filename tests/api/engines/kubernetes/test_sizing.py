"""How many pods an attempt gets, and how large they are."""

from typing import Any

import pytest

from trainyard_api.engines.kubernetes.sizing import Layout, lay_out
from trainyard_templates.kubernetes import PodShape

GIB = 2**30
ROOMY = [{"cpus": 64.0, "gpus": 8.0, "memory_gb": 512.0}]
FULL = [{"cpus": 1.5, "gpus": 0.0, "memory_gb": 512.0}]


def asked(cpus: float = 1.0, gpus: float = 0.0, memory: float | None = None) -> dict[str, Any]:
    return {"cpus_per_worker": cpus, "gpus_per_worker": gpus, "memory_gb_per_worker": memory}


def test_one_worker_runs_in_the_heads_pod_whatever_is_free() -> None:
    assert lay_out(1, asked(), FULL) == Layout(PodShape(1200, 4 * GIB, 0, 1))
    assert lay_out(1, asked(), []) == Layout(PodShape(1200, 4 * GIB, 0, 1))


def test_all_ranks_share_the_heads_pod_where_a_node_has_room_for_it() -> None:
    assert lay_out(4, asked(2, 1, 8), [*FULL, *ROOMY]) == Layout(PodShape(8200, 34 * GIB, 4, 8))


@pytest.mark.parametrize(
    "node",
    [
        {"cpus": 2.1, "gpus": 2.0, "memory_gb": 64.0},
        {"cpus": 8.0, "gpus": 1.0, "memory_gb": 64.0},
        {"cpus": 8.0, "gpus": 2.0, "memory_gb": 5.9},
    ],
)
def test_where_none_has_one_rank_stays_beside_the_head(node: dict[str, float]) -> None:
    layout = lay_out(2, asked(1, 1, 2), [node])
    assert layout == Layout(PodShape(1200, 4 * GIB, 1, 1), PodShape(1100, 2 * GIB + GIB // 2, 1, 1), 1)


def test_ranks_without_a_wish_get_memory_by_their_cores() -> None:
    layout = lay_out(2, asked(4), FULL)
    assert layout.worker is not None
    assert layout.worker.memory_bytes == 8 * GIB + GIB // 2
    assert lay_out(1, asked(0.5), FULL).head.memory_bytes == 2 * GIB + 2 * GIB


@pytest.mark.parametrize(
    ("workers", "cpus", "gpus", "in_head", "replicas"),
    [
        (3, 1.0, 0, 1, 2),
        (3, 0.5, 0, 2, 1),
        (25, 0.1, 0, 10, 2),
        (4, 2.0, 0.5, 2, 1),
        (3, 1.5, 0, 1, 2),
        (5, 0.3, 0, 3, 1),
        (2, 0.5, 0, 2, 0),
    ],
)
def test_small_ranks_share_one_core_or_one_gpu(workers: int, cpus: float, gpus: float, in_head: int, replicas: int) -> None:
    layout = lay_out(workers, asked(cpus, gpus), [])
    assert layout.replicas == replicas
    assert layout.head.cpu_millis == pytest.approx((min(in_head, workers) * cpus + 0.2) * 1000, abs=1)


@pytest.mark.parametrize("cpus", [0.1, 0.25, 0.3, 0.5, 0.6, 1.0, 1.5, 2.0, 3.0])
def test_ray_cannot_put_more_ranks_in_a_pod_than_were_planned(cpus: float) -> None:
    """Ray counts in whole cores and packs: one rank more than the pod was sized for must not fit."""
    layout = lay_out(50, asked(cpus), [])
    assert layout.worker is not None
    planned = round((layout.worker.cpu_millis / 1000 - 0.1) / cpus)
    assert planned * cpus <= layout.worker.ray_cpus + 1e-6
    assert (planned + 1) * cpus > layout.worker.ray_cpus + 1e-6
