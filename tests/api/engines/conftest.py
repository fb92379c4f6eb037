"""The engines under one contract. Another engine is one more function and one more parameter here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engines import Bench, submission

from trainyard_api.engines.memory import MemoryEngine, Script
from trainyard_api.objects import open_store


def memory_bench(folder: Path) -> Iterator[Bench]:
    """The engine in this process; the course travels in the environment."""
    scripts = {"succeeds": Script(), "fails": Script(failure="it fails"), "runs until stopped": Script(seconds=None)}
    engine = MemoryEngine(open_store(folder.as_uri()), script=lambda given: scripts[given.environment["COURSE"]])
    yield Bench(engine, lambda course: submission({"COURSE": course}))


@pytest.fixture(params=["memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One engine, ready."""
    benches = {"memory": memory_bench}
    yield from benches[request.param](tmp_path)
