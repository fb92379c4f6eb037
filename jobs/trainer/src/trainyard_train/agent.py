"""The agent of one rank: runs in the Ray Train worker, starts the training process, watches it, and ships what it leaves."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import ray.train

from trainyard_train.code_archive import stage_code
from trainyard_train.courier import MLFLOW_SECONDS, STORE_SECONDS, Courier
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import Failure, describe, read_failures
from trainyard_train.kept_process import TRAINING_PROCESS, KeptProcess
from trainyard_train.leftovers import claim, drop_copies
from trainyard_train.life import BEAT_SECONDS, LifeWatch, dump_stacks
from trainyard_train.logs import CLOSE_SECONDS, LogShipper, last_lines, log_gap_seconds
from trainyard_train.memory import MemoryWatch
from trainyard_train.objects import Objects
from trainyard_train.process_guard import GroupGuard
from trainyard_train.rank_environment import rank_environment
from trainyard_train.record_objects import reported_before
from trainyard_train.run_identity import RunIdentity
from trainyard_train.warm_process import WarmProcess

#: Ray Train stops the other ranks as soon as one has failed; until then they notice it themselves and their last lines are shipped.
LAST_WORDS_SECONDS = 1.5
#: How long Ray Train lets a worker that it stops finish its work, less a little.
STOP_SECONDS = 4.5
_STOP_CLOSE_SECONDS = 1.0

_running: RankAgent | None = None
_env: JobEnvironment | None = None
_warm_process: WarmProcess | None = None


class RankFailed(RuntimeError):
    """The training process of one rank ended badly."""


def warm_up(cpus: float) -> None:
    """Have a training process ready, with PyTorch imported, for a rank with so many CPUs; returns when it is. Raises OSError."""
    global _warm_process
    _warm_process = WarmProcess(cpus)


def stay_warm() -> None:
    """Called now and then while the rank waits. Raises OSError when its training process has died."""
    if _warm_process is not None:
        _warm_process.check()


def instruct(env: JobEnvironment) -> None:
    """Say what `run_rank` is to run."""
    global _env
    _env = env


def run_rank() -> None:
    """Ray Train's training function: one rank from start to end.

    Raises:
        RankFailed: the rank failed; the reason and the last lines are in the object store by then.
    """
    global _running
    if _env is None:
        raise RankFailed("was not told what to run")
    _running = RankAgent(_env, ray.train.get_context(), _warm_process)
    _running.run()


def stop_rank() -> None:
    """End this process's rank because another one has failed; returns when what it left is sent, or after a few seconds."""
    if _running is not None:
        _running.stop()


