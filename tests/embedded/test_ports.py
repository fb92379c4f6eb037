"""Who has no token gets nothing from any port: Ray listens beyond loopback whatever it is told."""

import contextlib

import grpc
import httpx
import psutil
import pytest

from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.processes import marked_processes

pytestmark = pytest.mark.platform

#: Served by every Ray head without a token: the page's static files, its health, and whether tokens are needed.
_OPEN_PATHS = ("/api/jobs/", "/api/version", "/api/v0/nodes", "/nodes", "/metrics", "/api/cluster_status", "/api/job_agent/jobs/")
_GRPC_METHODS = (
    "/ray.rpc.NodeInfoGcsService/GetAllNodeInfo",
    "/ray.rpc.JobInfoGcsService/GetAllJobInfo",
    "/ray.rpc.InternalKVGcsService/InternalKVKeys",
    "/ray.rpc.NodeManagerService/GetNodeStats",
    "/ray.rpc.NodeManagerService/RequestWorkerLease",
    "/ray.rpc.CoreWorkerService/GetCoreWorkerStats",
    "/ray.rpc.ReporterService/GetTraceback",
    "/ray.rpc.RayletDriver/Init",
    "/ray.rpc.LogService/ListLogs",
)


def listening_ports(config: PlatformConfig) -> dict[int, str]:
    """Ports on which the platform's processes listen, with the process's command."""
    ports = {}
    for process in marked_processes(config.marker):
        with contextlib.suppress(psutil.Error):
            command = " ".join(process.cmdline())
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    ports[connection.laddr.port] = command
    return ports


def test_every_ray_port_refuses_without_a_token(config: PlatformConfig) -> None:
    ours = {config.port, config.mlflow_port}
    ports = {port: command for port, command in listening_ports(config).items() if port not in ours}
    assert {config.ray_port, config.ray_dashboard_port} <= set(ports), "the head's own ports are among those looked at"
    served = []
    for port, command in ports.items():
        for path in _OPEN_PATHS:
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=5, trust_env=False)
                if answer.is_success:
                    served.append(f"HTTP {port}{path} of {command[:120]}: {answer.text[:80]!r}")
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            for method in _GRPC_METHODS:
                with contextlib.suppress(grpc.RpcError):
                    channel.unary_unary(method)(b"", timeout=3)
                    served.append(f"gRPC {port} {method} of {command[:120]}")
    assert not served


def test_ray_answers_with_the_token(config: PlatformConfig) -> None:
    """The positive control: the same questions are answered to who has it."""
    token = config.ray_token_file.read_text()
    answer = httpx.get(f"{config.ray_dashboard_url}/api/jobs/", headers={"Authorization": f"Bearer {token}"}, trust_env=False)
    assert answer.status_code == 200
    with grpc.insecure_channel(f"127.0.0.1:{config.ray_port}") as channel:
        call = channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetAllNodeInfo")
        assert call(b"", timeout=10, metadata=[("authorization", f"Bearer {token}")])


def test_the_api_and_mlflow_listen_on_loopback_only(config: PlatformConfig) -> None:
    addresses = set()
    for process in marked_processes(config.marker):
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections("tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port in (config.port, config.mlflow_port):
                    addresses.add(connection.laddr.ip)
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic dTpw"}])
def test_the_api_refuses_without_its_token(config: PlatformConfig, headers: dict[str, str]) -> None:
    for path in ("/api/v1/jobs", "/api/v1/capacity", "/metrics", "/openapi.json"):
        assert httpx.get(config.url + path, headers=headers, trust_env=False).status_code == 401
    assert httpx.get(f"{config.url}/healthz", headers=headers, trust_env=False).status_code == 200
