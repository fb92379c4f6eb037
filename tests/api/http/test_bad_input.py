"""Bad input of every other kind: wrong numbers, text that is code elsewhere, queries and methods; nothing is ever made of it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, archive, new_job, problems, submit, upload

from trainyard_api.services.platform import Platform

#: Text that a shell, SQL, YAML, a template engine, a page or a terminal would act on.
CODE_ELSEWHERE = [
    "{{ 7*7 }}",
    "{% raw %}",
    "&a [*a, *a]",
    "!!python/object/apply:os.system ['id']",
    "'; DROP TABLE jobs; --",
    "$(id) `id` && id | id",
    "${HOME} %(id)s %s",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "\u202egnp.exe",
    "\U0001f682 \u00e9\u0301",
]


@pytest.fixture
def untouched(client: ApiClient, platform: Platform) -> Iterator[None]:
    """Whatever the test sends: no job and no object afterwards."""
    yield
    assert client.get("/jobs").json["items"] == []
    assert list(platform.objects.list("")) == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("value", [0, -1, 1e9, 1.5, "2", True, None, [], {}], ids=repr)
def test_workers_are_a_whole_number_that_can_be(client: ApiClient, value: Any) -> None:
    found = problems(submit(client, parameters={"workers": value}))
    assert set(found) == {"parameters.workers"}
    assert all(found["parameters.workers"])


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("field", ["cpus_per_worker", "gpus_per_worker", "memory_gb_per_worker"])
@pytest.mark.parametrize("value", [-1, 1e99, "1e99", "-1", "0.0001m", "5GiB", True], ids=repr)
def test_resources_are_plain_numbers(client: ApiClient, field: str, value: Any) -> None:
    found = problems(submit(client, parameters={field: value}))
    assert set(found) == {f"parameters.{field}"}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"deadline_seconds": -1}, "deadline_seconds"),
        ({"deadline_seconds": 1e12}, "deadline_seconds"),
        ({"retries": -1}, "retries"),
        ({"checkpoints": {"keep": 0}}, "checkpoints.keep"),
        ({"checkpoints": {"keep": 2, "best_mode": "most"}}, "checkpoints.best_mode"),
        ({"checkpoints": []}, "checkpoints"),
        ({"parameters": {"checkpoint_every": -1}}, "parameters.checkpoint_every"),
        ({"parameters": []}, "parameters"),
        ({"tags": [["a", "b"]]}, "tags"),
        ({"resume": {"job": "nothing"}}, "resume.job"),
        ({"resume": {"job": "../x", "step": -1}}, "resume.step"),
        ({"data": "file:///etc/passwd"}, "data"),
        ({"data": "http://169.254.169.254/latest"}, "data"),
        ({"data": "../code/x"}, "data"),
        ({"image": "registry/x:latest; id"}, "image"),
        ({"team": "../other"}, "team"),
        ({"env": {"LD_PRELOAD": "x"}}, "env"),
        ({"securityContext": {"privileged": True}}, "securityContext"),
        ({"parameters": {"hostNetwork": True}}, "parameters.hostNetwork"),
        ({"parameters": {"nodeName": "a"}}, "parameters.nodeName"),
    ],
)
def test_other_fields(client: ApiClient, fields: dict[str, Any], field: str) -> None:
    assert field in problems(submit(client, **fields))


@pytest.mark.parametrize("text", CODE_ELSEWHERE)
def test_text_that_is_code_elsewhere_stays_text(client: ApiClient, platform: Platform, text: str) -> None:
    """In names and parameters it comes back as it was; as a filter it finds just that."""
    code = upload(client, archive({"train.py": ""})).json["id"]
    other = new_job(client)
    job_id = new_job(client, template="script", code=code, name=text, tags={"k": text}, parameters={"arguments": [text]})
    job = client.get(f"/jobs/{job_id}").json
    assert (job["name"], job["tags"], job["parameters"]["arguments"]) == (text, {"k": text}, [text])
    assert platform.repository.get_job(job_id).spec["argv"][-1:] == [text]
    found = client.get("/jobs", query_string={"q": text}).json["items"]
    assert [one["id"] for one in found] == [job_id]
    assert client.get(f"/jobs/{other}").status_code == 200


def test_jobs_of_the_same_name_are_two(client: ApiClient) -> None:
    first, second = (new_job(client, name="The Same / name") for _ in range(2))
    assert first != second
    assert re.fullmatch("[a-z0-9]+", first)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=-1", "limit"),
        ("limit=1000000000", "limit"),
        ("limit=1.5", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("sort=created_at;drop", "sort"),
        ("sort=password", "sort"),
        ("cursor=eyJpZCI6MX0", "cursor"),
        ("cursor=" + "A" * 4000, "cursor"),
        ("cursor=%00", "cursor"),
        ("state=QUEUED%27--", "state.0"),
    ],
)
def test_queries(client: ApiClient, query: str, field: str) -> None:
    assert field in problems(client.get(f"/jobs?{query}"))


def test_reading_changes_nothing_and_strange_methods_are_refused(client: ApiClient) -> None:
    job_id = new_job(client)
    for path in (f"/jobs/{job_id}/cancel", f"/jobs/{job_id}/retry", f"/jobs/{job_id}/clone"):
        for method in ("GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE"):
            assert client.open(path, method=method).status_code == 405, (method, path)
    for method in ("TRACE", "PROPFIND", "PATCH"):
        assert client.open(f"/jobs/{job_id}", method=method).status_code == 405, method
    assert [job["state"] for job in client.get("/jobs").json["items"]] == ["QUEUED"]


def test_attempts_and_ranks_that_cannot_be(client: ApiClient) -> None:
    job_id = new_job(client)
    for number in ("0", "-1", "1e3", "9" * 40):
        assert "attempt" in problems(client.get(f"/jobs/{job_id}/logs", query_string={"attempt": number, "rank": "0"})), number
    for rank in ("-1", "../0", "driver/..", "9" * 400):
        assert "rank" in problems(client.get(f"/jobs/{job_id}/logs", query_string={"rank": rank})), rank


def test_what_is_over_is_not_cancelled_again(client: ApiClient) -> None:
    job_id = new_job(client)
    client.post(f"/jobs/{job_id}/cancel")
    problems(client.post(f"/jobs/{job_id}/cancel"), 409)
