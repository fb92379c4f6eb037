"""Any order of what users, the engine and restarts do: no job lost or doubled, no attempt run twice."""

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from tests.support import leading
from tests.support.jobs import new_job
from tests.support.leading import Leader
from tests.support.waiting import wait_for

from trainyard_api.engines.memory import Script
from trainyard_api.failures import FailureKind
from trainyard_api.store.database import Database
from trainyard_api.store.errors import InUse, KeyReused, NotFound, StateConflict
from trainyard_api.store.paging import JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import ACTIVE, TERMINAL, JobState


class Killed(BaseException):
    """The controller's process ends here."""


class Platform(RuleBasedStateMachine):
    """What must be true of the platform, beside the platform itself."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="trainyard-stateful-"))
        self.stack = contextlib.ExitStack()
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.yard = self.stack.enter_context(leading.yard(self.folder, cpus=3))
        self.api = self.yard.repository
        self.alive: set[str] = set()
        self.ended: dict[str, JobState] = {}
        self.keys: dict[str, tuple[str, str]] = {}

    @initialize(pool=st.booleans())
    def start(self, pool: bool) -> None:
        if pool:
            self.yard.set_teams([{"name": "default", "warm": [{"idleMinutes": None}]}])
        self.leader = self.yard.lead()

    # --- users ------------------------------------------------------------------------------------------------------

    @rule(target=jobs, workers=st.integers(1, 4), retries=st.integers(0, 1), finishes=st.booleans(), stands_by=st.booleans())
    def submit(self, workers: int, retries: int, finishes: bool, stands_by: bool) -> str:
        given = new_job(workers=workers, min_workers=1, retries=retries)
        self.yard.scripts[given.id] = lambda _: Script(seconds=0 if finishes else None, stands_by=stands_by)
        self.api.create_job(given)
        self.alive.add(given.id)
        return given.id

    @rule(target=jobs, key=st.sampled_from(["k1", "k2"]), body=st.sampled_from(["a", "b"]))
    def submit_with_a_key(self, key: str, body: str) -> str:
        given = new_job()
        known = self.keys.get(key)
        if known is not None and known[0] != body:
            with pytest.raises(KeyReused):
                self.api.create_job(given, key=key, fingerprint=body)
            return known[1]
        job, new = self.api.create_job(given, key=key, fingerprint=body)
        assert new == (known is None)
        if known is not None:
            assert job.id == known[1]
        self.keys[key] = (body, job.id)
        self.alive.add(job.id)
        return job.id

    @rule(job_id=jobs)
    def cancel(self, job_id: str) -> None:
        if job_id not in self.alive:
            with pytest.raises(NotFound):
                self.api.request_cancel(job_id)
        elif self.api.get_job(job_id).state in TERMINAL:
            with pytest.raises(StateConflict):
                self.api.request_cancel(job_id)
        else:
            self.api.request_cancel(job_id)

    @rule(job_id=jobs)
    def retry(self, job_id: str) -> None:
        if job_id not in self.alive:
            with pytest.raises(NotFound):
                self.api.request_retry(job_id)
        elif self.api.get_job(job_id).state in (JobState.FAILED, JobState.CANCELLED):
            self.api.request_retry(job_id)
            self.ended.pop(job_id, None)
        else:
            with pytest.raises(StateConflict):
                self.api.request_retry(job_id)

    @rule(job_id=consumes(jobs))
    def delete(self, job_id: str) -> None:
        try:
            self.api.delete_job(job_id)
        except NotFound:
            assert job_id not in self.alive
        except InUse:
            job = self.api.get_job(job_id)
            busy = any(owner.id == job_id for owner, _ in self.api.uncleaned_attempts())
            assert job.state in ACTIVE or job.settled_at is None or busy
        else:
            self.alive.remove(job_id)
            self.ended.pop(job_id, None)
            self.keys = {key: known for key, known in self.keys.items() if known[1] != job_id}

    # --- the engine and time ----------------------------------------------------------------------------------------

    @rule(failure=st.none() | st.sampled_from(list(FailureKind)), writes_result=st.booleans(), which=st.integers(0, 3))
    def the_engine_ends_a_job(self, failure: FailureKind | None, writes_result: bool, which: int) -> None:
        for submission_id in self.yard.engine.known[which : which + 1]:
            words = None if failure is None else "it failed"
            self.yard.engine.finish(submission_id, words, writes_result=writes_result, kind=failure or FailureKind.USER)

    @precondition(
        lambda self: all(one.handle for one in (*(attempt for _, attempt in self.api.uncleaned_attempts()), *self.api.warm_clusters()))
    )
    @rule()
    def the_engine_forgets_everything(self) -> None:
        self.yard.engine.lose()

    @rule()
    def backoffs_pass(self) -> None:
        for job in self.api.waiting_jobs():
            self.api.update_job(job.id, not_before=None)
        for job_id in self.alive:
            self.api.update_job(job_id, not_before=None)

    # --- processes --------------------------------------------------------------------------------------------------

    @rule()
    def round(self) -> None:
        self.leader.round()

    @rule()
    def the_api_restarts(self) -> None:
        database = Database(self.yard.database.url)
        self.stack.callback(database.close)
        database.migrate()
        self.api = Repository(database)

    @rule()
    def the_controller_restarts(self) -> None:
        self.leader = self.yard.lead(self.leader.term.lease.owner)

    @rule()
    def the_controller_hands_over(self) -> None:
        self.leader.term.end()
        self.leader = self.yard.lead(f"term {self.leader.term.lease.token + 1}")

    @rule(method=st.sampled_from(["submit", "delete", "stop", "describe", "carries_on"]), after=st.booleans())
    def the_controller_is_killed_in_a_round(self, method: str, after: bool) -> None:
        engine = self.yard.engine
        original = getattr(engine, method)

        def call(*arguments: object, **options: object) -> object:
            delattr(engine, method)
            if after:
                original(*arguments, **options)
            raise Killed

        setattr(engine, method, call)
        try:
            self.leader.round()
        except Killed:
            self.the_controller_restarts()
        else:
            delattr(engine, method)

    # --- what must be true ------------------------------------------------------------------------------------------

    @invariant()
    def lists_hold_every_job_once(self) -> None:
        for sort in ("-created_at", "name", "state"):
            seen: list[str] = []
            cursor = None
            while True:
                page = self.api.list_jobs(JobQuery(sort=sort, limit=2, cursor=cursor))
                seen += [job.id for job in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert sorted(seen) == sorted(self.alive)

    @invariant()
    def every_attempt_runs_once_and_alone(self) -> None:
        submitted, running = self.yard.engine.submitted, self.yard.engine.known
        assert len(submitted) == len(set(submitted))
        jobs = [submission_id.split("-")[1] for submission_id in running]
        assert len(jobs) == len(set(jobs))

    @invariant()
    def what_runs_is_of_one_attempt_or_waits_for_one(self) -> None:
        owned = [attempt.handle["submission_id"] for _, attempt in self.api.uncleaned_attempts() if attempt.handle]
        owned += [cluster.submission_id for cluster in self.api.warm_clusters()]
        assert len(owned) == len(set(owned))

    @invariant()
    def ended_jobs_stay_as_they_ended(self) -> None:
        for job_id in self.alive:
            state = self.api.get_job(job_id).state
            assert self.ended.get(job_id, state) is state
            if state in TERMINAL:
                self.ended[job_id] = state

    @invariant()
    def jobs_are_tried_as_often_as_they_may_and_no_less(self) -> None:
        """Failures that are not the user's count apart, up to a limit; a job fails only when nothing is left to be tried."""
        spared = self.yard.settings.infrastructure_retries
        for job_id in self.alive:
            job = self.api.get_job(job_id)
            kinds = [FailureKind(one.failure_kind) for one in self.api.failed_attempts(job, before=job.attempt + 1)]
            counted = len(kinds) - min(spared, sum(kind.spared for kind in kinds))
            assert counted <= job.retries + 1
            if job.state is not JobState.CANCELLED:
                assert (counted == job.retries + 1) == (job.state is JobState.FAILED)

    def teardown(self) -> None:
        """Whatever happened, a leader brings everything to its end."""
        try:
            if hasattr(self, "leader"):
                wait_for("every job to end", lambda: self._all_ended(self.leader), seconds=30)
                self.every_attempt_runs_once_and_alone()
                assert set(self.yard.engine.known) <= {cluster.submission_id for cluster in self.api.warm_clusters()}
                self.lists_hold_every_job_once()
        finally:
            self.stack.close()

    def _all_ended(self, leader: Leader) -> bool:
        leader.round()
        self.backoffs_pass()
        for submission_id in self.yard.engine.known:
            self.yard.engine.finish(submission_id)
        jobs = [self.api.get_job(job_id) for job_id in self.alive]
        return all(job.state in TERMINAL and job.settled_at for job in jobs) and not self.api.uncleaned_attempts()


Platform.TestCase.settings = settings(max_examples=25, stateful_step_count=30, suppress_health_check=list(HealthCheck), print_blob=True)
TestPlatform = Platform.TestCase