class RankAgent:
    """One rank of one attempt."""

    def __init__(self, env: JobEnvironment, context: Any, warm: WarmProcess | None = None) -> None:
        """``context`` is Ray Train's; ``warm`` waits for the rank's program, when there is one."""
        self._env, self._context, self._warm = env, context, warm
        self._rank: int = context.get_world_rank()
        self._objects = Objects(env.object_store_url)
        self._claim = claim(env.attempt_spool, f"rank-{self._rank}")
        self._log = env.attempt_spool / "logs" / f"rank-{self._rank}.log"
        self._records = env.attempt_spool / "records" / f"rank-{self._rank}.jsonl"
        self._life = env.attempt_spool / "life" / f"rank-{self._rank}"
        self._stacks = env.attempt_spool / "stacks" / f"rank-{self._rank}.txt"
        self._stopping, self._finished = threading.Event(), threading.Event()

    def run(self) -> None:
        """From start to end. Raises RankFailed."""
        prefix, gap = f"{self._env.attempt_prefix}/logs/rank-{self._rank}", log_gap_seconds(self._env.workers)
        shipper = LogShipper(self._log, prefix, self._objects.put, gap=gap)
        try:
            try:
                failure = self._train(shipper)
            except OSError as error:
                failure = Failure(self._rank, time.time(), f"could not prepare the run: {error}", [], kind="infrastructure")
                self._save(failure)
            if failure is not None and failure.kind in ("user", "out_of_memory"):  # nobody asks what the others said of a lost one
                self._stopping.wait(LAST_WORDS_SECONDS)
            if not shipper.close(_STOP_CLOSE_SECONDS if self._stopping.is_set() else CLOSE_SECONDS):
                self._env.keep_spool(f"the log of rank {self._rank}")
        finally:
            self._claim.close()
            self._finished.set()
        if failure is not None:
            raise RankFailed(f"rank {self._rank} {failure.reason}")

    def stop(self) -> None:
        """Called by another thread than `run`, which it makes return."""
        self._stopping.set()
        self._finished.wait(STOP_SECONDS)

    def _train(self, lines: LogShipper) -> Failure | None:
        """Run the training process; how it failed, already written down, or None. Raises OSError."""
        started, started_at = time.monotonic(), time.time()
        run = RunIdentity(self._env, self._objects, self._records.with_name(f"run-of-rank-{self._rank}"))
        before = reported_before(self._objects, self._env.job_id, self._env.attempt, self._rank)
        drop_copies(self._env)
        code = stage_code(self._env, self._objects)
        variables = rank_environment(self._env, self._objects, self._context, run, self._records, before)
        for folder in (self._records.parent, self._stacks.parent):
            folder.mkdir(parents=True, exist_ok=True)
        LifeWatch.prepare(self._life)
        process = self._start(code, variables | {"TRAINYARD_LIFE": str(self._life), "TRAINYARD_STACKS": str(self._stacks)})
        guard = GroupGuard(process.pid)
        hung = None
        try:
            courier = Courier(
                self._env,
                self._objects,
                self._rank,
                records=self._records,
                log=self._log,
                lines=lines,
                pid=process.pid,
                run=run,
                before=before,
            )
            if self._rank == 0:
                courier.add_event("stage", "workers_ready", started_at, {"workers": self._env.workers})
            courier.start()
            memory = MemoryWatch(process.pid)
            hung = self._await_end(process, courier, memory)
            if hung or (self._stopping.is_set() and not process.ended.is_set() and self._another_hangs()):
                self._send_stacks(process.pid)
        finally:
            # A hung rank stays as it is until Ray Train stops this worker: without it the others' collectives would break
            # at once, and where they were would not be known.
            if hung is None:
                guard.close()  # with whatever the user's code left running
        process.ended.wait(0 if hung else STOP_SECONDS)
        courier.read_records()
        failure = None
        if hung:
            failure = Failure(self._rank, time.time(), hung, last_lines(self._log), kind="hung")
        elif not self._stopping.is_set():
            failure = self._describe(process, courier, memory, time.monotonic() - started)
        if failure is not None:
            self._save(failure)
        patience = (_STOP_CLOSE_SECONDS, _STOP_CLOSE_SECONDS) if hung or self._stopping.is_set() else (STORE_SECONDS, MLFLOW_SECONDS)
        if not courier.close(store_seconds=patience[0], mlflow_seconds=patience[1]):
            self._env.keep_spool(f"records of rank {self._rank}")
        return failure

    def _start(self, code: Path, variables: dict[str, str]) -> KeptProcess:
        """The training process, with its program begun. Raises OSError."""
        if self._warm is not None:
            # The user's own variables may be for what has been imported there already.
            process = None if self._env.spec.env else self._warm.begin(code, variables, self._log)
            if process is not None:
                return process
            self._warm.close()
        return KeptProcess(TRAINING_PROCESS, cwd=code, env=variables, output=self._log)

    def _await_end(self, process: KeptProcess, courier: Courier, memory: MemoryWatch) -> str | None:
        """Return when the process has ended or is to be stopped, or why it counts as hung."""
        life = LifeWatch(self._life, process.pid, stall_seconds=self._env.spec.stall_seconds)
        while not process.ended.wait(BEAT_SECONDS) and not self._stopping.is_set():
            memory.look(courier.children)
            if hung := life.hung():
                return hung
        return None

    def _describe(self, process: KeptProcess, courier: Courier, memory: MemoryWatch, seconds: float) -> Failure | None:
        error = courier.error if process.returncode == 1 else None
        described = describe(process.returncode, error, seconds, memory.report(process.peak_bytes))
        if described is None:
            return None
        at, victim = (error["time"], error["victim"]) if error else (process.ended_at, False)
        reason, kind = described
        return Failure(self._rank, at, reason, last_lines(self._log), victim, kind)

    def _another_hangs(self) -> bool:
        with contextlib.suppress(OSError):
            return any(failure.kind == "hung" for failure in read_failures(self._objects, self._env.attempt_prefix))
        return False

    def _send_stacks(self, pid: int) -> None:
        text = f"rank {self._rank} on {os.uname().nodename}, {dump_stacks(pid, self._stacks)}"
        with contextlib.suppress(OSError):
            self._objects.put(f"{self._env.attempt_prefix}/stacks/rank-{self._rank}.txt", text.encode())

    def _save(self, failure: Failure) -> None:
        with contextlib.suppress(OSError):  # Ray tells the driver of it too, in fewer words
            failure.save(self._objects, self._env.attempt_prefix)
