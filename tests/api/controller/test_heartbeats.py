"""When a driver counts as silent."""

from pathlib import Path

import pytest

from trainyard_api.controller.attempt_objects import Heartbeats
from trainyard_api.objects import ObjectStore, ObjectStoreError, open_store

KEY = "jobs/j1/attempts/1/heartbeat.json"


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("trainyard_api.controller.attempt_objects.time.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """At some time."""
    return Clock(monkeypatch)


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    """With one heartbeat."""
    store = open_store(tmp_path.as_uri())
    store.put_bytes(KEY, b"1")
    return store


def looks(heartbeats: Heartbeats, clock: Clock, seconds: float, every: float = 5.0) -> float:
    """Look again and again for so long; the last answer."""
    silent = 0.0
    for _ in range(int(seconds / every)):
        clock.now += every
        silent = heartbeats.silent_seconds("j1", 1)
    return silent


def test_silence_adds_up_and_a_beat_ends_it(objects: ObjectStore, clock: Clock) -> None:
    heartbeats = Heartbeats(objects, interval=5, longest=10)
    assert looks(heartbeats, clock, 65) == 60
    objects.put_bytes(KEY, b"2")
    assert looks(heartbeats, clock, 5) == 0


def test_time_in_which_nobody_looked_says_little(objects: ObjectStore, clock: Clock) -> None:
    """The object store is away, every round of the controller fails on something else of it: this attempt is not asked about."""
    heartbeats = Heartbeats(objects, interval=5, longest=10)
    looks(heartbeats, clock, 20)
    clock.now += 3600
    assert heartbeats.silent_seconds("j1", 1) == 25


def test_a_store_that_does_not_answer_gives_the_driver_its_time_again(
    objects: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeats = Heartbeats(objects, interval=5, longest=10)
    assert looks(heartbeats, clock, 55) == 50

    def away(_: str) -> bytes:
        raise ObjectStoreError("away")

    monkeypatch.setattr(objects, "get_bytes", away)
    clock.now += 5
    with pytest.raises(ObjectStoreError):
        heartbeats.silent_seconds("j1", 1)
    monkeypatch.undo()
    clock.now += 5
    assert heartbeats.silent_seconds("j1", 1) == 0
