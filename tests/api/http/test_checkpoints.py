"""Checkpoints of jobs: which are listed, how they are downloaded, and jobs that start from one."""

import hashlib
import io
import json
import zipfile
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, finish, new_job, problems, start, submit

from trainyard_api.objects import ObjectStoreError
from trainyard_api.services.platform import Platform
from trainyard_api.store.states import JobState

TIME = 1_790_000_000.25


def save(
    platform: Platform,
    job_id: str,
    step: int,
    files: dict[str, bytes] | None = None,
    *,
    metrics: dict[str, float] | None = None,
    attempt: int = 1,
    manifest: dict[str, Any] | None = None,
) -> None:
    """A checkpoint, as the trainer saves it; ``manifest`` replaces some of what is written down."""
    prefix, files = f"jobs/{job_id}/checkpoints/{step:012d}", {"model.pt": b"weights"} if files is None else files
    entries = {name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()}
    body = {"step": step, "time": TIME, "attempt": attempt, "files": entries, "metrics": metrics or {}, **(manifest or {})}
    for name, content in files.items():
        platform.objects.put_bytes(f"{prefix}/{name}", content)
    platform.objects.put_bytes(f"{prefix}/manifest.json", json.dumps(body).encode())


def listed(client: ApiClient, job_id: str) -> list[dict[str, Any]]:
    """The job's checkpoints."""
    items: list[dict[str, Any]] = client.get(f"/jobs/{job_id}/checkpoints").json["items"]
    return items


def end(platform: Platform, job_id: str, state: JobState = JobState.SUCCEEDED) -> None:
    """Start the job, end it, and close its run."""
    start(platform, job_id)
    finish(platform, job_id, state)
    platform.repository.settle_job(job_id, platform.repository.get_job(job_id).finished_at)


def test_whole_checkpoints_are_listed_newest_first(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client, checkpoints={"keep": 3, "best_metric": "loss", "best_mode": "min"})
    assert listed(client, job_id) == []
    save(platform, job_id, 10, {"model.pt": b"1234", "shards/0.bin": b"56"}, metrics={"loss": 0.5})
    save(platform, job_id, 20, metrics={"loss": 0.25, "accuracy": 0.9})
    save(platform, job_id, 30, metrics={"loss": 0.25})
    save(platform, job_id, 15, metrics={"other": 1}, attempt=2)
    found = listed(client, job_id)
    assert [(one["step"], one["attempt"], one["latest"], one["best"]) for one in found] == [
        (15, 2, True, False),
        (30, 1, False, True),
        (20, 1, False, False),
        (10, 1, False, False),
    ]
    assert found[-1] == {
        **{"step": 10, "created_at": "2026-09-21T14:13:20.250000Z", "attempt": 1, "size": 6},
        **{"files": [{"name": "model.pt", "size": 4}, {"name": "shards/0.bin", "size": 2}]},
        **{"metrics": {"loss": 0.5}, "best": False, "latest": False},
    }
    highest = new_job(client, checkpoints={"best_metric": "accuracy", "best_mode": "max"})
    save(platform, highest, 1, metrics={"accuracy": 0.9})
    save(platform, highest, 2, metrics={"accuracy": 0.8})
    assert [one["step"] for one in listed(client, highest) if one["best"]] == [1]
    unnamed = new_job(client)
    save(platform, unnamed, 1, metrics={"loss": 0})
    assert [one["best"] for one in listed(client, unnamed)] == [False]
    problems(client.get("/jobs/nothing/checkpoints"), 404)


