"""The engines under one contract. Another engine is one more function and one more parameter here.

The contract is tried on Kubernetes in tests/cluster/release/test_kubernetes_engine.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engines import PROGRAMS, Bench, Course, program, submission
from tests.support.ray_head import RayHead, ray_head

from trainyard_api.engines.base import Submission
from trainyard_api.engines.local import LocalEngine
from trainyard_api.engines.memory import MemoryEngine, Script
from trainyard_api.objects import open_store


def memory_bench(folder: Path) -> Iterator[Bench]:
    """The engine in this process; the course travels in the environment."""
    scripts = {"succeeds": Script(), "fails": Script(failure="it fails"), "runs until stopped": Script(seconds=None)}
    engine = MemoryEngine(open_store(folder.as_uri()), script=lambda given: scripts[given.environment["COURSE"]])
    yield Bench(engine, lambda course: submission({"COURSE": course}))


def local_bench(folder: Path, head: RayHead) -> Iterator[Bench]:
    """A real Ray head, on which real programs run."""
    objects = open_store((folder / "objects").as_uri())

    def submit(course: Course) -> Submission:
        given = program(objects, PROGRAMS[course])
        return replace(given, environment={**given.environment, "TRAINYARD_SPOOL_DIR": str(folder / "spool")})

    yield Bench(LocalEngine(head.url, head.token), submit)


@pytest.fixture(scope="session")
def head() -> Iterator[RayHead]:
    """A head with two CPUs."""
    with ray_head(cpus=2) as head:
        yield head


@pytest.fixture(params=["memory", pytest.param("local", marks=pytest.mark.platform)])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One engine, ready."""
    if request.param == "local":
        yield from local_bench(tmp_path, request.getfixturevalue("head"))
    else:
        yield from memory_bench(tmp_path)
