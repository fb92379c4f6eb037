"""Files of a job's run, with a real MLflow server behind the API."""

from typing import Any

import httpx
import pytest
from tests.support.api_calls import ApiClient, new_job, problems, start
from tests.support.mlflow_server import MlflowServer

from trainyard_api.services.platform import Platform
from trainyard_api.store.models import utcnow

LARGE = bytes(range(256)) * 20_000


def put(mlflow: MlflowServer, experiment: str, run_id: str, path: str, content: bytes) -> None:
    """Log one artifact, as mlflow.log_artifact does."""
    url = f"{mlflow.url}/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run_id}/artifacts/{path}"
    httpx.put(url, content=content, trust_env=False, timeout=60).raise_for_status()


@pytest.fixture
def job_id(tracked_client: ApiClient, tracked: Platform, mlflow: MlflowServer) -> str:
    """A job whose run holds some files."""
    job_id = new_job(tracked_client)
    start(tracked, job_id)
    experiment, run_id = tracked.tracking.ensure_run(job_id, job_id, utcnow(), {}, {})
    tracked.repository.update_job(job_id, mlflow_run_id=run_id, mlflow_experiment_id=experiment)
    files = {"notes.txt": b"notes", "model/weights.bin": LARGE, "model/deep/page.html": b"<script>alert(1)</script>", "a b/ü.txt": b""}
    for path, content in files.items():
        put(mlflow, experiment, run_id, path, content)
    return job_id


def listed(client: ApiClient, job_id: str, **query: Any) -> Any:
    """The answer to listing."""
    return client.get(f"/jobs/{job_id}/artifacts", query_string=query)


def test_folders_are_listed_one_by_one(tracked_client: ApiClient, tracked: Platform, job_id: str) -> None:
    top = listed(tracked_client, job_id).json
    assert (top["run_id"], top["path"]) == (tracked.repository.get_job(job_id).mlflow_run_id, "")
    assert top["items"] == [
        {"path": "a b", "name": "a b", "is_dir": True, "size": None},
        {"path": "model", "name": "model", "is_dir": True, "size": None},
        {"path": "notes.txt", "name": "notes.txt", "is_dir": False, "size": 5},
    ]
    model = listed(tracked_client, job_id, path="model/").json
    assert model["path"] == "model"
    assert [(one["path"], one["name"], one["size"]) for one in model["items"]] == [
        ("model/deep", "deep", None),
        ("model/weights.bin", "weights.bin", len(LARGE)),
    ]
    assert [one["name"] for one in listed(tracked_client, job_id, path="a b").json["items"]] == ["ü.txt"]
    assert listed(tracked_client, job_id, path="nothing").json["items"] == []


def test_files_are_sent_as_attachments_byte_for_byte(tracked_client: ApiClient, job_id: str) -> None:
    def download(path: str) -> Any:
        return tracked_client.get(f"/jobs/{job_id}/artifacts/download", query_string={"path": path})

    answer = download("model/weights.bin")
    assert (answer.status_code, answer.data == LARGE, answer.headers["Content-Length"]) == (200, True, str(len(LARGE)))
    page = download("model/deep/page.html")
    assert (page.data, page.mimetype) == (b"<script>alert(1)</script>", "application/octet-stream")
    assert page.headers["Content-Disposition"].startswith('attachment; filename="page.html"')
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    odd = download("a b/ü.txt")
    assert (odd.data, odd.headers["Content-Disposition"]) == (b"", "attachment; filename=\"_.txt\"; filename*=UTF-8''%C3%BC.txt")
    assert "is a folder" in problems(download("model"))["path"][0]
    problems(download("nothing.txt"), 404)
    problems(download("model/nothing.txt"), 404)
    assert "path" in problems(download(""))


def log_model(mlflow: MlflowServer, tracked: Platform, job_id: str, files: dict[str, bytes]) -> str:
    """A model named `net` of the job's run, as mlflow.pytorch.log_model makes it; its id."""
    job, call = tracked.repository.get_job(job_id), tracked.tracking._call
    body = {"experiment_id": job.mlflow_experiment_id, "name": "net", "source_run_id": job.mlflow_run_id}
    model_id = str(call("POST", "logged-models", json=body)["model"]["info"]["model_id"])
    call("POST", "runs/outputs", json={"run_id": job.mlflow_run_id, "models": [{"model_id": model_id, "step": 0}]})
    for path, content in files.items():
        url = f"{mlflow.url}/api/2.0/mlflow-artifacts/artifacts/{job.mlflow_experiment_id}/models/{model_id}/artifacts/{path}"
        httpx.put(url, content=content, trust_env=False, timeout=60).raise_for_status()
    return model_id


def test_models_that_the_run_made_are_among_its_files(
    tracked_client: ApiClient, tracked: Platform, mlflow: MlflowServer, job_id: str
) -> None:
    log_model(mlflow, tracked, job_id, {"MLmodel": b"flavors:", "data/model.pt2": LARGE})
    other = log_model(mlflow, tracked, job_id, {"MLmodel": b"second"})
    names = [(one["name"], one["is_dir"]) for one in listed(tracked_client, job_id).json["items"]]
    assert names == [("a b", True), ("model", True), ("net", True), (f"net-{other}", True), ("notes.txt", False)]
    assert [(one["path"], one["size"]) for one in listed(tracked_client, job_id, path="net").json["items"]] == [
        ("net/MLmodel", 8),
        ("net/data", None),
    ]
    assert [one["path"] for one in listed(tracked_client, job_id, path="net/data").json["items"]] == ["net/data/model.pt2"]

    def download(path: str) -> Any:
        return tracked_client.get(f"/jobs/{job_id}/artifacts/download", query_string={"path": path})

    assert download("net/data/model.pt2").data == LARGE
    assert download(f"net-{other}/MLmodel").data == b"second"
    assert "is a folder" in problems(download("net"))["path"][0]
    problems(download("net/absent"), 404)


HOSTILE = [
    "..",
    "../x",
    "model/../../x",
    "/etc/passwd",
    "a//b",
    ".",
    "a\\b",
    "C:/x",
    "file:///etc/passwd",
    "%2e%2e/x",
    "%252e%252e/x",
    "a%2f..%2fb",
]


@pytest.mark.parametrize("path", [*HOSTILE, "%5c..%5cx", "a\0b", "a#b"])
def test_paths_that_lead_elsewhere_are_refused(tracked_client: ApiClient, job_id: str, path: str) -> None:
    for call in ("artifacts", "artifacts/download"):
        found = problems(tracked_client.get(f"/jobs/{job_id}/{call}", query_string={"path": path}))
        assert "is no path inside of the run" in found["path"][0]


def test_a_job_without_a_run_has_none(tracked_client: ApiClient) -> None:
    job_id = new_job(tracked_client)
    assert listed(tracked_client, job_id).json == {"run_id": None, "path": "", "items": [], "next_cursor": None}
    problems(tracked_client.get(f"/jobs/{job_id}/artifacts/download?path=a"), 404)
    problems(listed(tracked_client, "nothing"), 404)
    problems(tracked_client.get("/jobs/nothing/artifacts/download?path=a"), 404)


def test_while_mlflow_is_away_it_says_so(client: ApiClient, platform: Platform) -> None:
    job_id = new_job(client)
    platform.repository.update_job(job_id, mlflow_run_id="r1", mlflow_experiment_id="1")
    for call in ("artifacts", "artifacts/download?path=a"):
        answer = client.get(f"/jobs/{job_id}/{call}")
        problems(answer, 503)
        assert answer.headers["Retry-After"]
