"""The timeline, live; and what holds for every stream."""

import json
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError
from tests.support.api_calls import ApiClient, finish, new_job, problems, sse_events, start

from trainyard_api.routes import sse
from trainyard_api.services.platform import Platform


def test_the_timeline_resumes_after_any_of_its_entries(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    start(platform, job_id)
    finish(platform, job_id)
    timeline = client.get(f"/jobs/{job_id}/events").json["items"]
    assert [entry["name"] for entry in timeline] == ["accepted", "STARTING", "admitted", "RUNNING", "SUCCEEDED", "finished"]
    events = sse_events(client.get(f"/jobs/{job_id}/events/stream").text)
    assert [json.loads(event["data"]) for event in events[:-1]] == timeline
    for done in range(1, len(events) - 1):
        assert (
            sse_events(client.get(f"/jobs/{job_id}/events/stream", headers={"Last-Event-ID": events[done - 1]["id"]}).text) == events[done:]
        )
    other = new_job(client)
    entry_of_other = client.get(f"/jobs/{other}/events").json["items"][0]["id"]
    for forged in ("x", "-1", "99999", "9" * 18, "9" * 5000, "1.0", str(entry_of_other)):
        assert "last_event_id" in problems(client.get(f"/jobs/{job_id}/events/stream?last_event_id={forged}"))


def open_stream(app: Flask, job_id: str) -> Any:
    """A stream of which nothing but the head was read."""
    return app.test_client().get(f"/jobs/{job_id}/events/stream", buffered=False)


def test_streams_are_bounded_and_give_their_place_back(app: Flask, client: ApiClient) -> None:
    sse.register(app, limit=2)
    job_id = new_job(client)
    first, second = open_stream(app, job_id), open_stream(app, job_id)
    refused = open_stream(app, job_id)
    problems(refused, 503)
    assert refused.headers["Retry-After"]
    first.close()  # unread
    next(second.response)
    second.close()  # half read
    for _ in range(3):
        third = open_stream(app, job_id)
        assert (third.status_code, third.mimetype) == (200, "text/event-stream")
        third.close()
        problems(client.get("/jobs/nothing/events/stream"), 404)
        head = client.head(f"/jobs/{job_id}/events/stream")
        assert head.status_code == 200
        head.close()


def test_an_idle_stream_says_so_and_holds_no_connection(
    app: Flask, client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "COMMENT_SECONDS", 0.0)
    answer = open_stream(app, new_job(client))
    parts = answer.iter_encoded()
    assert next(parts) == b":\n\n"
    assert b"accepted" in next(parts)
    assert next(parts) == next(parts) == b":\n\n"
    assert platform.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    answer.close()


def test_a_stream_whose_database_goes_ends_without_an_end(
    app: Flask, client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = open_stream(app, new_job(client))
    parts = answer.iter_encoded()
    next(parts)
    next(parts)

    def gone(*_: Any) -> None:
        raise OperationalError("SELECT", {}, Exception("gone"))

    monkeypatch.setattr(platform.repository, "get_job", gone)
    assert list(parts) == []
    answer.close()


def test_a_job_deleted_under_its_stream_ends_it(app: Flask, client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    answer = open_stream(app, job_id)
    parts = answer.iter_encoded()
    next(parts)
    next(parts)
    client.post(f"/jobs/{job_id}/cancel")
    platform.repository.settle_job(job_id, platform.repository.get_job(job_id).finished_at)
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert list(parts) == []
    answer.close()
