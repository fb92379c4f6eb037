"""Jobs as the services layer would accept them, for tests below it."""

import itertools
from typing import Any

from trainyard_api.store.repository import NewJob

_numbers = itertools.count(1)


def new_job(job_id: str | None = None, *, workers: int = 1, min_workers: int | None = None, cpus: float = 1, **fields: Any) -> NewJob:
    """A job of the `function` template with ``workers`` of ``cpus`` each; ids are unique and sort in the order they were made."""
    job_id = job_id or f"{next(_numbers):012x}"
    resources = {
        "workers": workers,
        "min_workers": min_workers,
        "cpus_per_worker": cpus,
        "gpus_per_worker": 0.0,
        "memory_gb_per_worker": None,
    }
    values: dict[str, Any] = {
        "name": f"job-{job_id}",
        "template": "function",
        "parameters": {"config": {"lr": 0.1}},
        "tags": {},
        "spec": {"version": 1, "kind": "function", "entry": "package.module:train", "resources": resources},
        "resources": resources,
    }
    return NewJob(id=job_id, **(values | fields))
