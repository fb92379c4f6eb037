"""How the ranks find each other: Ray Train places them, and each rank's own process forms the group as under torchrun.

Nothing here imports torch: the driver, Ray Train's controller and its workers only watch over the training processes,
and would pay for the import with seconds and half a gigabyte each.
"""

from __future__ import annotations

import os
import socket
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig


def _address_and_port() -> tuple[str, int]:
    address = ray.util.get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind(("", 0))
        return address, probe.getsockname()[1]


def _set_master(address: str, port: int) -> None:
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = address, str(port)


class _AddressBackend(Backend):  # type: ignore[misc]
    """Gives every worker rank 0's address, and the GPUs of all workers of its machine, as torchrun does."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """See Backend."""
        address, port = worker_group.execute_single(0, _address_and_port)
        worker_group.execute(_set_master, address, port)


class RendezvousConfig(BackendConfig):  # type: ignore[misc]
    """The backend of a trainer whose process group is formed by the training processes themselves."""

    @property
    def backend_cls(self) -> type[Backend]:
        """See BackendConfig."""
        return _AddressBackend
