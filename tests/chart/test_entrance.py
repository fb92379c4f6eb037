"""The entrance with a real nginx: what goes where, who is let in, what is not kept back."""

import base64
import http.client
import http.server
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import Rendered

TOKEN = "token-of-the-test"
BASIC = {"Authorization": "Basic " + base64.b64encode(f"trainyard:{TOKEN}".encode()).decode()}


@dataclass
class Upstream:
    """Stands where the API and MLflow are; notes every request."""

    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0
    #: Set once the first piece of a body has arrived.
    first_piece: threading.Event = field(default_factory=threading.Event)
    #: To be set by who has read the first line of a stream.
    go_on: threading.Event = field(default_factory=threading.Event)


def _handler(upstream: Upstream) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            upstream.seen.append((self.path, dict(self.headers)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"one\n")
            self.wfile.flush()
            held_back = self.path.endswith("/stream") and not upstream.go_on.wait(10)
            self.wfile.write(b"held back\n" if held_back else b"two\n")

        def do_POST(self) -> None:
            upstream.seen.append((self.path, dict(self.headers)))
            self.rfile.read(1024)
            upstream.first_piece.set()
            left = int(self.headers["Content-Length"]) - 1024
            while left > 0:
                left -= len(self.rfile.read(min(left, 65536)))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    made = Upstream()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(made))
    made.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()


@pytest.fixture(scope="module")
def entrance(default: Rendered, upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of nginx with the chart's own configuration; only paths and addresses are this machine's."""
    nginx = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)
    if nginx is None:
        pytest.skip("nginx is not installed (Debian, Ubuntu: apt-get install nginx-light)")
    folder = tmp_path_factory.mktemp("entrance")
    data = default.index.get("configmap/trainyard-frontend").data
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {
        "/etc/nginx": folder,
        "/etc/trainyard/portal": folder,
        "/etc/trainyard/auth": folder,
        "/usr/share/trainyard/portal": folder / "portal",
        "/tmp": folder / "tmp",
        "access_log /dev/stdout line": "access_log off",
        "listen 8080": f"listen 127.0.0.1:{port}",
    }
    for name in ("nginx.conf", "api.conf", "portal.conf", "config.json"):
        text = re.sub("|".join(map(re.escape, places)), lambda found: str(places[found.group()]), data[name])
        (folder / name).write_text(re.sub(r"server trainyard-\w+\.platform\.svc:\d+;", f"server 127.0.0.1:{upstream.port};", text))
    (folder / "mime.types").write_text("types { text/html html; application/javascript js; }\n")
    (folder / "htpasswd").write_text(f"trainyard:{{PLAIN}}{TOKEN}\n")
    (folder / "tmp").mkdir()
    (folder / "portal" / "assets").mkdir(parents=True)
    (folder / "portal" / "index.html").write_text("<html>portal</html>")
    (folder / "portal" / "assets" / "app.js").write_text("1;")
    folder.chmod(0o755)
    command = [nginx, "-c", str(folder / "nginx.conf"), "-e", "stderr", "-g", "daemon off; master_process off;"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, str]]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=20) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


@pytest.mark.parametrize("path", ["/", "/jobs/some-job", "/compare?runs=1"])
def test_every_page_is_the_portal(entrance: str, path: str) -> None:
    status, body, headers = get(entrance + path)
    assert (status, body) == (200, "<html>portal</html>")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-cache"


def test_assets_are_kept_and_missing_ones_are_not_the_portal(entrance: str) -> None:
    assert "immutable" in get(f"{entrance}/assets/app.js")[2]["Cache-Control"]
    assert get(f"{entrance}/assets/other.js")[0] == 404


def test_the_portals_settings_are_served(entrance: str) -> None:
    assert '"auth":"token"' in get(f"{entrance}/config.json")[1]


@pytest.mark.parametrize("path", ["/api/v1/jobs?limit=1", "/healthz", "/readyz", "/openapi.json"])
def test_the_api_is_asked_as_it_was(entrance: str, upstream: Upstream, path: str) -> None:
    assert get(entrance + path, {"Authorization": "Bearer abc"})[0] == 200
    asked, headers = upstream.seen[-1]
    assert asked == path
    assert headers["Authorization"] == "Bearer abc"
    assert headers["Host"] == entrance.removeprefix("http://")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic " + base64.b64encode(b"trainyard:wrong").decode()}])
def test_mlflow_asks_who_it_is(entrance: str, upstream: Upstream, headers: dict[str, str]) -> None:
    before = len(upstream.seen)
    assert get(f"{entrance}/mlflow/", headers)[0] == 401
    assert len(upstream.seen) == before


def test_mlflow_sees_its_own_name_and_no_password(entrance: str, upstream: Upstream) -> None:
    assert get(f"{entrance}/mlflow/api/2.0/mlflow/runs/get?run_id=1", {**BASIC, "Origin": entrance})[0] == 200
    path, headers = upstream.seen[-1]
    assert path == "/mlflow/api/2.0/mlflow/runs/get?run_id=1"
    assert headers["Host"] == "trainyard-mlflow.platform.svc:5000"
    assert not {"Authorization", "Origin"} & headers.keys()


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1"])
def test_a_page_of_another_origin_cannot_use_mlflow(entrance: str, origin: str) -> None:
    assert get(f"{entrance}/mlflow/", {**BASIC, "Origin": origin})[0] == 403


def test_mlflow_without_a_slash_leads_to_it(entrance: str) -> None:
    connection = http.client.HTTPConnection(entrance.removeprefix("http://"))
    connection.request("GET", "/mlflow")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "/mlflow/")


def test_a_stream_arrives_as_it_comes(entrance: str, upstream: Upstream) -> None:
    with urllib.request.urlopen(f"{entrance}/api/v1/jobs/j/logs/stream", timeout=20) as answer:
        assert answer.readline() == b"one\n"
        upstream.go_on.set()
        assert answer.readline() == b"two\n"


def test_an_upload_goes_through_while_it_comes(entrance: str, upstream: Upstream) -> None:
    """The first piece is at the API before the last one was sent, and no size is too large for the entrance."""
    total = 8 * 1024**2
    connection = http.client.HTTPConnection(entrance.removeprefix("http://"), timeout=20)
    connection.putrequest("POST", "/api/v1/datasets")
    connection.putheader("Content-Length", str(total))
    connection.endheaders()
    connection.send(b"x" * (total // 2))
    assert upstream.first_piece.wait(10)
    connection.send(b"x" * (total // 2))
    assert connection.getresponse().status == 201