DAMAGED: dict[str, dict[str, Any]] = {
    "files of a list": {"files": ["model.pt"]},
    "another size": {"files": {"model.pt": {"sha256": "0", "size": 8}}},
    "a file that is not there": {"files": {"model.pt": {"sha256": "0", "size": 7}, "more.pt": {"sha256": "0", "size": 7}}},
    "a way out": {"files": {"../../../../jobs": {"sha256": "0", "size": 7}}},
    "an absolute name": {"files": {"/etc/passwd": {"sha256": "0", "size": 7}}},
    "no digest": {"files": {"model.pt": {"size": 7}}},
    "no time": {"time": None},
    "a time beyond the calendar": {"time": 1e30},
    "metrics of text": {"metrics": {"loss": "low"}},
    "no attempt": {"attempt": "first"},
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_checkpoints_are_not_there(client: ApiClient, platform: Platform, damage: str) -> None:
    job_id = new_job(client)
    save(platform, job_id, 10)
    save(platform, job_id, 20, manifest=DAMAGED[damage])
    assert [one["step"] for one in listed(client, job_id)] == [10]
    problems(client.get(f"/jobs/{job_id}/checkpoints/20/download"), 404)


def test_half_checkpoints_are_not_there(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    prefix = f"jobs/{job_id}/checkpoints"
    platform.objects.put_bytes(f"{prefix}/000000000010/model.pt", b"still uploading")
    platform.objects.put_bytes(f"{prefix}/000000000020/manifest.json", b'{"step": 20, "ti')
    platform.objects.put_bytes(f"{prefix}/latest/manifest.json", b"{}")
    assert listed(client, job_id) == []


def test_a_checkpoint_is_downloaded_as_a_zip_with_the_names_of_its_manifest(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    files = {"model.pt": bytes(range(256)) * 40_000, "nested/optimizer.pt": b"", "é.txt": b"text"}
    save(platform, job_id, 120, files)
    platform.objects.put_bytes(f"jobs/{job_id}/checkpoints/000000000120/stray.txt", b"not of the manifest")
    answer = client.get(f"/jobs/{job_id}/checkpoints/120/download")
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{job_id}-step-120.zip"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert {info.date_time for info in archive.infolist()} == {(2026, 9, 21, 14, 13, 20)}
    for step, status in ((121, 404), (-1, 422), (10**12, 422), ("x", 422)):
        problems(client.get(f"/jobs/{job_id}/checkpoints/{step}/download"), status)
    problems(client.get("/jobs/nothing/checkpoints/1/download"), 404)


def test_the_download_of_a_damaged_file_breaks_off(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    save(platform, job_id, 1, {"a.pt": b"aaaa", "b.pt": b"bbbb"})
    platform.objects.put_bytes(f"jobs/{job_id}/checkpoints/000000000001/b.pt", b"bbbc")
    with pytest.raises(ObjectStoreError, match=r"b\.pt has another content"):
        client.get(f"/jobs/{job_id}/checkpoints/1/download").get_data()


def test_a_job_starts_from_the_newest_or_a_named_checkpoint(client: ApiClient, platform: Platform) -> None:
    source = new_job(client)
    save(platform, source, 10)
    save(platform, source, 20)
    newest = submit(client, resume={"job": source}).json
    named = submit(client, resume={"job": source, "step": 10}, checkpoints={"keep": 5}).json
    assert newest["resume"] == {"job": source, "step": 20}
    assert newest["checkpoints"] is None
    assert (named["resume"], named["checkpoints"]) == (
        {"job": source, "step": 10},
        {"keep": 5, "best_metric": None, "best_mode": "min"},
    )
    assert client.get(f"/jobs/{named['id']}").json == named
    spec = platform.repository.get_job(named["id"]).spec
    assert spec["resume_from"] == f"jobs/{source}/checkpoints/000000000010"
    assert spec["checkpoints"] == {"keep": 5, "best_metric": None, "best_mode": "min"}
    plain = platform.repository.get_job(source).spec
    assert (plain["resume_from"], plain["checkpoints"]["keep"]) == (None, 2)


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"resume": {"job": "nothing"}}, "resume.job", "there is no job nothing"),
        ({"resume": {"job": "EMPTY"}}, "resume.job", "has no whole checkpoint"),
        ({"resume": {"job": "SOURCE", "step": 15}}, "resume.step", "no whole checkpoint of step 15"),
        ({"resume": {"job": "SOURCE", "step": -1}}, "resume.step", "greater than or equal to 0"),
        ({"resume": {"job": "SOURCE", "step": "10"}}, "resume.step", "valid integer"),
        ({"resume": {"step": 1}}, "resume.job", "field required"),
        ({"resume": {"job": "SOURCE", "stp": 1}}, "resume.stp", "no such field"),
        ({"resume": "SOURCE"}, "resume", "valid dictionary"),
        ({"checkpoints": {"keep": 0}}, "checkpoints.keep", "greater than or equal to 1"),
        ({"checkpoints": {"keep": 101}}, "checkpoints.keep", "less than or equal to 100"),
        ({"checkpoints": {"keep": "3"}}, "checkpoints.keep", "valid integer"),
        ({"checkpoints": {"best_metric": ""}}, "checkpoints.best_metric", "at least 1"),
        ({"checkpoints": {"best_metric": "loss", "best_mode": "lowest"}}, "checkpoints.best_mode", "should be 'min' or 'max'"),
    ],
)
def test_what_is_wrong_with_it_is_named(client: ApiClient, platform: Platform, fields: dict[str, Any], field: str, message: str) -> None:
    source, empty = new_job(client), new_job(client)
    for step in (10, 20):
        save(platform, source, step)
    body = json.loads(json.dumps(fields).replace("SOURCE", source).replace("EMPTY", empty))
    found = problems(submit(client, **body))
    assert list(found) == [field]
    assert message in found[field][0], found
    if field == "resume.step" and "15" in message:
        assert found[field][1] == "use one of: 20, 10"
    assert len(client.get("/jobs").json["items"]) == 2


