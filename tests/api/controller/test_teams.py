"""Teams at the controller: queues of the engine's own, limits, and no two jobs that each hold half of what the other needs."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support import leading
from tests.support.engines import CutOffEngine
from tests.support.leading import Leader, Yard

from trainyard_api.engines.base import EngineStatus, EngineUnavailable, Phase
from trainyard_api.engines.memory import Script
from trainyard_api.store.models import utcnow
from trainyard_api.store.states import JobState
from trainyard_api.teams import Team, Teams

S = JobState
FOREVER = Script(seconds=None)
TEAMS = Teams(items=(Team(name="vision"), Team(name="nlp", queue="main"), Team(name="audio", max_jobs=1), Team(name="speech")))


class ClusterEngine(CutOffEngine):
    """Says of attempts what a cluster would."""

    starts_whole = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: What is said of an attempt in place of the truth, by submission id, while it has not ended.
        self.says: dict[str, EngineStatus] = {}

    def queues(self, team: str) -> bool:
        """See Engine."""
        return TEAMS.get(team).queue is not None

    def describe(self, handle: dict[str, Any]) -> EngineStatus:
        """See Engine."""
        status = super().describe(handle)
        return status if status.phase.ended else self.says.get(handle["submission_id"], status)


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A platform with those teams on such an engine."""
    monkeypatch.setattr(leading, "CutOffEngine", ClusterEngine)
    monkeypatch.setattr("trainyard_api.controller.loop.load_teams", lambda _: TEAMS)
    # Attempts here never enter the training function by themselves.
    monkeypatch.setattr(ClusterEngine, "_stage", lambda *_: None)
    with leading.yard(tmp_path) as yard:
        yield yard


@pytest.fixture
def leader(yard: Yard) -> Leader:
    """Its controller."""
    return yard.lead()


def says(yard: Yard, job_id: str, phase: Phase, message: str | None = None, **more: bool) -> None:
    assert isinstance(yard.engine, ClusterEngine)
    yard.engine.says[f"ty-{job_id}-1"] = EngineStatus(phase, message, **more)


def rounds(leader: Leader) -> None:
    for _ in range(3):
        leader.round()


def states(yard: Yard, *jobs: str) -> list[JobState]:
    return [yard.job(job_id).state for job_id in jobs]


def stages(yard: Yard, job_id: str) -> list[str]:
    return [event.name for event in yard.repository.list_events(job_id) if event.kind == "stage"]


def test_a_teams_next_job_waits_until_the_one_before_has_all_its_workers(yard: Yard, leader: Leader) -> None:
    first = yard.submit(FOREVER, team="vision")
    says(yard, first, Phase.PENDING, incomplete=True)
    second, other = yard.submit(FOREVER, team="vision"), yard.submit(FOREVER, team="speech")
    rounds(leader)
    assert states(yard, first, second, other) == [S.STARTING, S.QUEUED, S.STARTING]
    assert yard.job(second).reason == f"waits until job {first} of the same team has all its workers"
    says(yard, first, Phase.PENDING)
    rounds(leader)
    assert states(yard, second) == [S.STARTING]


def test_nobody_starts_while_no_node_has_room_for_one_that_has_started(yard: Yard, leader: Leader) -> None:
    first = yard.submit(FOREVER, team="vision")
    says(yard, first, Phase.PENDING, "no node has room for it", incomplete=True, crowded=True)
    rounds(leader)
    assert yard.job(first).reason == "no node has room for it"
    other = yard.submit(FOREVER, team="speech")
    rounds(leader)
    assert states(yard, other) == [S.QUEUED]
    assert yard.job(other).reason == f"waits until there is room for job {first}, which came first"
    says(yard, first, Phase.RUNNING)
    rounds(leader)
    assert states(yard, other) == [S.STARTING]


def test_a_new_leader_knows_who_is_still_starting(yard: Yard, leader: Leader) -> None:
    first = yard.submit(FOREVER, team="vision")
    says(yard, first, Phase.PENDING, incomplete=True)
    rounds(leader)
    second = yard.submit(FOREVER, team="vision")
    rounds(yard.lead())
    assert states(yard, second) == [S.QUEUED]


def test_a_team_has_no_more_jobs_than_its_limit(yard: Yard, leader: Leader) -> None:
    first, second = yard.submit(FOREVER, team="audio"), yard.submit(FOREVER, team="audio")
    rounds(leader)
    assert states(yard, first, second) == [S.STARTING, S.QUEUED]
    assert yard.job(second).reason == "the team audio runs as many jobs at a time as it may (1)"
    yard.engine.finish(f"ty-{first}-1")
    leader.until(second, S.STARTING)


def test_jobs_of_a_team_with_a_queue_are_handed_over_whatever_is_free(yard: Yard, leader: Leader) -> None:
    jobs = [yard.submit(FOREVER, team="nlp", workers=50) for _ in range(3)]
    for job_id in jobs:
        says(yard, job_id, Phase.QUEUED, "waits in the queue 'main': no quota left")
    rounds(leader)
    own = yard.submit(FOREVER, team="vision", workers=4)
    rounds(leader)
    assert states(yard, *jobs, own) == [S.STARTING] * 4
    assert yard.job(jobs[0]).reason == "waits in the queue 'main': no quota left"
    assert stages(yard, jobs[0]) == ["accepted"]
    row = yard.repository.get_capacity()
    assert row is not None
    assert row.detail["cpus_free"] == 0


