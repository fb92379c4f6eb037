"""Ray Train's trainer without the helper processes that this use of it does not need (docs/decisions/0003)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import ray
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import WorkerCallback, WorkerGroupCallback
from ray.train.v2._internal.execution.controller import TrainController
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group import WorkerGroup, state, worker_group
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer


class UnannouncedScaling(FixedScalingPolicy):  # type: ignore[misc]  # Ray is not typed
    """A fixed number of workers that is not announced to Ray's autoscaler: there is none behind a head that the platform starts."""

    def after_controller_start(self, train_run_context: Any) -> None:
        """Start no autoscaling coordinator."""

    def _maybe_send_resource_request(self) -> None:
        """Tell nobody."""


class LastWords(WorkerCallback):  # type: ignore[misc]  # Ray is not typed
    """Lets the agent of a rank that is stopped send what there is to send."""

    def before_worker_shutdown(self) -> None:
        """See WorkerCallback."""
        from trainyard_train.agent import stop_rank

        stop_rank()


class OnStart(WorkerGroupCallback):  # type: ignore[misc]  # Ray is not typed
    """Calls a function in the driver when all workers have started, before they train."""

    def __init__(self, function: Callable[[Any], None]) -> None:
        self._function = function

    def after_worker_group_start(self, worker_group: Any) -> None:
        """See WorkerGroupCallback."""
        self._function(worker_group)


class NoBarrier:
    """In the place of the actor that lets workers wait for each other in `ray.train.report`, which agents do not call."""

    @classmethod
    def options(cls, **_: Any) -> type[NoBarrier]:
        """As of an actor class."""
        return cls

    @classmethod
    def remote(cls, **_: Any) -> NoBarrier:
        """Start nothing."""
        return cls()


# The worker group makes and ends that actor in the middle of larger methods; in the driver's process nobody else uses these names.
worker_group.SynchronizationActor = NoBarrier
state._shutdown_sync_actor = lambda _: None


class AloneWorkerGroup(WorkerGroup):  # type: ignore[misc]  # Ray is not typed
    """Workers that are told of no controller, which is no actor, and of no barrier: they have nothing to ask either."""

    #: Whether the workers' processes have Ray Train's variables from their containers; otherwise they are given them.
    informed = False

    @staticmethod
    def _get_worker_runtime_env(custom_runtime_env: Any) -> Any:
        if AloneWorkerGroup.informed:
            return custom_runtime_env  # none: processes that Ray has started ahead will do
        return WorkerGroup._get_worker_runtime_env(custom_runtime_env)

    def _init_train_context_on_workers(self, workers: list[Any], sync_actor: Any, train_context_args: dict[str, list[Any]]) -> None:
        told = [
            worker.actor.init_train_context.remote(
                train_run_context=self._train_run_context,
                distributed_context=worker.distributed_context,
                synchronization_actor=None,
                storage_context=self._storage_context,
                worker_callbacks=self._worker_callbacks_to_propagate,
                controller_actor=None,
                **{name: values[number] for name, values in train_context_args.items()},
            )
            for number, worker in enumerate(workers)
        ]
        ray.get(told)
        self._decorate_worker_log_file_paths(workers)


class DriverController(TrainController):  # type: ignore[misc]  # Ray is not typed
    """Ray Train's controller, in the driver's own process."""

    worker_group_cls = AloneWorkerGroup


class LeanTrainer(DataParallelTrainer):  # type: ignore[misc]  # Ray is not typed
    """A run of N workers that feed themselves, in a Ray job of their own.

    Left out, each a process of its own beside the ranks: the controller (the driver does its work), the barrier of `ray.train.report`
    (nobody waits there), the manager of Ray Data sets (there are none), the cleaner of placement groups that outlive their controller (they
    end with the Ray job), and the autoscaling coordinator.
    """

    _on_start: tuple[OnStart, ...] = ()

    def on_workers_started(self, function: Callable[[Any], None]) -> None:
        """Have this called in the driver, with the group of workers, before they train; what it raises ends the run."""
        self._on_start = (OnStart(function),)

    def _create_default_callbacks(self) -> list[Any]:
        unneeded = (DatasetsCallback, PlacementGroupCleanerCallback)
        needed = [callback for callback in super()._create_default_callbacks() if not isinstance(callback, unneeded)]
        return [*needed, LastWords(), *self._on_start]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        controller = DriverController(**{**arguments, "scaling_policy": UnannouncedScaling(self.scaling_config)})
        asyncio.run(controller.run())
        return controller.get_result()
