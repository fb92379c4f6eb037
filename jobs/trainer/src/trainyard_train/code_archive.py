"""The user's code on a worker's disk: unpacked once per node and attempt."""

from __future__ import annotations

import fcntl
import zipfile
from pathlib import Path

from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects


def stage_code(env: JobEnvironment, objects: Objects) -> Path:
    """The working folder of this attempt, with the code in it; empty for ready trainers.

    Raises:
        FileNotFoundError: the archive is not in the object store.
    """
    folder = env.attempt_spool / "code"
    folder.mkdir(parents=True, exist_ok=True)
    if env.spec.code_uri is None:
        return folder
    done = env.attempt_spool / "code.unpacked"
    with (env.attempt_spool / "code.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            archive = objects.fetch(env.spec.code_uri, env.spool_dir / "downloads")
            with zipfile.ZipFile(archive) as bundle:  # the API checked every member: no links, no ".."
                for member in bundle.infolist():
                    target = Path(bundle.extract(member, folder))
                    mode = member.external_attr >> 16 & 0o777
                    if mode and not member.is_dir():
                        target.chmod(mode | 0o600)
            done.touch()
    return folder
