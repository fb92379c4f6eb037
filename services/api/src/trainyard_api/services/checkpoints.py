"""Checkpoints of jobs, as their manifests describe them."""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from trainyard_api.objects import ObjectMissing, ObjectStore, ObjectStoreError
from trainyard_api.services.errors import FieldError, Invalid, Missing
from trainyard_api.services.platform import Platform
from trainyard_api.services.strict_json import printable
from trainyard_api.services.zip_streams import ZipEntry, is_plain_path, zipped
from trainyard_api.store.errors import NotFound
from trainyard_api.store.models import Job
from trainyard_templates import CheckpointPolicy

LARGEST_STEP = 10**12 - 1
_MANIFEST = "manifest.json"
_SHOWN_STEPS = 10


@dataclass(frozen=True)
class StoredFile:
    """One file of a checkpoint, its size in bytes and its digest in hex."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint: its manifest can be read, and every file is there with its size. ``key`` is the prefix of its objects."""

    key: str
    step: int
    created_at: datetime
    attempt: int
    files: tuple[StoredFile, ...]
    metrics: dict[str, float]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class ListedCheckpoint:
    """A checkpoint among those of its job."""

    checkpoint: Checkpoint
    best: bool
    latest: bool


def checkpoints_of(platform: Platform, job_id: str) -> list[ListedCheckpoint]:
    """Every whole checkpoint of the job, newest first. Raises NotFound, ObjectStoreError."""
    job = platform.repository.get_job(job_id)
    found = _whole_checkpoints(platform.objects, job.id)
    best = _best(found, CheckpointPolicy.model_validate(job.checkpoints or {}))
    return [ListedCheckpoint(one, one is best, number == 0) for number, one in enumerate(found)]


def checkpoint_archive(platform: Platform, job_id: str, step: int) -> tuple[Job, Iterator[bytes]]:
    """The job, and one of its checkpoints as a .zip. Raises NotFound, Missing, ObjectStoreError.

    The archive breaks off where a file is not what the manifest says, so that nobody takes a damaged one for whole.
    """
    job = platform.repository.get_job(job_id)
    found = _by_step(_whole_checkpoints(platform.objects, job.id)).get(step)
    if found is None:
        raise Missing(f"job {job.id} has no whole checkpoint of step {step}")
    entries = (ZipEntry(file.name, file.size, _verified(platform.objects, found.key, file)) for file in found.files)
    return job, zipped(entries, modified=found.created_at)


def find_to_resume(platform: Platform, job_id: str, step: int | None) -> Checkpoint:
    """The checkpoint that a new job asks for: the newest when ``step`` is None. Raises Invalid, ObjectStoreError."""
    try:
        job = platform.repository.get_job(job_id)
    except NotFound:
        raise Invalid(FieldError("resume.job", f"there is no job {printable(job_id)}", "give the id of a job with checkpoints")) from None
    found = _whole_checkpoints(platform.objects, job.id)
    if not found:
        raise Invalid(FieldError("resume.job", f"job {job.id} has no whole checkpoint", "resume from a job that has saved one"))
    if step is None:
        return found[0]
    wanted = _by_step(found).get(step)
    if wanted is None:
        steps = ", ".join(str(one.step) for one in found[:_SHOWN_STEPS]) + (", ..." if len(found) > _SHOWN_STEPS else "")
        raise Invalid(FieldError("resume.step", f"job {job.id} has no whole checkpoint of step {step}", f"use one of: {steps}"))
    return wanted


def _by_step(checkpoints: list[Checkpoint]) -> dict[int, Checkpoint]:
    return {one.step: one for one in checkpoints}


def _whole_checkpoints(objects: ObjectStore, job_id: str) -> list[Checkpoint]:
    """Newest first: those of a later attempt are newer whatever their step. Raises ObjectStoreError."""
    prefix, sizes = f"jobs/{job_id}/checkpoints/", dict[str, dict[str, int]]()
    for info in objects.list(prefix):
        folder, _, name = info.key.removeprefix(prefix).partition("/")
        if folder.isascii() and folder.isdecimal() and len(folder) == 12 and name:
            sizes.setdefault(folder, {})[name] = info.size
    found = [_checkpoint(objects, f"{prefix}{folder}", int(folder), there) for folder, there in sizes.items() if _MANIFEST in there]
    return sorted((one for one in found if one is not None), key=lambda one: (one.attempt, one.step), reverse=True)


def _checkpoint(objects: ObjectStore, key: str, step: int, there: dict[str, int]) -> Checkpoint | None:
    """The checkpoint below ``key``, of which these files are there with these sizes; None when it is not whole."""
    try:
        body = json.loads(objects.get_bytes(f"{key}/{_MANIFEST}"))
        files = tuple(
            StoredFile(str(name), int(entry["size"]), str(entry["sha256"])) for name, entry in sorted(dict(body["files"]).items())
        )
        if not all(is_plain_path(file.name) and there.get(file.name) == file.size for file in files):
            return None
        return Checkpoint(key, step, datetime.fromtimestamp(float(body["time"]), UTC), int(body["attempt"]), files, _figures(body))
    except ObjectMissing:  # its job has dropped it meanwhile
        return None
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None


def _figures(body: dict[str, Any]) -> dict[str, float]:
    metrics = {str(name): float(value) for name, value in dict(body["metrics"]).items()}
    return {name: value for name, value in metrics.items() if math.isfinite(value)}


def _best(checkpoints: list[Checkpoint], policy: CheckpointPolicy) -> Checkpoint | None:
    """The best by the policy's metric, of equals the one of the highest step; None where no metric is named or none has it."""
    name, sign = policy.best_metric, 1 if policy.best_mode == "max" else -1
    measured = [one for one in checkpoints if name is not None and name in one.metrics]
    return max(measured, key=lambda one: (sign * one.metrics[name or ""], one.step), default=None)


def _verified(objects: ObjectStore, key: str, file: StoredFile) -> Iterator[bytes]:
    """The file in pieces. Raises ObjectStoreError after the last one when they are not what was saved."""
    digest = hashlib.sha256()
    for piece in objects.read(f"{key}/{file.name}"):
        digest.update(piece)
        yield piece
    if digest.hexdigest() != file.sha256:
        raise ObjectStoreError(f"{key}/{file.name} has another content than was saved")
