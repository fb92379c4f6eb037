"""Series of a job's run: downsampling, a real MLflow server behind the API, and following them live."""

import json
import math
import random
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, finish, new_job, problems, sse_events, start

from trainyard_api.series import downsample
from trainyard_api.services.metrics import MetricFollower, plain
from trainyard_api.services.platform import Platform
from trainyard_api.store.models import utcnow
from trainyard_api.tracking import MetricPoint, Tracking, TrackingUnavailable


def call(tracking: Tracking, path: str, **body: Any) -> dict[str, Any]:
    return tracking._call("POST", path, json=body)


def log(tracking: Tracking, run_id: str, key: str, *points: tuple[int, Any, int]) -> None:
    """Log (step, value, timestamp) points as the trainer does."""
    metrics = [{"key": key, "value": value, "timestamp": timestamp, "step": step} for step, value, timestamp in points]
    call(tracking, "runs/log-batch", run_id=run_id, metrics=metrics)


def new_run(client: ApiClient, platform: Platform) -> tuple[str, str]:
    """A running job with its run."""
    job_id = new_job(client)
    start(platform, job_id)
    experiment, run_id = platform.tracking.ensure_run(job_id, job_id, utcnow(), {}, {})
    platform.repository.update_job(job_id, mlflow_run_id=run_id, mlflow_experiment_id=experiment)
    return job_id, run_id


@pytest.mark.parametrize("points", [2, 3, 4, 5, 50, 499, 500])
def test_downsampling_keeps_the_ends_and_the_extremes(points: int) -> None:
    source = random.Random(7)
    history = [MetricPoint(step, source.gauss(0, 1), step) for step in range(20_000)]
    history[777] = MetricPoint(777, 99.0, 777)
    history[15_000] = MetricPoint(15_000, -99.0, 15_000)
    history[100] = MetricPoint(100, math.nan, 100)
    kept = downsample(history, points)
    assert len(kept) <= points
    assert (kept[0], kept[-1]) == (history[0], history[-1])
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    if points >= 4:
        assert {history[777], history[15_000]} <= set(kept)
        assert len(kept) >= 0.7 * points


def test_short_series_are_left_alone() -> None:
    history = [MetricPoint(step, math.nan, step) for step in range(10)]
    assert downsample(history, 10) == history
    assert len(downsample(history, 6)) <= 6
    assert downsample([], 2) == []


def test_values_that_json_lacks() -> None:
    assert [plain(value) for value in (1.5, math.nan, math.inf, -math.inf, 1.7976931348623157e308, -1.7976931348623157e308)] == [1.5] + [
        None
    ] * 5


def test_series_of_a_real_run(tracked_client: ApiClient, tracked: Platform) -> None:
    job_id, run_id = new_run(tracked_client, tracked)
    log(tracked.tracking, run_id, "loss", *((step, 1 / (step + 1), 1000 + step) for step in range(900)))
    log(tracked.tracking, run_id, "odd/key", (0, 1.0, 1000), (1, "NaN", 1001), (2, "Infinity", 1002))
    answer = tracked_client.get(f"/jobs/{job_id}/metrics")
    assert answer.json["run_id"] == run_id
    loss, odd = answer.json["series"]
    assert (loss["key"], loss["count"], len(loss["values"])) == ("loss", 900, 500)
    assert (loss["steps"][0], loss["steps"][-1], loss["values"][0]) == (0, 899, 1.0)
    assert (odd["values"], odd["timestamps"]) == ([1.0, None, None], [1000, 1001, 1002])
    one = tracked_client.get(f"/jobs/{job_id}/metrics?key=loss&key=none&points=2").json["series"]
    assert [(series["key"], series["steps"]) for series in one] == [("loss", [0, 899])]
    for query in ("points=1", "points=10001", "points=x"):
        assert "points" in problems(tracked_client.get(f"/jobs/{job_id}/metrics?{query}"))


def away(*_: Any) -> Any:
    raise TrackingUnavailable("away")


