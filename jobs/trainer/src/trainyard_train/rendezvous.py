"""How the ranks find each other: Ray Train places them, and each rank's own process forms the group as under torchrun."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

import ray
from ray.train.backend import Backend, BackendConfig
from ray.train.torch import TorchConfig


def _address_and_port() -> tuple[str, int]:
    address = ray.util.get_node_ip_address()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.bind(("", 0))
        return address, probe.getsockname()[1]


def _set_master(address: str, port: int) -> None:
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = address, str(port)


class _AddressBackend(Backend):
    """Gives every worker rank 0's address; forms no group in the Ray workers, which only watch over the training processes."""

    share_cuda_visible_devices = True

    def on_start(self, worker_group, backend_config):  # type: ignore[no-untyped-def]
        address, port = worker_group.execute_single(0, _address_and_port)
        worker_group.execute(_set_master, address, port)


@dataclass
class AddressOnlyTorchConfig(TorchConfig):
    """A TorchConfig whose process group is formed by the training processes themselves."""

    @property
    def backend_cls(self) -> type[Backend]:
        return _AddressBackend

    @property
    def train_func_context(self):  # type: ignore[no-untyped-def]
        return BackendConfig.train_func_context.fget(self)
