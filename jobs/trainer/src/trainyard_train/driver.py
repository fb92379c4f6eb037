"""The job's Ray driver: stages, a Ray Train run of N workers, and the result object that ends the attempt."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from trainyard_templates.ray_train import RAY_TRAIN
from trainyard_train.checkpoints import step_of
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import AttemptFailed, Failure, Kind, first_failure, read_failures
from trainyard_train.leftovers import send_earlier_leftovers, send_leftovers
from trainyard_train.logs import LogShipper, OutputTee, last_lines
from trainyard_train.objects import Objects
from trainyard_train.resuming import Start, find_start
from trainyard_train.standby import next_attempt, stands_by

HEARTBEAT_SECONDS = 5.0
#: For how long a result that the object store does not take is tried again.
RESULT_SECONDS = 120.0

#: Whether the containers have Ray Train's variables, not only this process.
_INFORMED = RAY_TRAIN.items() <= os.environ.items()


class Timeline:
    """Numbered event objects of the driver; an object store that refuses does not end the job."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self._objects, self._prefix, self._seq = objects, prefix, 0

    def add(self, kind: str, name: str, **detail: Any) -> None:
        """Stamp one event now."""
        self._seq += 1
        event = {"seq": self._seq, "time": time.time(), "kind": kind, "name": name, "detail": detail}
        with contextlib.suppress(OSError):
            self._objects.put_json(f"{self._prefix}/events/{self._seq:06d}.json", event)