def test_a_clone_keeps_the_policy_and_starts_from_nothing_unless_told(client: ApiClient, platform: Platform) -> None:
    source = new_job(client)
    save(platform, source, 10)
    resumed = submit(client, resume={"job": source}, checkpoints={"keep": 4}).json
    same = client.post(f"/jobs/{resumed['id']}/clone", json={}).json
    assert (same["resume"], same["checkpoints"]["keep"]) == (None, 4)
    assert platform.repository.get_job(same["id"]).spec["resume_from"] is None
    again = client.post(f"/jobs/{source}/clone", json={"resume": {"job": source, "step": 10}, "checkpoints": {"keep": 1}}).json
    assert (again["resume"], again["checkpoints"]["keep"]) == ({"job": source, "step": 10}, 1)
    assert client.post(f"/jobs/{resumed['id']}/clone", json={"checkpoints": None}).json["checkpoints"] is None
    assert "resume.step" in problems(client.post(f"/jobs/{source}/clone", json={"resume": {"job": source, "step": 11}}))


def test_a_retry_keeps_both(client: ApiClient, platform: Platform) -> None:
    source = new_job(client)
    save(platform, source, 10)
    job_id = submit(client, resume={"job": source}, checkpoints={"keep": 4}).json["id"]
    end(platform, job_id, JobState.FAILED)
    retried = client.post(f"/jobs/{job_id}/retry").json
    assert (retried["resume"], retried["checkpoints"]["keep"]) == ({"job": source, "step": 10}, 4)


def test_a_job_is_deleted_with_its_objects_when_nobody_resumes_from_it(client: ApiClient, platform: Platform) -> None:
    source = new_job(client)
    save(platform, source, 10)
    resumed = submit(client, resume={"job": source}).json["id"]
    end(platform, source)
    answer = client.delete(f"/jobs/{source}")
    problems(answer, 409)
    assert answer.json["detail"] == f"job {resumed} resumes from a checkpoint of job {source}; delete it when that one has ended"
    assert len(listed(client, source)) == 1
    end(platform, resumed)
    assert client.delete(f"/jobs/{source}").status_code == 204
    assert [*platform.objects.list(f"jobs/{source}/")] == []
    problems(client.delete(f"/jobs/{source}"), 404)
    assert client.get(f"/jobs/{resumed}").json["resume"] == {"job": source, "step": 10}


def test_a_deletion_that_the_object_store_broke_off_can_be_finished(
    client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = new_job(client)
    save(platform, job_id, 10)
    end(platform, job_id)

    def fail(_prefix: str) -> None:
        raise ObjectStoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr(platform.objects, "delete_prefix", fail)
        problems(client.delete(f"/jobs/{job_id}"), 503)
    assert client.delete(f"/jobs/{job_id}").status_code == 204
    assert [*platform.objects.list(f"jobs/{job_id}/")] == []
    for strange in ("..", "%2e%2e", "a%2Fb", "nothing"):
        problems(client.delete(f"/jobs/{strange}"), 404)


def test_a_source_that_is_deleted_meanwhile_is_refused(client: ApiClient, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    source = new_job(client)
    save(platform, source, 10)
    end(platform, source)
    create = platform.repository.create_job

    def create_late(*arguments: Any, **options: Any) -> Any:
        platform.repository.delete_job(source)
        return create(*arguments, **options)

    monkeypatch.setattr(platform.repository, "create_job", create_late)
    assert "has just been deleted" in problems(submit(client, resume={"job": source}))["resume.job"][0]
    assert client.get("/jobs").json["items"] == []


def test_stack_dumps_are_read_by_attempt_and_rank(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    assert client.get(f"/jobs/{job_id}/stacks").json["items"] == []
    start(platform, job_id)
    finish(platform, job_id, JobState.FAILED)
    client.post(f"/jobs/{job_id}/retry")
    start(platform, job_id)
    for attempt, rank, content in ((1, 10, b"ten"), (1, 9, b"nine\xff"), (2, 0, b"x" * 300_000)):
        platform.objects.put_bytes(f"jobs/{job_id}/attempts/{attempt}/stacks/rank-{rank}.txt", content)
    platform.objects.put_bytes(f"jobs/{job_id}/attempts/1/stacks/other.txt", b"")
    found = client.get(f"/jobs/{job_id}/stacks").json["items"]
    assert [(one["attempt"], one["rank"]) for one in found] == [(1, 9), (1, 10), (2, 0)]
    assert (found[0]["content"], len(found[2]["content"])) == ("nine\ufffd", 256 * 1024)
    assert [one["rank"] for one in client.get(f"/jobs/{job_id}/stacks?attempt=2").json["items"]] == [0]
    problems(client.get(f"/jobs/{job_id}/stacks?attempt=3"), 404)
    problems(client.get(f"/jobs/{job_id}/stacks?attempt=0"))