def settled(client: ApiClient, platform: Platform) -> tuple[str, str]:
    """A job that is over, with a loss of 900 points, and its run."""
    job_id, run_id = new_run(client, platform)
    log(platform.tracking, run_id, "loss", *((step, 1 / (step + 1), 1000 + step) for step in range(900)), (900, "NaN", 1900))
    finish(platform, job_id)
    platform.repository.settle_job(job_id, platform.repository.get_job(job_id).finished_at)
    return job_id, run_id


@pytest.mark.parametrize("points", [100, 300, 1000, 2000])
def test_a_job_that_is_over_needs_no_mlflow_at_the_second_look(
    tracked_client: ApiClient, tracked: Platform, monkeypatch: pytest.MonkeyPatch, points: int
) -> None:
    job_id, run_id = settled(tracked_client, tracked)
    first = tracked_client.get(f"/jobs/{job_id}/metrics?points={points}").json
    [loss] = first["series"]
    assert (loss["count"], loss["values"][0], loss["values"][-1]) == (901, 1.0, None)
    assert 0.9 * min(points, 901) <= len(loss["steps"]) <= points
    monkeypatch.setattr(tracked.tracking, "latest_metrics", away)
    assert tracked_client.get(f"/jobs/{job_id}/metrics?points={points}").json == first
    assert tracked_client.get(f"/jobs/{job_id}/metrics?points={points}&key=other").json == {"run_id": run_id, "series": []}
    problems(tracked_client.get(f"/jobs/{job_id}/metrics?points=2001"), 503)


@pytest.mark.parametrize("course", ["it is retried", "it is damaged"])
def test_what_was_kept_is_not_believed_when(tracked_client: ApiClient, tracked: Platform, course: str) -> None:
    job_id, run_id = settled(tracked_client, tracked)
    tracked_client.get(f"/jobs/{job_id}/metrics")
    log(tracked.tracking, run_id, "loss", (901, 7.0, 2000))
    if course == "it is damaged":
        for level in (300, 2000):
            tracked.objects.put_bytes(f"jobs/{job_id}/series/{level}.json", b'{"attempt": 1, "series": {"loss": {"count": 1}}}')
    else:
        tracked.repository.update_job(job_id, settled_at=None)
    [loss] = tracked_client.get(f"/jobs/{job_id}/metrics").json["series"]
    assert (loss["count"], loss["values"][-1]) == (902, 7.0)


def test_jobs_side_by_side(tracked_client: ApiClient, tracked: Platform) -> None:
    over, _ = settled(tracked_client, tracked)
    running, run_id = new_run(tracked_client, tracked)
    log(tracked.tracking, run_id, "loss", (0, 1.0, 1000))
    fresh = new_job(tracked_client)
    answer = tracked_client.get(f"/comparison?points=50&job={running}&job=nobody&job={fresh}&job={over}&job={running}").json["items"]
    assert [(item["job"]["id"], [len(series["steps"]) for series in item["series"]]) for item in answer] == [
        (running, [1]),
        (fresh, []),
        (over, [50]),
    ]
    assert "job" in problems(tracked_client.get("/comparison"))
    assert "job" in problems(tracked_client.get("/comparison?" + "&".join(f"job=j{number}" for number in range(101))))


def test_a_run_deleted_in_mlflow(tracked_client: ApiClient, tracked: Platform) -> None:
    job_id, _ = new_run(tracked_client, tracked)
    tracked.repository.update_job(job_id, mlflow_run_id="0" * 32)
    problems(tracked_client.get(f"/jobs/{job_id}/metrics"), 502)


def points_of(text: str) -> list[tuple[str, int]]:
    """(key, step) of every point in a stream."""
    events = [event for event in sse_events(text) if event["event"] == "metrics"]
    return [(point["key"], point["step"]) for event in events for point in json.loads(event["data"])["points"]]


