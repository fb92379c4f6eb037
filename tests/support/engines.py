"""Engines for tests: one that can be cut off, and what the engines' contract is tried with."""

import hashlib
import io
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Submission, SubmissionRefused
from trainyard_api.engines.memory import MemoryEngine
from trainyard_api.objects import ObjectStore
from trainyard_templates import get

Course = Literal["succeeds", "fails", "runs until stopped"]


@dataclass(frozen=True)
class Bench:
    """An engine, and submissions for it that take the course a test asks for."""

    engine: Engine
    submission: Callable[[Course], Submission]


def submission(environment: dict[str, str]) -> Submission:
    """The first attempt of a new job of one worker."""
    job_id = uuid.uuid4().hex[:12]
    resources = {"workers": 1, "cpus_per_worker": 1.0, "gpus_per_worker": 0.0}
    return Submission(f"ty-{job_id}-1", job_id, 1, 1, resources, environment)


#: What a job of each course runs, where an engine runs real programs.
PROGRAMS: dict[Course, str] = {
    "succeeds": "print('done')",
    "fails": "raise SystemExit(3)",
    "runs until stopped": "import time\nprint('running', flush=True)\ntime.sleep(3600)",
}


def program(
    objects: ObjectStore, text: str, *, workers: int = 1, cpus: float = 1.0, memory_gb: float | None = None, **fields: Any
) -> Submission:
    """The first attempt of a new job that runs a script; its code is in the object store, and no MLflow is there."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr("train.py", text)
    key = f"code/{hashlib.sha256(text.encode()).hexdigest()}.zip"
    objects.put_bytes(key, archive.getvalue())
    kind = get("script")
    parameters = kind.validate({"workers": workers, "cpus_per_worker": cpus, "memory_gb_per_worker": memory_gb})
    spec = kind.render(parameters, code_uri=objects.uri(key))
    job_id = f"j{uuid.uuid4().hex[:12]}"
    environment = {
        "TRAINYARD_JOB_ID": job_id,
        "TRAINYARD_ATTEMPT": "1",
        "TRAINYARD_SPEC": spec.model_dump_json(),
        "TRAINYARD_OBJECT_STORE_URL": objects.url,
    }
    return Submission(f"ty-{job_id}-1", job_id, 1, workers, spec.resources.model_dump(mode="json"), environment, **fields)


class CutOffEngine(MemoryEngine):
    """The engine in memory behind a line that tests can cut."""

    reachable = True
    #: The next submission arrives, but its answer gets lost.
    loses_answer = False
    #: The next submissions are refused for good, for this reason.
    refusal: str | None = None
    described = 0

    def _call(self) -> None:
        if not self.reachable:
            raise EngineUnavailable("the engine does not answer")

    def submit(self, submission: Submission) -> dict[str, Any]:
        """See Engine."""
        self._call()
        if self.refusal is not None:
            raise SubmissionRefused(self.refusal)
        handle = super().submit(submission)
        if self.loses_answer:
            self.loses_answer = False
            raise EngineUnavailable("the answer was lost")
        return handle

    def carries_on(self, handle: dict[str, Any], *, whole: bool, deadline_seconds: int | None) -> bool:
        """See Engine."""
        self._call()
        return super().carries_on(handle, whole=whole, deadline_seconds=deadline_seconds)

    def stop(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        self._call()
        super().stop(handle)

    def delete(self, handle: dict[str, Any]) -> None:
        """See Engine."""
        self._call()
        super().delete(handle)

    def submissions(self) -> list[dict[str, Any]]:
        """See Engine."""
        self._call()
        return super().submissions()

    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """See Engine."""
        self._call()
        self.described += 1
        return super().describe(handle)

    def last_lines(self, handle: dict[str, Any], count: int = 20) -> list[str]:
        """See Engine."""
        self._call()
        return super().last_lines(handle, count)

    def capacity(self) -> Capacity:
        """See Engine."""
        self._call()
        return super().capacity()
