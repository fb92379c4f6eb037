"""The Kubernetes engine with the smallest API server that behaves like one."""

from collections.abc import Iterator

import pytest
from tests.support.kube_api import KubeServer, kube_server
from tests.support.kube_cluster import FakeCluster


@pytest.fixture
def server() -> Iterator[KubeServer]:
    """An empty API server."""
    with kube_server() as server:
        yield server


@pytest.fixture
def cluster(server: KubeServer) -> Iterator[FakeCluster]:
    """A cluster of one node behind it."""
    cluster = FakeCluster(server)
    yield cluster
    cluster.engine.close()