def test_a_followed_run_arrives_whole_and_once(tracked_client: ApiClient, tracked: Platform) -> None:
    job_id, run_id = new_run(tracked_client, tracked)
    log(tracked.tracking, run_id, "loss", (0, 1.0, 1000), (1, "NaN", 1000))
    follower = MetricFollower(tracked, job_id, keys=[], position=None)
    [first] = follower.poll().items
    assert [named.point.step for named in first.payload] == [0, 1]
    assert follower.poll().items == []
    log(tracked.tracking, run_id, "loss", (2, 0.5, 1001))
    log(tracked.tracking, run_id, "accuracy", (0, 0.5, 999))
    [second] = follower.poll().items
    assert [(named.key, named.point.step) for named in second.payload] == [("accuracy", 0), ("loss", 2)]
    log(tracked.tracking, run_id, "loss", (0, 1.0, 2000))  # a later attempt starts over: the latest step stays the same
    finish(tracked, job_id)
    last = follower.poll()
    assert [named.point.timestamp for item in last.items for named in item.payload] == [2000]
    assert last.ended is not None
    whole = tracked_client.get(f"/jobs/{job_id}/metrics/stream").text
    assert sorted(points_of(whole)) == [("accuracy", 0), ("loss", 0), ("loss", 0), ("loss", 1), ("loss", 2)]
    for position, left in ((first.position, 3), (second.position, 1), (last.items[0].position, 0)):
        assert len(points_of(tracked_client.get(f"/jobs/{job_id}/metrics/stream?last_event_id={position}").text)) == left
    assert points_of(tracked_client.get(f"/jobs/{job_id}/metrics/stream?key=accuracy").text) == [("accuracy", 0)]


@pytest.mark.parametrize("position", ["x", "{}", "eJw", "9" * 5000, "eJyrrgUAAXUA-Q", "%F0%9F%98%80", "eJyrVkpUslIyVKoFAAsHAko"])
def test_forged_positions_are_refused(client: ApiClient, position: str) -> None:
    job_id = new_job(client)
    answer = client.get(f"/jobs/{job_id}/metrics/stream?last_event_id={position}", buffered=False)
    if answer.status_code == 200:
        assert position == "eJyrrgUAAXUA-Q", "an empty position is one"
        answer.close()
        return
    assert "last_event_id" in problems(answer)


def test_mlflow_may_go_away_while_a_job_runs(tracked_client: ApiClient, tracked: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, run_id = new_run(tracked_client, tracked)
    log(tracked.tracking, run_id, "loss", (0, 1.0, 1000))
    follower = MetricFollower(tracked, job_id, keys=[], position=None)
    follower.poll()
    latest_metrics = tracked.tracking.latest_metrics

    def away(_: str) -> dict[str, MetricPoint]:
        raise TrackingUnavailable("away")

    monkeypatch.setattr(tracked.tracking, "latest_metrics", away)
    log(tracked.tracking, run_id, "loss", (1, 0.5, 1001))
    finish(tracked, job_id)
    assert follower.poll().ended is None
    monkeypatch.setattr(tracked.tracking, "latest_metrics", latest_metrics)
    batch = follower.poll()
    assert [named.point.step for item in batch.items for named in item.payload] == [1]
    assert batch.ended is not None


def test_models_of_a_real_registry(tracked_client: ApiClient, tracked: Platform) -> None:
    call(tracked.tracking, "registered-models/create", name="digits")
    tags = [{"key": "trainyard.job_id", "value": "j1"}]
    _, run_id = new_run(tracked_client, tracked)
    artifacts = tracked.tracking._call("GET", "runs/get", params={"run_id": run_id})["run"]["info"]["artifact_uri"]
    for name in ("a", "b"):
        call(tracked.tracking, "model-versions/create", name="digits", source=f"{artifacts}/{name}", run_id=run_id, tags=tags)
    items = tracked_client.get("/models").json["items"]
    assert [(model["name"], model["version"], model["uri"], model["job_id"]) for model in items] == [
        ("digits", "2", "models:/digits/2", "j1"),
        ("digits", "1", "models:/digits/1", "j1"),
    ]
    assert len(tracked_client.get("/models?limit=1").json["items"]) == 1
    assert "limit" in problems(tracked_client.get("/models?limit=0"))
