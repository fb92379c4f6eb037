"""Logs, records and the newest checkpoint whose agent was killed before it had sent all: sent from the disk of the same machine."""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from pathlib import Path
from typing import IO

from trainyard_train.checkpoint_queue import drop, unsent
from trainyard_train.checkpoints import CheckpointStore, exists
from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import LogShipper
from trainyard_train.objects import Objects

PATIENCE_SECONDS = 10.0
_POLL_SECONDS = 0.1


def claim(spool: Path, source: str) -> IO[str]:
    """Taken by the agent of ``source`` (`rank-0`): as long as it lives and keeps this open, nobody else sends its files. Raises OSError."""
    (spool / "claims").mkdir(parents=True, exist_ok=True)
    file = (spool / "claims" / source).open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _await_end(spool: Path, source: str) -> bool:
    """Wait until the agent has ended; False when it takes too long."""
    claimed = spool / "claims" / source
    if not claimed.exists():
        return True
    deadline = time.monotonic() + PATIENCE_SECONDS
    with claimed.open() as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(_POLL_SECONDS)
            else:
                return True


def send_leftovers(env: JobEnvironment, objects: Objects) -> None:
    """Send what the ranks of this attempt left on this machine, which Ray has stopped."""
    _send(env, objects, env.attempt, "rank-*")


def send_earlier_leftovers(env: JobEnvironment, objects: Objects) -> None:
    """Send what earlier attempts left on this machine, and remove their folders when all is sent."""
    for number in range(1, env.attempt):
        spool = _spool(env, number)
        if spool.exists() and _send(env, objects, number, "*"):
            shutil.rmtree(spool, ignore_errors=True)


def drop_copies(env: JobEnvironment) -> None:
    """Remove the code and checkpoints that earlier attempts had fetched to this machine; what they made stays until it is sent."""
    for number in range(1, env.attempt):
        for name in ("code", "resume"):
            shutil.rmtree(_spool(env, number) / name, ignore_errors=True)


def _spool(env: JobEnvironment, attempt: int) -> Path:
    return env.spool_dir / env.job_id / str(attempt)


def _send(env: JobEnvironment, objects: Objects, attempt: int, names: str) -> bool:
    """Whether everything is sent."""
    spool, prefix = _spool(env, attempt), f"jobs/{env.job_id}/attempts/{attempt}"
    sent = True
    for kind, suffix in (("logs", ".log"), ("records", ".jsonl")):
        for path in sorted((spool / kind).glob(f"{names}{suffix}")):
            try:
                source = path.stem if path.stem.startswith("rank-") else f"rank-{path.stem}"
                sent = _await_end(spool, source) and _send_file(objects, path, f"{prefix}/{kind}/{source}", suffix) and sent
            except (OSError, ValueError):
                sent = False
    try:
        return _await_end(spool, "rank-0") and _send_checkpoint(env, objects, attempt) and sent
    except (OSError, ValueError):
        return False


def _send_file(objects: Objects, path: Path, prefix: str, suffix: str) -> bool:
    chunks = [key for key in objects.list(prefix) if key.endswith(suffix)]
    offset = 0
    if chunks:
        offset = int(Path(chunks[-1]).stem) + len(objects.get(chunks[-1]) or b"")
    if path.stat().st_size <= offset:
        return True
    return LogShipper(path, prefix, objects.put, suffix=suffix, piece_bytes=0, offset=offset).close(PATIENCE_SECONDS)


def _send_checkpoint(env: JobEnvironment, objects: Objects, attempt: int) -> bool:
    left = unsent(_spool(env, attempt) / env.checkpoint_queue.name)
    if left:
        about = json.loads((left[-1] / "about.json").read_text())
        if not exists(objects, env.job_id, about["step"]):
            store = CheckpointStore(objects, env.job_id, attempt, env.spec.checkpoints)
            store.save(about["step"], left[-1] / "files", about["metrics"])
    drop(left)
    return True
