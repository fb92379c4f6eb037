"""The connection to the API server: which one, and what its answers mean."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from kubernetes import client
from tests.support.kube_api import KubeServer
from tests.support.processes import free_port

from trainyard_api.engines.kubernetes.api import ApiError, ApiUnreachable, KubeApi, connect


def test_the_kubeconfig_of_the_environment_is_used(server: KubeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = {"name": "c", "cluster": {"server": server.url}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {"token": "secret"}}
    file = tmp_path / "kubeconfig"
    file.write_text(
        yaml.safe_dump({"kind": "Config", "clusters": [cluster], "contexts": [context], "users": [user], "current-context": "x"})
    )
    monkeypatch.setenv("KUBECONFIG", str(file))
    api = KubeApi(connect())
    assert api.host == server.url
    assert api.list("/api/v1/nodes", {}, dict) == ([], "100")


def test_without_a_cluster_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    with pytest.raises(ValueError, match=r"no Kubernetes cluster is configured .* set KUBECONFIG, or run in a pod"):
        connect()


def test_refusals_carry_kubernetes_word_for_them(server: KubeServer) -> None:
    server.forbidden.add("/api/v1/nodes")
    with pytest.raises(ApiError, match="cannot list /api/v1/nodes") as refused:
        server.api().list("/api/v1/nodes", {}, dict)
    assert (refused.value.status, refused.value.reason, refused.value.gone) == (403, "Forbidden", False)
    with pytest.raises(ApiError) as missing:
        server.api().get("/api/v1/namespaces/a/pods/b")
    assert missing.value.status == 404


def test_nobody_there_is_unreachable() -> None:
    settings = client.Configuration(host=f"http://127.0.0.1:{free_port()}")
    settings.retries = False
    with pytest.raises(ApiUnreachable, match=r"the Kubernetes API at http://127\.0\.0\.1:\d+ does not answer"):
        KubeApi(client.ApiClient(settings)).get("/api/v1/nodes/a")


class _Odd(http.server.BaseHTTPRequestHandler):
    answers = {"/busy": (503, b"later"), "/odd": (200, b"<html>"), "/plain": (400, b"no json")}

    def do_GET(self) -> None:
        status, content = self.answers[self.path]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def odd() -> Iterator[KubeApi]:
    """Something that is no API server."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")
    settings.retries = False
    yield KubeApi(client.ApiClient(settings))
    server.shutdown()
    server.server_close()


def test_odd_answers(odd: KubeApi) -> None:
    with pytest.raises(ApiUnreachable, match="answered 503: later"):
        odd.get("/busy")
    with pytest.raises(ApiUnreachable, match="cannot be read"):
        odd.get("/odd")
    with pytest.raises(ApiError, match="no json"):
        odd.get("/plain")
