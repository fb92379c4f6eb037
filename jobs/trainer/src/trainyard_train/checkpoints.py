"""Checkpoints in the object store: the files first, the manifest last, so that what has a manifest is whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainyard_templates.runspec import CheckpointPolicy
from trainyard_train.objects import Objects


class DamagedCheckpoint(OSError):
    """A checkpoint is not what its manifest says; the message says in which way."""


@dataclass(frozen=True)
class Found:
    """The checkpoint to resume from (None: there is no whole one), and what was passed over: a sentence by step."""

    key: str | None
    damaged: dict[int, str] = field(default_factory=dict)


def step_of(key: str) -> int:
    """The step of the checkpoint with this key prefix."""
    return int(key.rpartition("/")[2])


def _base(job_id: str) -> str:
    return f"jobs/{job_id}/checkpoints"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _by_step(objects: Objects, job_id: str) -> dict[int, list[str]]:
    """The names of the objects of each checkpoint, whole or not. Raises OSError."""
    base, found = f"{_base(job_id)}/", dict[int, list[str]]()
    for key in objects.list(_base(job_id)):
        folder, _, name = key.removeprefix(base).partition("/")
        if folder.isdecimal() and name:
            found.setdefault(int(folder), []).append(name)
    return found


def _manifest(objects: Objects, key: str) -> dict[str, Any]:
    """The manifest of one checkpoint. Raises DamagedCheckpoint, OSError."""
    try:
        body: dict[str, Any] = objects.get_json(f"{key}/manifest.json")
        files = {str(name): (str(entry["sha256"]), int(entry["size"])) for name, entry in body["files"].items()}
        metrics = {str(name): float(value) for name, value in body["metrics"].items()}
        return {"files": files, "metrics": metrics, "attempt": int(body["attempt"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedCheckpoint("its manifest cannot be read") from error


class CheckpointStore:
    """The checkpoints of one job, as one attempt adds to them."""

    def __init__(self, objects: Objects, job_id: str, attempt: int, policy: CheckpointPolicy) -> None:
        self._objects, self._job_id, self._attempt, self._policy = objects, job_id, attempt, policy
        #: By step: (attempt, metrics) of those that have a manifest; attempt -1 when it cannot be read.
        self._whole: dict[int, tuple[int, Mapping[str, float]]] = {}

    def save(self, step: int, folder: Path, metrics: Mapping[str, float]) -> int:
        """Upload one checkpoint, then drop those that the policy does not keep; its size in bytes. Raises OSError."""
        key = f"{_base(self._job_id)}/{step:012d}"
        if step in _by_step(self._objects, self._job_id):  # left by an attempt that got no further: never a mixture of two
            self._objects.delete_folder(key)
        entries, total = {}, 0
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            name = path.relative_to(folder).as_posix()
            self._objects.put_file(f"{key}/{name}", path)
            size = path.stat().st_size
            entries[name] = {"sha256": _digest(path), "size": size}
            total += size
        figures = {name: value for name, value in metrics.items() if math.isfinite(value)}
        manifest = {"step": step, "time": time.time(), "attempt": self._attempt, "files": entries, "metrics": figures}
        self._objects.put_json(f"{key}/manifest.json", manifest)
        self._whole[step] = (self._attempt, figures)
        self._prune()
        return total

    def _prune(self) -> None:
        there = _by_step(self._objects, self._job_id)
        for step, names in there.items():
            if "manifest.json" in names and step not in self._whole:
                try:
                    manifest = _manifest(self._objects, f"{_base(self._job_id)}/{step:012d}")
                    self._whole[step] = (manifest["attempt"], manifest["metrics"])
                except DamagedCheckpoint:
                    self._whole[step] = (-1, {})
        # A later attempt's are newer whatever their step: it may have gone back behind a damaged one.
        whole = sorted((step for step in self._whole if step in there), key=lambda step: (self._whole[step][0], step))
        kept = {*whole[-self._policy.keep :], self._best(whole)}
        for step in there:
            if step not in kept:  # also uploads that were cut off
                self._objects.delete_folder(f"{_base(self._job_id)}/{step:012d}")
                self._whole.pop(step, None)

    def _best(self, steps: list[int]) -> int | None:
        """The best by the policy's metric, of equals the newest; None when no metric is named or no checkpoint has it."""
        name = self._policy.best_metric
        if name is None:
            return None
        sign = 1 if self._policy.best_mode == "max" else -1
        measured = [step for step in steps if name in self._whole[step][1]]
        return max(measured, key=lambda step: (sign * self._whole[step][1][name], step), default=None)


def exists(objects: Objects, job_id: str, step: int) -> bool:
    """Whether the job has a checkpoint of this step that is not cut off. Raises OSError."""
    return objects.get(f"{_base(job_id)}/{step:012d}/manifest.json") is not None


def find(objects: Objects, job_id: str, into: Path) -> Found:
    """The newest whole checkpoint of a job, fetched below ``into``; damaged ones are passed over. Raises OSError."""
    damaged: dict[int, str] = {}
    candidates: list[tuple[int, int]] = []
    for step, names in _by_step(objects, job_id).items():
        if "manifest.json" in names:
            try:
                candidates.append((_manifest(objects, f"{_base(job_id)}/{step:012d}")["attempt"], step))
            except DamagedCheckpoint as error:
                damaged[step] = str(error)
    for _, step in sorted(candidates, reverse=True):
        key = f"{_base(job_id)}/{step:012d}"
        try:
            fetch_once(objects, key, into)
        except DamagedCheckpoint as error:
            damaged[step] = str(error)
        else:
            return Found(key, damaged)
    return Found(None, damaged)


def fetch_once(objects: Objects, key: str, into: Path) -> Path:
    """The files of the checkpoint with this key prefix, fetched by the first process of a machine for all.

    Raises:
        DamagedCheckpoint: it is not what its manifest says, or there is none.
        OSError: the object store refuses.
    """
    into.mkdir(parents=True, exist_ok=True)
    target = into / key.replace("/", "-")
    with (into / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            partial = target.with_name(f".partial-{target.name}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _fetch(objects, key, partial)
            partial.rename(target)
    return target


def _fetch(objects: Objects, key: str, target: Path) -> None:
    for name, (digest, size) in _manifest(objects, key)["files"].items():
        path = target / name
        if not path.resolve().is_relative_to(target.resolve()):
            raise DamagedCheckpoint(f"its manifest names {json.dumps(name)}, which is outside of it")
        try:
            objects.get_file(f"{key}/{name}", path)
        except FileNotFoundError as error:
            raise DamagedCheckpoint(f"{name} is missing") from error
        if path.stat().st_size != size:
            raise DamagedCheckpoint(f"{name} has {path.stat().st_size} bytes instead of {size}")
        if _digest(path) != digest:
            raise DamagedCheckpoint(f"{name} has another content than was saved")
