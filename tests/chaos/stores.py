"""Faults of the servers that an embedded platform may be told to keep its data in: PostgreSQL (its own database and MLflow's) and MinIO."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import boto3
import psycopg2

from tests.chaos.case import Case, Seen
from tests.chaos.embedded import EmbeddedYard, embedded_yard
from tests.chaos.training import interrupted, resumed
from tests.support.minio import MinioServer, running_minio
from tests.support.postgres import PostgresServer, fresh_database, running_postgres
from tests.support.small_disk import small_disk
from tests.support.waiting import wait_for
from trainyard.embedded.config import PlatformConfig
from trainyard.errors import ApiError, TrainyardError
from trainyard.packing import packed_file

#: What is acknowledged must outlive a crash, as on any server that people use.
_DURABLE = ("fsync=on", "synchronous_commit=on", "shared_buffers=64MB", "max_connections=60")
_BUCKET = "trainyard"
#: Seconds for which a server stays away.
AWAY = 60


class StoresYard(EmbeddedYard):
    """An embedded platform on a PostgreSQL and a MinIO server of its own."""

    def __init__(self, config: PlatformConfig, database: PostgresServer, store: MinioServer, disk: Path | None) -> None:
        """``disk`` is the store's own, where it has one."""
        super().__init__(config)
        self.database, self.store, self._disk = database, store, disk

    @contextlib.contextmanager
    def store_full(self) -> Iterator[None]:
        """No room is left on the store's disk, as long as the block lasts."""
        assert self._disk is not None, "the store has no disk of its own: only root can mount one"
        filler = self._disk / "filler"
        try:
            with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(2**16))
            yield
        finally:
            filler.unlink()

    def upload_status(self) -> int:
        """The status that an upload of something new is answered with."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "new.py")
            file.write_text(f"# {uuid.uuid4()}\n")
            try:
                with packed_file(file) as packed:
                    self.client.upload_code(packed.path)
            except ApiError as error:
                return error.status
        return 201

    def slowest_report(self, job_id: str) -> float:
        """The longest that the program was held up by one report, in seconds, as it measured it."""
        log = b"".join(self.client.download_log(job_id, attempt=len(self.client.job_attempts(job_id)), rank="0")).decode()
        [seconds] = re.findall(r"^slowest report: ([\d.]+) s$", log, re.MULTILINE)
        return float(seconds)

    def mend(self) -> None:
        self.database.stop()
        self.database.start()
        self.store.stop()
        self.store.start()
        super().mend()


@contextlib.contextmanager
def stores_yard() -> Iterator[StoresYard]:
    """A platform in a temporary folder, and its servers on loopback."""
    with contextlib.ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="chaos-disk-")))
        disk = servers.enter_context(small_disk(folder / "disk", "1g")) if os.geteuid() == 0 else None
        store = servers.enter_context(running_minio(*([disk / "data"] if disk else [])))
        database = servers.enter_context(running_postgres(_DURABLE))
        own, mlflows = (servers.enter_context(fresh_database(database.url)) for _ in range(2))
        variables = {
            **store.environment,
            "TRAINYARD_DATABASE_URL": own,
            "TRAINYARD_MLFLOW_DATABASE_URL": mlflows,
            "TRAINYARD_OBJECT_STORE_URL": f"s3://{_BUCKET}",
        }
        with mock.patch.dict(os.environ, variables):
            boto3.client("s3").create_bucket(Bucket=_BUCKET)
            with embedded_yard() as yard:
                yield StoresYard(yard.config, database, store, disk)


def database_stopped(yard: StoresYard) -> Seen:
    jobs = [yard.submit("steps.py", 900, 0.1, 100) for _ in range(2)]
    for job_id in jobs:
        yard.await_step(job_id, 20)
    yard.database.stop()
    begun, answers = time.monotonic(), []
    while time.monotonic() - begun < AWAY:
        answers += [yard.answer("/api/v1/jobs"), yard.answer(f"/api/v1/jobs/{jobs[0]}")]
        time.sleep(1)  # the outage has a length of its own
    yard.database.start()
    back = time.monotonic()
    wait_for("the API to answer again", lambda: yard.answer("/api/v1/jobs")[0] == 200, seconds=60, every=0.1)
    seconds = time.monotonic() - back
    assert {(status, retry) for status, _, retry in answers} == {(503, True)}, f"the API answered {sorted(set(answers))}"
    slowest = max(took for _, took, _ in answers)
    assert slowest < 2, f"an answer took {slowest:.1f} s"
    for job_id in jobs:
        yard.assert_whole(job_id, 900, attempts=1)
    held = max(map(yard.slowest_report, jobs))
    return Seen(
        f"{len(answers)} answers of 503 with Retry-After, at most {slowest:.2f} s; two jobs whole, held up {held:.3f} s at most", seconds
    )


def database_killed(yard: StoresYard) -> Seen:
    blocker = yard.submit("steps.py", 100_000, 0.1, 100_000, workers=2, cpus_per_worker=1)
    yard.await_step(blocker, 1)
    accepted: set[str] = set()
    over = threading.Event()

    def submit() -> None:
        while not over.is_set():
            with contextlib.suppress(TrainyardError):
                accepted.add(yard.submit("steps.py", 1, 0, 1, workers=2, cpus_per_worker=1, key=str(uuid.uuid4())))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for count in (10, 30):
        wait_for(f"{count} jobs", lambda count=count: len(accepted) >= count, seconds=120, every=0.005)
        yard.database.kill()
        yard.database.start()
    over.set()
    for thread in threads:
        thread.join(120)
    yard.await_ready()
    there = {job.id for job in yard.client.list_jobs(states=["QUEUED"])}
    for job_id in (*there, blocker):
        yard.client.cancel_job(job_id)
    assert yard.ended(blocker).state == "CANCELLED"
    assert accepted <= there, f"{len(accepted - there)} acknowledged jobs are gone"
    return Seen(f"killed twice among {len(accepted)} acknowledged submissions: all of them are there; the training job kept its attempt")


def connections_used_up(yard: StoresYard) -> Seen:
    job_id = yard.submit("steps.py", 300, 0.1, 50)
    yard.await_step(job_id, 20)
    held: list[psycopg2.extensions.connection] = []
    with psycopg2.connect(yard.database.url) as admin:
        admin.autocommit = True
        with contextlib.suppress(psycopg2.OperationalError):
            while True:
                held.append(psycopg2.connect(yard.database.url))
        with admin.cursor() as cursor:  # the platform's own, so that it has to open new ones
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'")
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    held.append(psycopg2.connect(yard.database.url))
    answers = [yard.answer("/api/v1/jobs") for _ in range(10)]
    for connection in held:
        connection.close()
    begun = time.monotonic()
    wait_for("the API to answer again", lambda: yard.answer("/api/v1/jobs")[0] == 200, seconds=60, every=0.1)
    seconds = time.monotonic() - begun
    statuses = {status for status, _, _ in answers}
    assert statuses <= {200, 503}, f"the API answered {statuses}"
    assert 503 in statuses, "no call met the limit"
    yard.assert_whole(job_id, 300, attempts=1)
    return Seen(f"{[status for status, _, _ in answers].count(503)} of 10 calls answered 503, none 500; the job is whole", seconds)


def store_stopped(yard: StoresYard) -> Seen:
    job_id = yard.submit("steps.py", 1000, 0.1, 50)
    yard.await_step(job_id, 120)
    yard.store.stop()
    time.sleep(AWAY)  # about a dozen checkpoints fall into it
    during = len(yard.client.job_attempts(job_id))
    yard.store.start()
    yard.assert_whole(job_id, 1000, attempts=1)
    assert during == 1
    return Seen(f"trained through {AWAY} s without the object store, held up {yard.slowest_report(job_id):.3f} s at most")


def store_killed_while_sending(yard: StoresYard) -> Seen:
    """Checkpoints of 24 MB: MinIO is killed while one of them is under way, then the rank."""
    job_id = yard.submit("steps.py", 200, 0.2, 20, 24_000_000)
    yard.await_step(job_id, 41)
    for step in (60, 80):
        yard.await_step(job_id, step)
        yard.store.kill()
        yard.store.start()
    seconds = yard.recovery(job_id, lambda: yard.signal_rank(job_id, 0, signal.SIGKILL))
    yard.assert_whole(job_id, 200, attempts=2)
    step, lost = resumed(yard, job_id)
    assert step % 20 == 0, f"resumed from {step}"
    return Seen(f"killed twice in a checkpoint's upload; resumed from step {step}, {lost} steps again", seconds)


def store_full(yard: StoresYard) -> Seen:
    job_id = yard.submit("steps.py", 700, 0.1, 50, 1_000_000)
    yard.await_step(job_id, 120)
    with yard.store_full():
        time.sleep(AWAY / 2)  # half a dozen checkpoints fall into it
        refused = yard.upload_status()
    yard.assert_whole(job_id, 700, attempts=1)
    assert refused == 507, f"an upload was answered with {refused}"
    return Seen(f"an upload was refused with 507; the job trained through it, held up {yard.slowest_report(job_id):.3f} s at most")


def checkpoint_damaged_in_store(yard: StoresYard) -> Seen:
    """On S3, where nothing but the digest can tell: the newest one's bytes are changed, not its length."""

    def damage_and_kill(job_id: str) -> None:
        client = boto3.client("s3")
        listed = client.list_objects_v2(Bucket=_BUCKET, Prefix=f"jobs/{job_id}/checkpoints/")["Contents"]
        newest = max(one["Key"].split("/")[3] for one in listed if one["Key"].endswith("manifest.json"))
        damaged.append(int(newest))
        for one in listed:
            if f"/checkpoints/{newest}/" in one["Key"] and not one["Key"].endswith("manifest.json"):
                client.put_object(Bucket=_BUCKET, Key=one["Key"], Body=b"x" * one["Size"])
        yard.signal_rank(job_id, 0, signal.SIGKILL)

    damaged: list[int] = []
    job_id, seen = interrupted(yard, damage_and_kill, steps=160, interval=10, pause=0.3)
    [newest] = damaged
    step, _ = resumed(yard, job_id)
    assert step == newest - 10, f"resumed from {step} though {newest} was damaged"
    return seen


CASES: list[Case[StoresYard]] = [
    Case("database-stopped", f"PostgreSQL stopped for {AWAY} s while two jobs train", "503 at once, training unaffected", database_stopped),
    Case("database-killed", "SIGKILL of PostgreSQL, twice, among submissions", "what was acknowledged is there", database_killed),
    Case("connections-used-up", "every connection of PostgreSQL taken", "503, never 500, then as before", connections_used_up),
    Case(
        "store-stopped", f"MinIO stopped for {AWAY} s while checkpoints are due", "training goes on, all is there afterwards", store_stopped
    ),
    *(
        [Case("store-full", f"MinIO's disk full for {AWAY // 2} s while checkpoints are due", "507, training goes on", store_full)]
        if os.geteuid() == 0
        else []
    ),
    Case(
        "store-killed-sending",
        "SIGKILL of MinIO, twice, in a checkpoint's upload, then of the rank",
        "resumes from a complete one",
        store_killed_while_sending,
    ),
    Case(
        "checkpoint-damaged-s3",
        "bytes of the newest checkpoint in MinIO changed, then SIGKILL of the rank",
        "the one before it",
        checkpoint_damaged_in_store,
    ),
]
