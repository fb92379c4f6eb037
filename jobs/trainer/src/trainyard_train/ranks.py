"""The workers of one attempt, run by Ray Train; they may start before it is known what they train."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Future
from typing import Any

from trainyard_templates.ray_train import RAY_TRAIN
from trainyard_train.environment import JobEnvironment
from trainyard_train.failures import AttemptFailed

#: Between two looks whether workers that wait are still there.
LOOK_SECONDS = 5.0

#: Whether the containers have Ray Train's variables, not only this process.
_INFORMED = RAY_TRAIN.items() <= os.environ.items()


def import_ray() -> None:
    """The slow part of reaching Ray, which needs nothing of the job."""
    os.environ.update(RAY_TRAIN)
    from trainyard_train.lean_trainer import AloneWorkerGroup

    AloneWorkerGroup.informed = _INFORMED


def ray_folder(env: JobEnvironment) -> str:
    """Where Ray Train keeps its own few state files while it runs."""
    return f"{env.attempt_prefix}/ray"


class Ranks:
    """As many workers as ``env`` asks for, of the size that it asks for, for one attempt."""

    def __init__(self, env: JobEnvironment) -> None:
        """Nothing is started yet."""
        self._env = env
        self._told: Future[JobEnvironment] = Future()
        self._warm = threading.Event()
        self._fitted: Future[None] | None = None

    def warm_up(self) -> None:
        """Start them now, with PyTorch imported, to wait for `train`; returns at once."""
        self._fitted = Future()
        threading.Thread(target=self._fit_ahead, args=(self._fitted,), name="ranks", daemon=True).start()

    @property
    def warm(self) -> bool:
        """Whether all of them have started and wait."""
        return self._warm.is_set()

    def check(self) -> None:
        """Raise AttemptFailed when they were started ahead and are lost."""
        if self._fitted is not None and self._fitted.done():
            self._fitted.result()

    def train(self, env: JobEnvironment) -> None:
        """Run the attempt that ``env`` describes to its end. Raises AttemptFailed."""
        self._told.set_result(env)
        if self._fitted is None:
            self._fit()
        else:
            self._fitted.result()

    def _fit_ahead(self, fitted: Future[None]) -> None:
        try:
            import_ray()
            self._fit()
        except BaseException as error:  # for whoever waits
            fitted.set_exception(error)
        else:
            fitted.set_result(None)

    def _fit(self) -> None:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError

        from trainyard_train.lean_trainer import LeanTrainer
        from trainyard_train.objects import open_filesystem
        from trainyard_train.rendezvous import RendezvousConfig

        if not ray.is_initialized():
            ray.init(log_to_driver=False, logging_level="warning")
        env, wanted = self._env, self._env.spec.resources
        per_worker: dict[str, float] = {"CPU": wanted.cpus_per_worker}
        if wanted.gpus_per_worker:
            per_worker["GPU"] = wanted.gpus_per_worker
        if wanted.memory_gb_per_worker:
            per_worker["memory"] = wanted.memory_gb_per_worker * 2**30
        filesystem, base = open_filesystem(env.object_store_url)
        print(f"attempt {env.attempt}: starting {env.workers} workers, each with {per_worker}", flush=True)
        trainer = LeanTrainer(
            _train,
            backend_config=RendezvousConfig(),
            scaling_config=ScalingConfig(num_workers=env.workers, use_gpu=wanted.gpus_per_worker > 0, resources_per_worker=per_worker),
            run_config=RunConfig(
                name=env.submission_id,
                storage_path=f"{base}/{ray_folder(env)}",
                storage_filesystem=filesystem,
                # Whatever ends ranks ends the attempt: the next one resumes, and is counted and shown. Ray would start them anew for ever
                # when a node is taken away.
                failure_config=FailureConfig(max_failures=0, max_preemption_failures=0, controller_failure_limit=2),
            ),
        )
        trainer.on_workers_started(self._instruct)
        try:
            trainer.fit()
        except TrainingFailedError as error:
            failures = getattr(error, "worker_failures", {}).items()
            lost = {int(rank): _first_line(getattr(failure, "health_check_failure", failure)) for rank, failure in failures}
            raise AttemptFailed(f"Ray Train: {_first_line(error)}", "infrastructure", lost) from error
        except ray.exceptions.RayActorError as error:
            raise AttemptFailed(f"Ray: {_first_line(error)}", "infrastructure") from error

    def _instruct(self, workers: Any) -> None:
        """Tell the workers, who have started, what to train, once that is known. Raises RayActorError when one is lost meanwhile."""
        if not self._told.done():
            workers.execute(_warm_up, self._env.spec.resources.cpus_per_worker)
            self._warm.set()
        while True:
            try:
                env = self._told.result(LOOK_SECONDS)
            except TimeoutError:
                workers.execute(_stay_warm)
            else:
                break
        workers.execute(_instruct, env)


# What runs in the workers; the driver itself does not import the agent.


def _warm_up(cpus: float) -> None:
    from trainyard_train import agent

    agent.warm_up(cpus)


def _stay_warm() -> None:
    from trainyard_train import agent

    agent.stay_warm()


def _instruct(env: JobEnvironment) -> None:
    from trainyard_train import agent

    agent.instruct(env)


def _train() -> None:
    from trainyard_train import agent

    agent.run_rank()


def _first_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip()[:500] if lines else type(error).__name__