class Heartbeat:
    """Says every five seconds that the driver lives."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(objects, f"{prefix}/heartbeat.json"), name="heartbeat", daemon=True)
        self._thread.start()

    def _run(self, objects: Objects, key: str) -> None:
        while True:
            with contextlib.suppress(OSError):
                objects.put_json(key, {"time": time.time()})
            if self._done.wait(HEARTBEAT_SECONDS):
                return

    def close(self) -> None:
        """Stop."""
        self._done.set()
        self._thread.join()


def main() -> int:
    """Run the attempt that the environment describes, and those that follow it here; 0 when the last one succeeded."""
    env = JobEnvironment.from_environ()
    objects = Objects(env.object_store_url)
    ended = _ended_before(env, objects)
    if ended is not None:
        return ended
    while True:
        result = _run(env, objects)
        following = next_attempt(env, objects) if result["stands_by"] else None
        if following is None:
            return 0 if result["outcome"] == "succeeded" else 1
        env = following


def _run(env: JobEnvironment, objects: Objects) -> dict[str, Any]:
    """One attempt, from its first event to its result, which is persisted and returned."""
    log = env.attempt_spool / "logs" / "driver.log"
    tee = OutputTee(log)
    shipper = LogShipper(log, f"{env.attempt_prefix}/logs/rank-driver", objects.put)
    heartbeat = Heartbeat(objects, env.attempt_prefix)
    timeline = Timeline(objects, env.attempt_prefix)
    timeline.add("stage", "driver_started")
    lost: dict[int, str] = {}
    reason, kind = None, None
    try:
        _train(env, objects, timeline, lost)
    except AttemptFailed as failed:
        reason, kind = str(failed), failed.kind
    except Exception as error:  # the boundary: whatever went wrong becomes the attempt's reason
        reason, kind = f"{type(error).__name__}: {error}", "infrastructure"
    if lost:
        send_leftovers(env, objects)
    result = _result(env, objects, reason, kind, lost)
    if reason:
        timeline.add("failure", str(result["reason"])[:500], rank=result["failed_rank"])
    print(f"failed: {result['reason']}" if reason else "succeeded", flush=True)
    tee.close()
    if not shipper.close():
        env.keep_spool("the driver's log")
    if reason and not result["tail"]:
        result["tail"] = last_lines(env.attempt_spool / "logs" / f"rank-{result['failed_rank']}.log") or last_lines(log)
    result["stands_by"] = stands_by(env, result)
    _persist(objects, f"{env.attempt_prefix}/result.json", result)
    heartbeat.close()
    with contextlib.suppress(OSError):
        objects.delete_folder(_ray_folder(env))
    env.drop_spool()
    return result


def _ended_before(env: JobEnvironment, objects: Objects) -> int | None:
    """The exit status of an attempt whose driver ran already, or None.

    KubeRay starts the driver anew on a head that took the place of a lost one. The ranks of the first are gone with it: the job goes on
    in another attempt, which sends what this one left behind. Raises OSError when the object store does not answer.
    """
    key = f"{env.attempt_prefix}/result.json"
    result = objects.get_json(key)
    if result is None:
        if objects.get_json(f"{env.attempt_prefix}/events/{1:06d}.json") is None:
            return None
        result = _empty_result("the driver was started a second time: the machine of the first is gone", "infrastructure")
        _persist(objects, key, result)
    return 0 if result["outcome"] == "succeeded" else 1


def _train(env: JobEnvironment, objects: Objects, timeline: Timeline, lost: dict[int, str]) -> None:
    """Run the ranks.

    Raises:
        AttemptFailed: they failed; what Ray says about each failed rank is put into ``lost``.
    """
    from trainyard_train.code_archive import stage_code

    code = stage_code(env, objects)
    if env.spec.kind == "script" and not (code / env.spec.entry).is_file():
        raise AttemptFailed(f"the code has no file {env.spec.entry!r}", "user")
    timeline.add("stage", "code_staged")
    with ThreadPoolExecutor(1, "find the start") as pool:
        start = pool.submit(_find_start, env, objects)
        _import_ray()
        env = _announce(start.result(), env, timeline)
    _fit(env, lost)


def _find_start(env: JobEnvironment, objects: Objects) -> Start:
    send_earlier_leftovers(env, objects)
    return find_start(env, objects)


def _announce(start: Start, env: JobEnvironment, timeline: Timeline) -> JobEnvironment:
    """Say where the attempt starts from; the environment of its ranks."""
    for notice in start.notices:
        print(notice, flush=True)
        timeline.add("notice", notice)
    if start.key is None:
        return env
    step = step_of(start.key)
    print(f"resuming from step {step}" + (f" of job {start.source_job}" if start.source_job else ""), flush=True)
    timeline.add("resume", f"resumed from step {step}", step=step, lost_steps=start.lost_steps, source_job=start.source_job)
    return replace(env, resume_key=start.key)


def _import_ray() -> None:
    """The slow part of reaching Ray, which needs nothing of the job."""
    os.environ.update(RAY_TRAIN)
    from trainyard_train.lean_trainer import AloneWorkerGroup

    AloneWorkerGroup.informed = _INFORMED


def _fit(env: JobEnvironment, lost: dict[int, str]) -> None:
    """Run the ranks through Ray Train. Raises AttemptFailed."""
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError

    from trainyard_train.lean_trainer import LeanTrainer
    from trainyard_train.objects import open_filesystem
    from trainyard_train.rendezvous import RendezvousConfig

    if not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="warning")
    wanted = env.spec.resources
    per_worker: dict[str, float] = {"CPU": wanted.cpus_per_worker}
    if wanted.gpus_per_worker:
        per_worker["GPU"] = wanted.gpus_per_worker
    if wanted.memory_gb_per_worker:
        per_worker["memory"] = wanted.memory_gb_per_worker * 2**30
    filesystem, base = open_filesystem(env.object_store_url)
    print(f"attempt {env.attempt}: starting {env.workers} workers, each with {per_worker}", flush=True)
    trainer = LeanTrainer(
        _worker,
        train_loop_config={"env": env},
        backend_config=RendezvousConfig(),
        scaling_config=ScalingConfig(num_workers=env.workers, use_gpu=wanted.gpus_per_worker > 0, resources_per_worker=per_worker),
        run_config=RunConfig(
            name=env.submission_id,
            storage_path=f"{base}/{_ray_folder(env)}",
            storage_filesystem=filesystem,
            # Whatever ends ranks ends the attempt: the next one resumes, and is counted and shown. Ray would start them anew for ever when
            # a node is taken away.
            failure_config=FailureConfig(max_failures=0, max_preemption_failures=0, controller_failure_limit=2),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        for rank, failure in getattr(error, "worker_failures", {}).items():
            lost[int(rank)] = _first_line(getattr(failure, "health_check_failure", failure))
        raise AttemptFailed(f"Ray Train: {_first_line(error)}", "infrastructure") from error
    except ray.exceptions.RayActorError as error:
        raise AttemptFailed(f"Ray: {_first_line(error)}", "infrastructure") from error


def _worker(config: dict[str, Any]) -> None:
    from trainyard_train.agent import run_rank

    run_rank(config["env"])


def _ray_folder(env: JobEnvironment) -> str:
    """Where Ray Train keeps its own few state files while it runs."""
    return f"{env.attempt_prefix}/ray"


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip()[:500] if lines else type(error).__name__


def _result(env: JobEnvironment, objects: Objects, reason: str | None, kind: Kind | None, lost: dict[int, str]) -> dict[str, Any]:
    """The result object: the cause rather than ``reason`` where a rank's failure is known, and the model that was logged."""
    result = _empty_result(reason, kind)
    with contextlib.suppress(OSError, ValueError):
        first: Failure | None = first_failure(read_failures(objects, env.attempt_prefix), lost) if reason else None
        if first is not None:
            result |= {"reason": f"rank {first.rank} {first.reason}", "kind": first.kind, "failed_rank": first.rank, "tail": first.tail}
        model = objects.get_json(f"{env.attempt_prefix}/model.json")
        if model:
            result |= {"model_name": model["name"], "model_uri": model["uri"], "model_version": model["version"]}
    return result


def _empty_result(reason: str | None, kind: Kind | None) -> dict[str, Any]:
    result: dict[str, Any] = {"outcome": "failed" if reason else "succeeded", "reason": reason, "kind": kind}
    return result | {"failed_rank": None, "tail": [], "model_name": None, "model_uri": None, "model_version": None}


def _persist(objects: Objects, key: str, value: dict[str, Any]) -> None:
    """Write an object, trying again while the object store refuses. Raises OSError after two minutes."""
    deadline = time.monotonic() + RESULT_SECONDS
    while True:
        try:
            return objects.put_json(key, value)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
