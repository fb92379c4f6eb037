"""What the API and the way to MLflow cost when there is much: jobs in the list, points in a chart, metrics per second."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.bench import portal_data
from tests.bench.by_hand import fresh_platform
from tests.bench.goals import Goal, p95
from tests.bench.pairs import Figure, alternate
from trainyard.embedded.config import PlatformConfig
from trainyard_train.mlflow_batches import MlflowBatches
from trainyard_train.records import RecordReader, RecordWriter, is_for_mlflow

FEW, MANY = 1_000, 100_000
POINTS = 1_000_000
_REQUESTS, _SEARCHES = 100, 20
_BATCHED = 20_000
_SINGLE = 200


def http_client(config: PlatformConfig) -> httpx.Client:
    """The platform's API."""
    headers = {"Authorization": f"Bearer {config.api_token_file.read_text().strip()}"}
    return httpx.Client(base_url=f"{config.url}/api/v1", headers=headers, timeout=600, trust_env=False)


def _milliseconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return (time.perf_counter() - begun) * 1000


def jobs_list(pairs: int) -> list[Figure | Goal]:
    """Milliseconds of a filtered page of 50, with 100,000 jobs and with 1,000, and of MLflow's search among as many runs."""
    with (
        fresh_platform() as small,
        fresh_platform() as large,
        http_client(small) as few,
        http_client(large) as many,
        _mlflow(large) as runs,
    ):
        portal_data.fill_jobs(small, FEW)
        portal_data.fill_jobs(large, MANY)
        experiment = portal_data.fill_experiment(large, MANY)
        search = {"experiment_ids": [experiment], "filter": "attributes.status = 'FINISHED'", "max_results": 50}

        def page(client: httpx.Client) -> float:
            ask = lambda: client.get("/jobs", params={"limit": 50, "state": "SUCCEEDED"}).raise_for_status()  # noqa: E731
            return p95([_milliseconds(ask) for _ in range(_REQUESTS)])

        def found() -> float:
            ask = lambda: runs.post("/runs/search", json=search).raise_for_status()  # noqa: E731
            return p95([_milliseconds(ask) for _ in range(_SEARCHES)])

        for client in (few, many):
            page(client)
        assert len(runs.post("/runs/search", json=search).raise_for_status().json()["runs"]) == 50
        title = f"A page of 50 of {MANY:,} jobs, filtered: p95"
        first, second = alternate(title, pairs, lambda: page(many), lambda: page(few))
        third, fourth = alternate(f"{title} (search_runs)", pairs, lambda: page(many), found)
    return [
        Figure(title, "ms", f"the same of {FEW:,} jobs", first, second, goal=1.1),
        Figure(title, "ms", f"MLflow's `search_runs` for 50 of {MANY:,} runs, filtered", third, fourth, goal=0.2),
        Goal(title, "ms", first, most=100),
    ]


def chart(pairs: int) -> tuple[Figure, Goal]:
    """A metric of a million points as the portal draws it: bytes against MLflow's history, and milliseconds."""
    with fresh_platform() as config, http_client(config) as client:
        [job] = portal_data.fill_runs(config, 1, POINTS)
        ask = lambda: client.get(f"/jobs/{job}/metrics").raise_for_status()  # noqa: E731
        size = len(ask().content)
        run = client.get(f"/jobs/{job}").raise_for_status().json()["mlflow_run_id"]
        whole = _history_bytes(config, run)
        readings = [p95([_milliseconds(ask) for _ in range(_REQUESTS)]) for _ in range(pairs)]
    title = f"A chart of {POINTS:,} points"
    figure = Figure(f"{title}: bytes", "kB", "MLflow's get-history of the same metric", [size / 1000], [whole / 1000], goal=0.05)
    return figure, Goal(f"{title}: p95 of a request", "ms", readings, most=50)


def _mlflow(config: PlatformConfig) -> httpx.Client:
    return httpx.Client(base_url=f"{config.mlflow_url}/api/2.0/mlflow", timeout=120, trust_env=False)


def _history_bytes(config: PlatformConfig, run: str) -> int:
    size, token = 0, ""
    with _mlflow(config) as mlflow:
        while True:
            asked = {"run_id": run, "metric_key": "loss", "max_results": "25000", **({"page_token": token} if token else {})}
            answer = mlflow.get("/metrics/get-history", params=asked).raise_for_status()
            size += len(answer.content)
            token = answer.json().get("next_page_token") or ""
            if not token:
                return size


def metrics_rate(pairs: int) -> list[Figure]:
    """Points per second into MLflow: as the rank's agent sends them from its records, against the client's own calls."""
    import mlflow
    from mlflow.entities import Metric

    with fresh_platform() as config, tempfile.TemporaryDirectory() as folder:
        service = mlflow.MlflowClient(config.mlflow_url)
        experiment = service.create_experiment(f"bench-{secrets.token_hex(4)}")
        batches = MlflowBatches(config.mlflow_url)

        def fresh_run() -> str:
            return str(service.create_run(experiment).info.run_id)

        def ours() -> float:
            run, path = fresh_run(), Path(folder) / secrets.token_hex(4)
            writer = RecordWriter(path)
            for step in range(_BATCHED):
                writer.write("metrics", metrics={"loss": 1 / (step + 1)}, step=step)
            begun = time.perf_counter()
            for records in RecordReader(path, is_for_mlflow).pieces():
                problem = batches.send(run, records)
                assert problem is None, problem
            return _BATCHED / (time.perf_counter() - begun)

        def one_by_one() -> float:
            run = fresh_run()
            begun = time.perf_counter()
            for step in range(_SINGLE):
                service.log_metric(run, "loss", 1 / (step + 1), step=step)
            return _SINGLE / (time.perf_counter() - begun)

        def in_batches() -> float:
            run = fresh_run()
            now = int(time.time() * 1000)
            begun = time.perf_counter()
            for start in range(0, _BATCHED, 1000):
                service.log_batch(run, [Metric("loss", 1 / (step + 1), now, step) for step in range(start, start + 1000)])
            return _BATCHED / (time.perf_counter() - begun)

        title = "Metrics to MLflow"
        single = alternate(f"{title} (log_metric)", pairs, ours, one_by_one)
        batched = alternate(f"{title} (log_batch)", pairs, ours, in_batches)
        batches.close()
    return [
        Figure(title, "points/s", "a loop of `log_metric`", *single, goal=50, better="higher"),
        Figure(title, "points/s", "`log_batch` of 1,000", *batched, goal=1.0, better="higher"),
    ]