def test_of_jobs_that_the_queue_holds_back_no_objects_are_read(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    held, running = yard.submit(FOREVER, team="nlp"), yard.submit(FOREVER, team="vision")
    says(yard, held, Phase.QUEUED)
    rounds(leader)
    read: list[str] = []
    for name in ("list", "get_bytes"):
        method = getattr(yard.objects, name)
        monkeypatch.setattr(yard.objects, name, lambda key, *rest, method=method, **more: [read.append(key), method(key, *rest, **more)][1])
    leader.steps.round()
    assert any(running in key for key in read)
    assert not any(held in key for key in read), "each would cost a request in every round"


def test_many_new_jobs_do_not_keep_the_leader_from_those_that_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "CutOffEngine", ClusterEngine)
    monkeypatch.setattr("trainyard_api.controller.loop.load_teams", lambda _: TEAMS)
    monkeypatch.setattr(leading, "HASTE", replace(leading.HASTE, placing=0))
    with leading.yard(tmp_path) as yard:
        leader = yard.lead()
        jobs = [yard.submit(FOREVER, team="nlp") for _ in range(3)]
        started = []
        for _ in jobs:
            leader.round()
            started.append(states(yard, *jobs).count(S.STARTING) + states(yard, *jobs).count(S.RUNNING))
    assert started == [1, 2, 3]


def test_its_deadline_runs_from_when_the_queue_lets_a_job_go(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER, team="nlp", deadline_seconds=60)
    says(yard, job_id, Phase.QUEUED)
    rounds(leader)
    yard.repository.update_attempt(job_id, 1, created_at=utcnow() - timedelta(hours=1))
    rounds(leader)
    assert yard.attempts(job_id)[0].stop_requested_at is None
    says(yard, job_id, Phase.PENDING)
    rounds(leader)
    assert stages(yard, job_id) == ["accepted", "admitted"]
    assert yard.attempts(job_id)[0].admitted_at is not None
    yard.repository.update_attempt(job_id, 1, admitted_at=utcnow() - timedelta(seconds=61))
    assert leader.until(job_id, S.FAILED).reason == "ran past its deadline of 60 s"


def test_a_doomed_attempt_is_stopped_fails_for_that_reason_and_is_tried_again(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(lambda number: FOREVER if number == 1 else Script(), team="vision", retries=1)
    rounds(leader)
    says(yard, job_id, Phase.RUNNING, "node n1 was lost, and the head's pod with it", doomed=True)
    leader.round()
    assert yard.engine.stops == [f"ty-{job_id}-1"], "asked in the round that saw it"
    leader.until(job_id, S.RETRYING)
    [attempt] = yard.attempts(job_id)
    assert (attempt.outcome, attempt.reason) == ("failed", "node n1 was lost, and the head's pod with it")
    assert yard.engine.stops == [f"ty-{job_id}-1"]
    yard.repository.update_job(job_id, not_before=None)
    assert leader.until(job_id, S.SUCCEEDED).reason is None


def test_the_reason_goes_when_the_job_runs(yard: Yard, leader: Leader) -> None:
    job_id = yard.submit(FOREVER, team="vision")
    says(yard, job_id, Phase.PENDING, "the image trainer:1 cannot be pulled")
    rounds(leader)
    assert (yard.job(job_id).state, yard.job(job_id).reason) == (S.STARTING, "the image trainer:1 cannot be pulled")
    says(yard, job_id, Phase.RUNNING)
    entered = {"seq": 1, "time": 1.0, "kind": "stage", "name": "train_function_entered"}
    yard.objects.put_bytes(f"jobs/{job_id}/attempts/1/events/000001.json", json.dumps(entered).encode())
    assert leader.until(job_id, S.RUNNING).reason is None


def test_an_attempt_goes_to_the_engine_with_its_team_and_deadline(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    submit = ClusterEngine.submit
    monkeypatch.setattr(ClusterEngine, "submit", lambda self, submission: (given.append(submission), submit(self, submission))[1])
    yard.submit(FOREVER, team="speech", deadline_seconds=90)
    leader.round()
    assert [(submission.team, submission.deadline_seconds) for submission in given] == [("speech", 90)]


def test_why_the_engine_does_not_take_a_job_is_its_reason(yard: Yard, leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise EngineUnavailable("Kubernetes refuses the service account of the controller")

    job_id = yard.submit(FOREVER, team="vision")
    with monkeypatch.context() as patch:
        patch.setattr(ClusterEngine, "submit", refuse)
        rounds(leader)
    assert (yard.job(job_id).state, yard.job(job_id).reason) == (S.STARTING, "Kubernetes refuses the service account of the controller")
    rounds(leader)
    assert yard.job(job_id).reason is None
