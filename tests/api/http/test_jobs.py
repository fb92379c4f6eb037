"""Listing jobs and moving them through their states by HTTP."""

from tests.support.api_calls import ApiClient, finish, new_job, problems, start

from trainyard_api.services.platform import Platform
from trainyard_api.store.models import utcnow
from trainyard_api.store.states import JobState


def test_pages_hold_every_job_once_while_jobs_are_added(client: ApiClient) -> None:
    made = [new_job(client, name=f"n{number}") for number in range(7)]
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = client.get("/jobs", query_string={"limit": 3, "cursor": cursor}).json
        seen += [job["id"] for job in page["items"]]
        cursor = page["next_cursor"]
        new_job(client)
    assert seen == made[::-1]


def test_filters_and_sorting(client: ApiClient) -> None:
    first = new_job(client, name="alpha", tags={"team": "a", "url": "http://x"})
    second = new_job(client, template="tabular", name="beta", tags={"team": "b"})
    client.post(f"/jobs/{second}/cancel")

    def ids(**query: object) -> list[str]:
        return [job["id"] for job in client.get("/jobs", query_string=query).json["items"]]

    assert ids(state="QUEUED") == [first]
    assert ids(state=["QUEUED", "CANCELLED"], sort="name") == [first, second]
    assert ids(template="tabular") == [second]
    assert ids(tag=["team:a", "url:http://x"]) == [first]
    assert ids(tag="team:c") == []
    assert ids(q="BET") == ids(q=second) == [second]
    assert ids(q="%00") == ids(q="\0") == ids(tag="a:\0") == []
    assert ids(sort="-name") == [second, first]


def test_jobs_of_a_span_of_time_are_paged_in_every_order(client: ApiClient) -> None:
    made = [new_job(client, name=f"n{9 - number}") for number in range(6)]
    times = [client.get(f"/jobs/{job_id}").json["created_at"] for job_id in made]

    def ids(**query: object) -> list[str]:
        found, cursor = [], ""
        while cursor is not None:
            page = client.get("/jobs", query_string={"limit": 2, "cursor": cursor, **query}).json
            found += [job["id"] for job in page["items"]]
            cursor = page["next_cursor"]
        return found

    assert ids(created_after=times[0], created_before=times[5]) == made[4:0:-1]
    assert ids(created_after=times[0], sort="created_at") == made[1:]
    assert ids(created_before=times[3], sort="name") == made[2::-1]
    assert ids(created_after=times[2], sort="-state", state="QUEUED") == made[5:2:-1]
    assert ids(created_after=times[5]) == []
    zoned = times[2].replace("Z", "+00:00")
    assert ids(created_after=zoned) == ids(created_after=times[2].lower()) == made[5:2:-1]


def test_wrong_queries_are_named(client: ApiClient) -> None:
    query = "/jobs?limt=3&q=a&q=b&sort=color"
    assert problems(client.get(query)) == {
        "limt": ("there is no such query parameter", "did you mean 'limit'?"),
        "q": ("is given more than once", "give it once"),
    }
    for query, field in (("limit=0", "limit"), ("limit=501", "limit"), ("state=DONE", "state.0"), ("sort=x", "sort"), ("tag=x", "tag.0")):
        assert field in problems(client.get(f"/jobs?{query}")), query
    for moment in ("", "yesterday", "1700000000", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00+02:00", "2026-13-01T00:00:00Z"):
        assert "created_after" in problems(client.get(f"/jobs?created_after={moment}")), moment
    assert "created_before" in problems(client.get("/jobs?created_before=0001-01-01T00:00:00%2B23:00"))
    assert problems(client.get("/jobs?cursor=abc"))["cursor"][1] == "start from the first page"
    assert "colour" in problems(client.get("/templates?colour=red"))


def test_a_job_goes_through_its_states(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    problems(client.post(f"/jobs/{job_id}/retry"), 409)
    problems(client.delete(f"/jobs/{job_id}"), 409)
    start(platform, job_id)
    cancelled = client.post(f"/jobs/{job_id}/cancel")
    assert (cancelled.status_code, cancelled.json["state"], cancelled.json["cancel_requested"]) == (202, "RUNNING", True)
    finish(platform, job_id, JobState.FAILED, "rank 0 exited with 3")
    problems(client.post(f"/jobs/{job_id}/cancel"), 409)
    attempts = client.get(f"/jobs/{job_id}/attempts").json["items"]
    assert [(one["number"], one["outcome"], one["reason"]) for one in attempts] == [(1, "failed", "rank 0 exited with 3")]
    assert attempts[0]["submission_id"] == f"ty-{job_id}-1"
    retried = client.post(f"/jobs/{job_id}/retry")
    assert (retried.status_code, retried.json["state"], retried.json["cancel_requested"]) == (202, "RETRYING", False)
    start(platform, job_id)
    finish(platform, job_id)
    platform.repository.settle_job(job_id, platform.repository.get_job(job_id).finished_at)
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    problems(client.get(f"/jobs/{job_id}"), 404)


def test_what_mlflow_knows_of_a_job_is_shown(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    assert client.get(f"/jobs/{job_id}").json["mlflow_url"] is None
    platform.repository.update_job(job_id, mlflow_run_id="r1", mlflow_experiment_id="4", model_name="digits", model_version="2")
    job = client.get(f"/jobs/{job_id}").json
    assert job["mlflow_url"] == "http://127.0.0.1:9/#/experiments/4/runs/r1"
    assert job["model"] == {"name": "digits", "version": "2"}


def test_nothing_is_found_under_strange_ids(client: ApiClient) -> None:
    for strange in ("nothing", "%00", "..%2f..", "%F0%9F%98%80", "x" * 3000):
        for path in ("", "/attempts", "/events", "/logs", "/logs/sources", "/metrics", "/events/stream", "/logs/stream", "/metrics/stream"):
            problems(client.get(f"/jobs/{strange}{path}"), 404)


def test_templates_and_capacity(client: ApiClient, platform: Platform) -> None:
    names = [template["name"] for template in client.get("/templates").json["items"]]
    assert names == ["image-classification", "tabular", "script", "function"]
    script = client.get("/templates/script").json
    assert script["needs_code"]
    assert script["parameters"]["properties"]["entry"]["default"] == "train.py"
    assert "did you mean 'script'?" in client.get("/templates/scrpt").json["detail"]
    assert client.get("/capacity").headers["Retry-After"]
    detail = {"cpus": 2.0, "gpus": 0.0, "memory_gb": 4.0, "nodes": [], "cpus_free": 1.0, "gpus_free": 0.0, "memory_gb_free": 4.0}
    platform.repository.save_capacity("local", detail)
    capacity = client.get("/capacity").json
    assert capacity.pop("recorded_at")[:10] == utcnow().date().isoformat()
    assert capacity == {"engine": "local", **detail, "warm_clusters": []}
    size = {"workers": 2, "min_workers": None, "cpus_per_worker": 0.5, "gpus_per_worker": 0.0, "memory_gb_per_worker": None}
    platform.repository.save_capacity("local", {**detail, "warm_clusters": [{"team": "default", "image": None, "ready": True, **size}]})
    [warm] = client.get("/capacity").json["warm_clusters"]
    assert (warm["team"], warm["image"], warm["ready"], warm["workers"]) == ("default", None, True, 2)
