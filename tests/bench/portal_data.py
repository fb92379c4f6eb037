"""Jobs and runs by the thousand, written where the platform and MLflow keep theirs: through their APIs they would take hours."""

from __future__ import annotations

import json
import math
import secrets
import sqlite3
import time
from contextlib import closing

import httpx

from trainyard.embedded.config import PlatformConfig

_COLUMNS = (
    "id, name, template, team, state, parameters, tags, spec, resources, retries, attempt, attempts_before_retry, "
    "created_at, started_at, finished_at, settled_at, mlflow_run_id, mlflow_experiment_id"
)
#: How the ids of jobs by the thousand begin.
_BULK = "jbulk"
_RESOURCES = {"workers": 1, "min_workers": None, "cpus_per_worker": 1.0, "gpus_per_worker": 0.0, "memory_gb_per_worker": None}


def fill_jobs(config: PlatformConfig, count: int) -> None:
    """``count`` finished jobs, each named after its number; of a thousand, one failed."""
    states = ("FAILED" if number % 1000 == 7 else "SUCCEEDED" for number in range(count))
    _insert(config, (_row(f"{_BULK}{number:08d}", f"job-{number}", {}, number, state=state) for number, state in enumerate(states)))


def drop_jobs(config: PlatformConfig) -> None:
    """Take the jobs of ``fill_jobs`` away again."""
    with closing(sqlite3.connect(config.state_dir / "trainyard.db", timeout=60)) as database:
        database.execute("DELETE FROM jobs WHERE id LIKE ?", (f"{_BULK}%",))
        database.commit()


def fill_runs(config: PlatformConfig, count: int, points: int) -> list[str]:
    """``count`` finished jobs whose runs have one metric of ``points`` values; their ids."""
    ids = [f"jcompare{number:04d}" for number in range(count)]
    with httpx.Client(base_url=f"{config.mlflow_url}/api/2.0/mlflow", timeout=60, trust_env=False) as mlflow:
        experiment = mlflow.post("/experiments/create", json={"name": f"bench-{secrets.token_hex(4)}"}).raise_for_status().json()
        runs = [
            mlflow.post("/runs/create", json={"experiment_id": experiment["experiment_id"], "run_name": one}).raise_for_status().json()
            for one in ids
        ]
    run_ids = [run["run"]["info"]["run_id"] for run in runs]
    now = int(time.time() * 1000)
    with closing(sqlite3.connect(config.state_dir / "mlflow.db", timeout=60)) as database:
        for number, run_id in enumerate(run_ids):
            rows = [
                ("loss", math.exp(-step / (2000 + 10 * number)) + 0.05 * math.sin(step + number), now + 10 * step, run_id, step, 0)
                for step in range(points)
            ]
            database.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)", rows)
            database.execute(
                "INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)", rows[-1]
            )
            database.commit()
    parameters = [{"lr": 10 ** (-1 - number % 5), "width": 8 * (1 + number % 7), "net": f"net-{number % 3}"} for number in range(count)]
    _insert(
        config,
        (
            _row(one, f"run-{number}", parameters[number], number, (run_ids[number], experiment["experiment_id"]))
            for number, one in enumerate(ids)
        ),
    )
    return ids


def fill_experiment(config: PlatformConfig, count: int) -> str:
    """An experiment of MLflow with so many finished runs, of which a thousandth failed, without tags, parameters or metrics; its id."""
    with httpx.Client(base_url=f"{config.mlflow_url}/api/2.0/mlflow", timeout=60, trust_env=False) as mlflow:
        name = {"name": f"bench-{secrets.token_hex(4)}"}
        experiment = str(mlflow.post("/experiments/create", json=name).raise_for_status().json()["experiment_id"])
        made = mlflow.post("/runs/create", json={"experiment_id": experiment}).raise_for_status().json()["run"]["info"]["run_id"]
    with closing(sqlite3.connect(config.state_dir / "mlflow.db", timeout=60)) as database:
        database.row_factory = sqlite3.Row
        row = dict(database.execute("SELECT * FROM runs WHERE run_uuid = ?", (made,)).fetchone())
        rows = (
            {
                **row,
                "run_uuid": f"{number:032x}",
                "name": f"run-{number}",
                "status": "FAILED" if number % 1000 == 7 else "FINISHED",
                "start_time": row["start_time"] + number,
                "end_time": row["start_time"] + number,
            }
            for number in range(count)
        )
        database.executemany(f"INSERT INTO runs ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})", rows)
        database.commit()
    return experiment


def _row(
    job_id: str,
    name: str,
    parameters: dict[str, object],
    number: int,
    run: tuple[str | None, str | None] = (None, None),
    state: str = "SUCCEEDED",
) -> tuple[object, ...]:
    moment = f"2026-01-{1 + number // 86_400:02d} {number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}.000000"
    fixed = (job_id, name, "script", "default", state, json.dumps(parameters), "{}", "{}", json.dumps(_RESOURCES), 0, 1, 0)
    return (*fixed, moment, moment, moment, moment, *run)


def _insert(config: PlatformConfig, rows: object) -> None:
    marks = ", ".join("?" * len(_COLUMNS.split(",")))
    with closing(sqlite3.connect(config.state_dir / "trainyard.db", timeout=60)) as database:
        database.executemany(f"INSERT INTO jobs ({_COLUMNS}) VALUES ({marks})", rows)  # type: ignore[arg-type]
        database.commit()
