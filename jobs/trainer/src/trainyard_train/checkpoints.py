"""Checkpoints in the object store: the files first, the manifest last, so that what has a manifest is whole."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from trainyard_train.objects import Objects

KEEP = 2


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(job_id: str, step: int) -> str:
    return f"jobs/{job_id}/checkpoints/{step:012d}"


def _steps(objects: Objects, job_id: str) -> list[int]:
    keys = objects.list(f"jobs/{job_id}/checkpoints")
    return sorted(int(key.split("/")[-2]) for key in keys if key.endswith("/manifest.json"))


def save(objects: Objects, job_id: str, step: int, folder: Path) -> int:
    """Upload one checkpoint, then drop all but the newest two; its size in bytes. Raises OSError."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    target = _folder(job_id, step)
    manifest = {}
    for path in files:
        name = path.relative_to(folder).as_posix()
        objects.put_file(f"{target}/{name}", path)
        manifest[name] = _digest(path)
    objects.put_json(f"{target}/manifest.json", {"step": step, "files": manifest})
    for old in _steps(objects, job_id)[:-KEEP]:
        objects.delete_folder(_folder(job_id, old))
    return sum(path.stat().st_size for path in files)


@dataclass(frozen=True)
class Restored:
    """A checkpoint on local disk."""

    step: int
    path: Path


def restore(objects: Objects, job_id: str, into: Path) -> Restored | None:
    """The newest whole checkpoint below ``into``; a damaged one is passed over for the one before it. Raises OSError."""
    for step in reversed(_steps(objects, job_id)):
        manifest = objects.get_json(f"{_folder(job_id, step)}/manifest.json")
        target = into / f"{step:012d}"
        shutil.rmtree(target, ignore_errors=True)
        whole = True
        for name, digest in manifest["files"].items():
            content = objects.get(f"{_folder(job_id, step)}/{name}")
            path = target / name
            if content is None or hashlib.sha256(content).hexdigest() != digest or not path.resolve().is_relative_to(into.resolve()):
                whole = False
                break
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if whole:
            target.mkdir(parents=True, exist_ok=True)
            return Restored(step, target)
    return None
