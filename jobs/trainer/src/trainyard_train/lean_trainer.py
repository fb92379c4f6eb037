"""Ray Train's trainer without the helper processes that this use of it does not need (docs/decisions/0003)."""

from __future__ import annotations

from typing import Any

from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.execution.callback import WorkerCallback
from ray.train.v2._internal.execution.scaling_policy import FixedScalingPolicy
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


class LeanTrainer(DataParallelTrainer):  # type: ignore[misc]  # Ray is not typed
    """A run of N workers that feed themselves, in a Ray job of their own.

    Left out, each a process of its own beside the ranks: the manager of Ray Data sets (there are none), the cleaner of placement
    groups that outlive their controller (they end with the Ray job), and the autoscaling coordinator.
    """

    def _create_default_callbacks(self) -> list[Any]:
        unneeded = (DatasetsCallback, PlacementGroupCleanerCallback)
        needed = [callback for callback in super()._create_default_callbacks() if not isinstance(callback, unneeded)]
        return [*needed, LastWords()]

    def _initialize_and_run_controller(self, **arguments: Any) -> Any:
        return super()._initialize_and_run_controller(**{**arguments, "scaling_policy": UnannouncedScaling(self.scaling_config)})
