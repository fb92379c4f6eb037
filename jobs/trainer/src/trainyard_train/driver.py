"""The job's Ray driver: stages, a Ray Train run of N workers, and the result object that ends the attempt."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from trainyard_train.checkpoints import step_of
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import AttemptFailed, Failure, Kind, first_failure, read_failures
from trainyard_train.leftovers import send_earlier_leftovers, send_leftovers
from trainyard_train.logs import LogShipper, OutputTee, last_lines
from trainyard_train.objects import Objects
from trainyard_train.ranks import Ranks, import_ray, ray_folder
from trainyard_train.resuming import Start, find_start
from trainyard_train.standby import first_attempt, next_attempt, stands_by

HEARTBEAT_SECONDS = 5.0
#: For how long a result that the object store does not take is tried again.
RESULT_SECONDS = 120.0


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
    ranks: Ranks | None = None
    if env.is_warm:
        ranks = Ranks(env)
        claimed = _await_job(env, objects, ranks)
        if claimed is None:
            return 0
        env = claimed
    ended = _ended_before(env, objects)
    if ended is not None:
        return ended
    while True:
        result = _run(env, objects, ranks or Ranks(env))
        following = next_attempt(env, objects) if result["stands_by"] else None
        if following is None:
            return 0 if result["outcome"] == "succeeded" else 1
        env, ranks = following, None


def _await_job(env: JobEnvironment, objects: Objects, ranks: Ranks) -> JobEnvironment | None:
    """Warm up, and wait for a job; its environment, or None when there is none. Raises AttemptFailed when the ranks are lost meanwhile."""
    heartbeat = Heartbeat(objects, env.attempt_prefix)
    ranks.warm_up()
    try:
        return first_attempt(env, objects, ranks)
    finally:
        heartbeat.close()


def _run(env: JobEnvironment, objects: Objects, ranks: Ranks) -> dict[str, Any]:
    """One attempt, from its first event to its result, which is persisted and returned."""
    log = env.attempt_spool / "logs" / "driver.log"
    tee = OutputTee(log)
    shipper = LogShipper(log, f"{env.attempt_prefix}/logs/rank-driver", objects.put)
    heartbeat = Heartbeat(objects, env.attempt_prefix)
    timeline = Timeline(objects, env.attempt_prefix)
    timeline.add("stage", "driver_started")
    reason, kind, lost = None, None, dict[int, str]()
    try:
        _train(env, objects, timeline, ranks)
    except AttemptFailed as failed:
        reason, kind, lost = str(failed), failed.kind, failed.lost
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
        objects.delete_folder(ray_folder(env))
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


def _train(env: JobEnvironment, objects: Objects, timeline: Timeline, ranks: Ranks) -> None:
    """Run the ranks. Raises AttemptFailed."""
    from trainyard_train.code_archive import stage_code

    code = stage_code(env, objects)
    if env.spec.kind == "script" and not (code / env.spec.entry).is_file():
        raise AttemptFailed(f"the code has no file {env.spec.entry!r}", "user")
    timeline.add("stage", "code_staged")
    with ThreadPoolExecutor(1, "find the start") as pool:
        start = pool.submit(_find_start, env, objects)
        import_ray()
        env = _announce(start.result(), env, timeline)
    ranks.train(env)


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
