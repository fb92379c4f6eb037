"""What running attempts left is read side by side, and nothing that they left before their end is lost."""

import threading
from pathlib import Path

import pytest
from tests.support.leading import Leader, Yard

from trainyard_api.controller import attempt_objects
from trainyard_api.engines.memory import Script
from trainyard_api.objects.base import ObjectStoreError
from trainyard_api.store.states import JobState

JOBS = 4


def running(yard: Yard, leader: Leader) -> list[str]:
    """So many jobs at work."""
    jobs = [yard.submit(Script(seconds=None)) for _ in range(JOBS)]
    for job in jobs:
        leader.until(job, JobState.RUNNING)
    return jobs


def test_all_are_asked_for_before_the_first_answers(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    running(yard, leader)
    everybody = threading.Barrier(JOBS)
    get = yard.objects.get_bytes

    def slow(key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if Path(key).name == "result.json":
            everybody.wait(timeout=30)  # broken, and with it the round, unless all come
        return get(key, start=start, length=length)

    monkeypatch.setattr(yard.objects, "get_bytes", slow)
    leader.steps.round()
    assert not everybody.broken


def test_what_is_written_between_the_reading_and_the_end_is_read(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine says that the driver has ended after the reading was begun: its last words came in between."""
    [job, *_] = running(yard, leader)
    [submission] = [one for one in yard.engine.known if job in one]
    describe = yard.engine.describe

    def ending(handle: dict[str, object]) -> object:
        if handle["submission_id"] == submission:
            yard.objects.put_bytes(
                f"{attempt_objects.attempt_prefix(job, 1)}/events/late.json",
                b'{"seq": 77, "time": 1, "kind": "stage", "name": "last_words", "detail": {}}',
            )
            yard.engine.finish(submission)
        return describe(handle)

    monkeypatch.setattr(yard.engine, "describe", ending)
    leader.steps.round()
    assert yard.job(job).state is JobState.SUCCEEDED
    assert "last_words" in [event.name for event in yard.repository.list_events(job)]


def test_one_that_cannot_be_read_does_not_hold_up_the_others(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = running(yard, leader)
    get = yard.objects.get_bytes

    def broken(key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if first in key:
            raise ObjectStoreError("a broken disk")
        return get(key, start=start, length=length)

    monkeypatch.setattr(yard.objects, "get_bytes", broken)
    for submission in yard.engine.known:
        yard.engine.finish(submission)
    for job in others:
        leader.until(job, JobState.SUCCEEDED)
    assert yard.job(first).state is JobState.RUNNING
