"""The API as it is run: gunicorn with threads, real sockets, clients that break off."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from httpx_sse import connect_sse
from tests.support.api_calls import TOKEN, archive, finish, ship, start
from tests.support.processes import end, free_port
from tests.support.waiting import wait_for

from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def port(settings: Settings, tmp_path: Path) -> Iterator[int]:
    """A gunicorn with one worker of 8 threads, counting for Prometheus in files."""
    port = free_port()
    figures = tmp_path / "prometheus"
    figures.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TRAINYARD_")} | {
        "TRAINYARD_STATE_DIR": str(settings.state_dir),
        "TRAINYARD_API_TOKEN_FILE": str(settings.api_token_file),
        "TRAINYARD_MAX_UPLOAD_BYTES": str(settings.max_upload_bytes),
        "PROMETHEUS_MULTIPROC_DIR": str(figures),
    }
    argv = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "8", "--bind", f"127.0.0.1:{port}"]
    argv += ["--graceful-timeout", "1", "--no-control-socket", "trainyard_api.wsgi:app"]
    with (tmp_path / "gunicorn.log").open("wb") as log:
        server = subprocess.Popen(argv, env=environment, stdout=log, stderr=log)
    try:
        wait_for("the API", lambda: server.poll() is not None or _answers(port), seconds=60, every=0.1)
        assert server.poll() is None, (tmp_path / "gunicorn.log").read_text()
        yield port
    finally:
        end(server)


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_the_served_api(port: int, settings: Settings, platform: Platform) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, trust_env=False, timeout=20) as client:
        _a_log_is_followed_while_it_grows(client, platform)
        _an_upload_that_breaks_off_leaves_nothing(client, port, settings)
        _bodies_without_a_length_are_bounded(client, settings)
        figures = client.get("/metrics").text
        assert 'trainyard_http_requests_total{method="POST",route="/api/v1/jobs",status="201"} 1.0' in figures
        assert 'trainyard_jobs{state="SUCCEEDED"} 1.0' in figures


def _a_log_is_followed_while_it_grows(client: httpx.Client, platform: Platform) -> None:
    job_id = client.post("/api/v1/jobs", json={"template": "tabular"}).json()["id"]
    start(platform, job_id)
    content, last_id = "", None
    for number in range(3):  # a new connection each time, as after a broken one
        headers = {"Last-Event-ID": last_id} if last_id else {}
        ship(platform, job_id, b"line %d\n" % number, offset=7 * number)
        with connect_sse(client, "GET", f"/api/v1/jobs/{job_id}/logs/stream", headers=headers) as source:
            event = next(source.iter_sse())
            content, last_id = content + json.loads(event.data)["content"], event.id
    assert content == "line 0\nline 1\nline 2\n"
    finish(platform, job_id)
    with connect_sse(client, "GET", f"/api/v1/jobs/{job_id}/logs/stream", headers={"Last-Event-ID": last_id or ""}) as source:
        assert [event.event for event in source.iter_sse()] == ["end"]


def _an_upload_that_breaks_off_leaves_nothing(client: httpx.Client, port: int, settings: Settings) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"POST /api/v1/code HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 3000000\r\n"
        head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
        connection.sendall((head + part).encode() + bytes(500_000))
        incoming = settings.state_dir / "incoming"
        wait_for("the upload to begin", lambda: incoming.is_dir() and list(incoming.iterdir()))
    wait_for("the unfinished file to go", lambda: not list(incoming.iterdir()))
    assert client.get("/api/v1/code").json()["items"] == []
    assert not (settings.state_dir / "objects" / "code").exists()


def _bodies_without_a_length_are_bounded(client: httpx.Client, settings: Settings) -> None:
    json_type = {"Content-Type": "application/json"}
    accepted = client.post("/api/v1/jobs", content=iter([b'{"template":', b' "nothing"}']), headers=json_type)
    assert (accepted.status_code, accepted.json()["errors"][0]["field"]) == (422, "template")
    refused = client.post("/api/v1/jobs", content=(b" " * 65536 for _ in range(40)), headers=json_type)
    assert refused.status_code == 413
    form = {"Content-Type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    large = client.post("/api/v1/code", content=(head if not number else bytes(65536) for number in range(90)), headers=form)
    assert large.status_code == 413
    assert client.post("/api/v1/code", files={"file": ("a.zip", bytes(9_000_000))}).status_code == 413
    assert client.post("/api/v1/jobs", content=bytes(3_000_000), headers=json_type | {"Authorization": ""}).status_code == 401
    sent = client.post("/api/v1/code", files={"file": ("a.zip", archive({"train.py": "print(1)"}))})
    assert sent.status_code == 201
    assert list((settings.state_dir / "incoming").iterdir()) == []
