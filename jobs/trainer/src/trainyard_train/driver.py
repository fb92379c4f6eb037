"""The job's Ray driver: stages, a TorchTrainer of N workers, and the result object that ends the attempt."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
import time
from typing import Any

from trainyard_train.environment import JobEnvironment
from trainyard_train.logs import LogShipper, OutputTee, last_lines
from trainyard_train.objects import Objects

HEARTBEAT_SECONDS = 5.0


class Timeline:
    """Numbered event objects of the driver; an object store that refuses does not end the job."""

    def __init__(self, objects: Objects, prefix: str) -> None:
        self._objects, self._prefix, self._seq = objects, prefix, 0

    def stage(self, name: str, **detail: Any) -> None:
        """Stamp one stage now."""
        self._seq += 1
        event = {"seq": self._seq, "time": time.time(), "kind": "stage", "name": name, "detail": detail}
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
    """Run the attempt that the environment describes; 0 when it succeeded."""
    env = JobEnvironment.from_environ()
    prefix = f"jobs/{env.job_id}/attempts/{env.attempt}"
    objects = Objects(env.object_store_url)
    log = env.attempt_spool / "logs" / "driver.log"
    tee = OutputTee(log)
    shipper = LogShipper(log, f"{prefix}/logs/rank-driver", objects.put)
    heartbeat = Heartbeat(objects, prefix)
    timeline = Timeline(objects, prefix)
    timeline.stage("driver_started")
    try:
        reason = _train(env, objects, timeline)
    except Exception as error:  # the boundary: whatever went wrong becomes the attempt's reason
        reason = f"{type(error).__name__}: {error}"
        print(reason, file=sys.stderr)
    result = _result(objects, prefix, reason)
    print(f"{result['outcome']}{': ' + str(result['reason']) if result['reason'] else ''}", flush=True)
    heartbeat.close()
    tee.close()
    shipper.close()
    if result["outcome"] == "failed" and not result["tail"]:
        result["tail"] = last_lines(log)
    objects.put_json(f"{prefix}/result.json", result)
    shutil.rmtree(env.attempt_spool / "resume", ignore_errors=True)
    return 0 if result["outcome"] == "succeeded" else 1


def _train(env: JobEnvironment, objects: Objects, timeline: Timeline) -> str | None:
    """Run the ranks; the reason when they failed."""
    from trainyard_train.code_archive import stage_code

    code = stage_code(env, objects)
    if env.spec.kind == "script" and not (code / env.spec.entry).is_file():
        return f"the code has no file {env.spec.entry!r}"
    timeline.stage("code_staged")

    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    from trainyard_train.rendezvous import AddressOnlyTorchConfig

    ray.init(log_to_driver=False, logging_level="warning")
    wanted = env.spec.resources
    per_worker: dict[str, float] = {"CPU": wanted.cpus_per_worker}
    if wanted.gpus_per_worker:
        per_worker["GPU"] = wanted.gpus_per_worker
    if wanted.memory_gb_per_worker:
        per_worker["memory"] = wanted.memory_gb_per_worker * 2**30
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"env": env},
        torch_config=AddressOnlyTorchConfig(),
        scaling_config=ScalingConfig(num_workers=env.workers, use_gpu=wanted.gpus_per_worker > 0, resources_per_worker=per_worker),
        run_config=RunConfig(
            name=env.submission_id,
            storage_path=_storage_path(env),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=2),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        return f"Ray Train: {str(error).strip().splitlines()[0][:500]}"
    except ray.exceptions.RayActorError as error:
        return f"Ray lost a worker: {str(error).strip().splitlines()[0][:500]}"
    return None


def _worker(config: dict[str, Any]) -> None:
    from trainyard_train.agent import run_rank

    run_rank(config["env"])


def _storage_path(env: JobEnvironment) -> str:
    """Where Ray Train keeps its own few state files: beside the job's objects."""
    path = f"{env.object_store_url.rstrip('/')}/jobs/{env.job_id}/ray"
    return path.removeprefix("file://") if path.startswith("file://") else path


def _result(objects: Objects, prefix: str, reason: str | None) -> dict[str, Any]:
    result: dict[str, Any] = {"outcome": "failed" if reason else "succeeded", "reason": reason, "failed_rank": None, "tail": []}
    result |= {"model_name": None, "model_uri": None, "model_version": None}
    with contextlib.suppress(OSError, json.JSONDecodeError):
        if reason:
            failures = [objects.get_json(key) for key in objects.list(f"{prefix}/failures")]
            if failures:
                first = min(failures, key=lambda failure: float(failure["time"]))
                result |= {"reason": f"rank {first['rank']} {_verb(first['reason'])}", "failed_rank": first["rank"], "tail": first["tail"]}
        model = objects.get_json(f"{prefix}/model.json")
        if model:
            result |= {"model_name": model["name"], "model_uri": model["uri"], "model_version": model["version"]}
    return result


def _verb(reason: str) -> str:
    """The rank's reason as the end of a sentence."""
    if reason.startswith("killed"):
        return f"was {reason}"
    return reason if reason.startswith("exited") else f"raised {reason}"
