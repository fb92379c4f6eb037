"""What callers see while something behind the API is broken."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from tests.support.api_calls import TOKEN, ApiClient, new_job, problems, ship, start, submit

from trainyard_api.app import create_app
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings
from trainyard_api.store import lease


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.fixture
def unreachable(tmp_path: Path) -> ApiClient:
    """The API on a PostgreSQL that is not there."""
    token = tmp_path / "api-token"
    token.write_text(TOKEN)
    url = "postgresql://nobody@127.0.0.1:9/none?connect_timeout=2"
    platform = Platform.open(Settings(state_dir=tmp_path, database_url=url, api_token_file=token, mlflow_url="http://127.0.0.1:9"))
    app = create_app(platform=platform)
    app.test_client_class = ApiClient
    client = app.test_client()
    assert isinstance(client, ApiClient)
    return client


def test_a_database_that_is_away(unreachable: ApiClient) -> None:
    for answer in (unreachable.get("/jobs"), submit(unreachable), unreachable.get("/jobs/x/events/stream"), unreachable.get("/code")):
        problems(answer, 503)
        assert answer.headers["Retry-After"]
        assert "nobody" not in answer.text
    ready = unreachable.get("/readyz", raw=True)
    assert ready.status_code == 503
    assert not ready.json["parts"]["database"]["ok"]
    assert ready.json["parts"]["object_store"]["ok"]
    figures = unreachable.get("/metrics", raw=True, headers={"Authorization": f"Bearer {TOKEN}"})
    assert figures.status_code == 200


def test_an_object_store_that_is_away(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    start(platform, job_id)
    ship(platform, job_id, b"hello\n")
    folder = platform.settings.state_dir / "objects"
    folder.rename(folder.with_name("moved"))
    folder.write_text("not a folder")
    ready = client.get("/readyz", raw=True).json
    assert not ready["parts"]["object_store"]["ok"]
    assert client.get("/jobs").status_code == 200


def test_mlflow_that_is_away_harms_only_what_is_in_mlflow(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    assert client.get(f"/jobs/{job_id}/metrics").json == {"run_id": None, "series": []}
    platform.repository.update_job(job_id, mlflow_run_id="r1", mlflow_experiment_id="1")
    problems(client.get(f"/jobs/{job_id}/metrics"), 503)
    problems(client.get(f"/jobs/{job_id}/metrics/stream"), 503)
    problems(client.get("/models"), 503)
    assert client.get("/jobs").status_code == 200
    assert client.get(f"/jobs/{job_id}").status_code == 200


def test_a_bug_shows_no_more_than_where_to_look(
    client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(platform.repository, "list_jobs", failing(ZeroDivisionError("secret detail")))
    with caplog.at_level(logging.ERROR):
        answer = client.get("/jobs")
    problems(answer, 500)
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.json["instance"] in caplog.text
    assert "secret detail" in caplog.text


def test_a_database_whose_disk_is_full(client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    error = OperationalError("INSERT", {}, Exception("database or disk is full"))
    monkeypatch.setattr(platform.repository, "create_job", failing(error))
    problems(submit(client), 507)


def test_readiness_names_every_part(app: Flask, client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = client.get("/readyz", raw=True)
    assert ready.status_code == 503
    parts = ready.json["parts"]
    assert {name for name, part in parts.items() if part["ok"]} == {"database", "object_store"}
    assert all(part["detail"] for part in parts.values() if not part["ok"])
    assert lease.acquire(platform.database, "a test", seconds=60)
    platform.repository.save_capacity("memory", {"cpus": 1})
    monkeypatch.setattr(platform.tracking, "ping", lambda: None)
    ready = client.get("/readyz", raw=True)
    assert (ready.status_code, ready.json["ok"]) == (200, True)


def test_one_part_can_be_asked_for_alone(client: ApiClient, unreachable: ApiClient) -> None:
    ready = client.get("/readyz?part=database", raw=True)
    assert (ready.status_code, ready.json) == (200, {"ok": True, "parts": {"database": {"ok": True, "detail": None}}})
    assert unreachable.get("/readyz?part=database", raw=True).status_code == 503
    assert unreachable.get("/readyz?part=object_store", raw=True).status_code == 200
    problems(client.get("/readyz?part=moon", raw=True), 422)


def test_a_database_without_tables_is_not_ready(settings: Settings) -> None:
    app = create_app(settings)
    app.test_client_class = ApiClient
    empty = app.test_client()
    assert isinstance(empty, ApiClient)
    part = empty.get("/readyz?part=database", raw=True).json["parts"]["database"]
    assert (part["ok"], "the controller makes them" in part["detail"]) == (False, True)


def test_flasks_own_errors_are_problems_too(client: ApiClient) -> None:
    problems(client.get("/nothing"), 404)
    problems(client.get("//jobs"), 404)
    problems(client.get("/jobs/"), 404)
    wrong_method = client.put("/jobs")
    problems(wrong_method, 405)
    assert set(wrong_method.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
    assert client.get("/jobs/x/cancel").status_code == 405


def test_figures_for_prometheus(client: ApiClient) -> None:
    new_job(client)
    client.get("/jobs/a-job-of-mine")
    text = client.get("/metrics", raw=True, headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert 'trainyard_http_requests_total{method="GET",route="/api/v1/jobs/<job_id>",status="404"} 1.0' in text
    assert 'trainyard_http_request_duration_seconds_count{method="POST",route="/api/v1/jobs"} 1.0' in text
    assert 'trainyard_jobs{state="QUEUED"} 1.0' in text
    assert 'trainyard_jobs{state="FAILED"} 0.0' in text
    assert "a-job-of-mine" not in text
