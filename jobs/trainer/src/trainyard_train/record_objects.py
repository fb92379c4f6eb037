"""A rank's records in the object store: chunks named by their first byte, and how far MLflow has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from trainyard_train.objects import Objects
from trainyard_train.records import parse

SYSTEM = "system/"


@dataclass
class Reported:
    """The last step that was reported: of all, and by metric."""

    last_step: int | None = None
    last_steps: dict[str, int] = field(default_factory=dict)

    def take(self, record: dict[str, Any]) -> None:
        """Count one record in."""
        if record.get("kind") != "metrics":
            return
        step, metrics = record["step"], record["metrics"]
        for key in metrics:
            self.last_steps[key] = max(step, self.last_steps.get(key, step))
        if not any(key.startswith(SYSTEM) for key in metrics):
            self.last_step = step if self.last_step is None else max(step, self.last_step)


def records_prefix(job_id: str, attempt: int, rank: int) -> str:
    """Where the records of a rank are."""
    return f"jobs/{job_id}/attempts/{attempt}/records/rank-{rank}"


def save_marker(objects: Objects, prefix: str, offset: int, reported: Reported) -> None:
    """Write down that MLflow has everything before byte ``offset``. Raises OSError."""
    marker = {"offset": offset, "last_step": reported.last_step, "last_steps": reported.last_steps}
    objects.put_json(f"{prefix}/delivered.json", marker)


def reported_before(objects: Objects, job_id: str, attempt: int, rank: int) -> Reported:
    """What earlier attempts of the job reported, as far as it reached the object store. Raises OSError."""
    reported = Reported()
    for number in range(attempt - 1, 0, -1):
        prefix = records_prefix(job_id, number, rank)
        marker = objects.get_json(f"{prefix}/delivered.json")
        for record in _read(objects, prefix, marker["offset"] if marker else 0):
            reported.take(record)
        if marker:  # it holds what came before its attempt as well
            for key, step in marker["last_steps"].items():
                reported.last_steps[key] = max(step, reported.last_steps.get(key, step))
            known = [step for step in (reported.last_step, marker["last_step"]) if step is not None]
            reported.last_step = max(known, default=None)
            break
    return reported


def _read(objects: Objects, prefix: str, offset: int) -> Iterator[dict[str, Any]]:
    """The whole records from byte ``offset`` on."""
    chunks = [(int(key.rpartition("/")[2].removesuffix(".jsonl")), key) for key in objects.list(prefix) if key.endswith(".jsonl")]
    following = [start for start, _ in chunks[1:]]
    rest = b""
    for (start, key), end in zip_longest(chunks, following):
        if end is not None and end <= offset:
            continue
        content = (objects.get(key) or b"")[: None if end is None else end - start]
        *lines, rest = (rest + content[max(0, offset - start) :]).split(b"\n")
        yield from (record for line in lines if (record := parse(line)) is not None)
