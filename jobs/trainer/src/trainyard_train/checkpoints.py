"""Checkpoints in the object store: the files first, the manifest last, so that what has a manifest is whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from trainyard_train.objects import Objects

KEEP = 2


@dataclass(frozen=True)
class Restored:
    """A checkpoint on local disk."""

    step: int
    path: Path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(job_id: str, step: int) -> str:
    return f"jobs/{job_id}/checkpoints/{step:012d}"


def _steps(objects: Objects, job_id: str) -> list[int]:
    """Steps with a manifest, ascending."""
    base = f"jobs/{job_id}/checkpoints"
    folders = [key.removeprefix(f"{base}/").removesuffix("/manifest.json") for key in objects.list(base) if key.endswith("/manifest.json")]
    return sorted(int(name) for name in folders if name.isdecimal())


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


def restore(objects: Objects, job_id: str, into: Path) -> Restored | None:
    """The newest whole checkpoint below ``into``; a damaged one is passed over for the one before it. Raises OSError."""
    for step in reversed(_steps(objects, job_id)):
        target = into / f"{step:012d}"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        if _fetch(objects, _folder(job_id, step), target):
            return Restored(step, target)
        shutil.rmtree(target)
    return None


def _fetch(objects: Objects, folder: str, target: Path) -> bool:
    """Download one checkpoint; False when it is not what its manifest says."""
    try:
        files: dict[str, str] = objects.get_json(f"{folder}/manifest.json")["files"]
        for name, digest in files.items():
            path = target / name
            if not path.resolve().is_relative_to(target.resolve()):
                return False
            objects.get_file(f"{folder}/{name}", path)
            if _digest(path) != digest:
                return False
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def restore_once(objects: Objects, job_id: str, into: Path) -> Restored | None:
    """``restore``, done by the first rank of a machine for all of them. Raises OSError."""
    into.mkdir(parents=True, exist_ok=True)
    done = into / "restored.json"
    with (into / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            restored = restore(objects, job_id, into)
            done.write_text(json.dumps(restored.step if restored else None))
            return restored
        step = json.loads(done.read_text())
    return None if step is None else Restored(step, into / f"{step:012d}")
