"""What POST /jobs accepts, and what it says about everything else."""

import json
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, archive, new_job, problems, submit, upload

from trainyard_api.services.job_ids import new_job_id
from trainyard_api.services.platform import Platform

TWO_CPUS = {"cpus": 2.0, "gpus": 0.0, "memory_gb": 4.0, "cpus_free": 2.0, "gpus_free": 0.0, "memory_gb_free": 4.0}


@pytest.fixture
def code(client: ApiClient) -> str:
    """An uploaded archive with train.py, a package and a module in it."""
    files = {"train.py": "", "nets/__init__.py": "", "nets/small.py": ""}
    return str(upload(client, archive(files)).json["id"])


def test_a_new_job_is_queued_with_defaults_filled_in(client: ApiClient, platform: Platform) -> None:
    answer = submit(client, parameters={"epochs": 3}, tags={"team": "vision"}, retries=2)
    assert answer.status_code == 201
    job = answer.json
    assert answer.headers["Location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["attempt"], job["retries"], job["tags"]) == ("QUEUED", 0, 2, {"team": "vision"})
    assert job["parameters"]["epochs"] == 3
    assert job["parameters"]["batch_size"] == 32
    assert job["resources"]["workers"] == 1
    assert job["name"] == f"image-classification-{job['id'][-6:]}"
    assert client.get(f"/jobs/{job['id']}").json == job
    spec = platform.repository.get_job(job["id"]).spec
    assert spec["entry"] == "trainyard_train.ready.image_classification:train"
    assert spec["config"]["epochs"] == 3


def test_ids_sort_by_time_and_fit_dns_names() -> None:
    ids = [new_job_id() for _ in range(200)]
    assert len(set(ids)) == 200
    assert [one[:11] for one in ids] == sorted(one[:11] for one in ids)
    assert all(one.isalnum() and one == one.lower() and one[0] == "j" and len(one) <= 20 for one in ids)


def test_the_archive_and_the_data_set_reach_the_run(client: ApiClient, platform: Platform, code: str) -> None:
    data = upload(client, b"a,b\n1,2\n", "table.csv", "/datasets").json["id"]
    job_id = new_job(client, template="script", code=code, data=data)
    spec = platform.repository.get_job(job_id).spec
    assert spec["code_uri"].endswith(f"/code/{code}.zip")
    assert spec["data_uri"].endswith(f"/data/{data}/table.csv")


@pytest.mark.parametrize("entry", ["train:main", "nets:build", "nets.small:main"])
def test_a_function_may_be_in_a_module_or_a_package(client: ApiClient, code: str, entry: str) -> None:
    assert submit(client, "function", code=code, parameters={"entry": entry}).status_code == 201


REFUSED: list[tuple[dict[str, Any], str, str, str]] = [
    ({"template": "image-clasification"}, "template", "no template", "did you mean 'image-classification'?"),
    ({"parameters": {"epoch": 3}}, "parameters.epoch", "no such field", "did you mean 'epochs'?"),
    ({"parameters": {"epochs": 0}}, "parameters.epochs", "greater than or equal to 1", "use at least 1"),
    ({"parameters": {"optimizer": "sdg"}}, "parameters.optimizer", "should be", "use one of 'adamw', 'adam' or 'sgd'"),
    ({"parameters": {"epochs": "many"}}, "parameters.epochs", "valid integer", "give a whole number"),
    ({"parameters": {"workers": 1, "min_workers": 2}}, "parameters", "more than workers", "change the value"),
    ({"retries": 21}, "retries", "less than or equal to 20", "use at most 20"),
    ({"retries": "1"}, "retries", "valid integer", "give a whole number"),
    ({"retries": True}, "retries", "valid integer", "give a whole number"),
    ({"deadline_seconds": 0}, "deadline_seconds", "greater than", "use at least 1"),
    ({"deadline_seconds": 2592001}, "deadline_seconds", "less than", "use at most 2592000"),
    ({"name": ""}, "name", "at least 1", "use at least 1 characters"),
    ({"name": "x" * 251}, "name", "at most 250", "use at most 250 characters"),
    ({"name": "two\nlines"}, "name", "control character", ""),
    ({"tags": {"a:b": "c"}}, "tags.a:b", "MLflow refuses", "use letters"),
    ({"tags": {"../up": "c"}}, "tags.../up", "path to somewhere else", "'..'"),
    ({"tags": {"mlflow.runName": "c"}}, "tags.mlflow.runName", "platform uses itself", "something else"),
    ({"tags": {"k" * 101: "v"}}, "tags." + "k" * 101, "at most 100", "use at most 100 characters"),
    ({"tags": {"k": "v" * 251}}, "tags.k", "at most 250", "use at most 250 characters"),
    ({"tags": {"k": 1}}, "tags.k", "valid string", "give text"),
    ({"prameters": {}}, "prameters", "no such field", "did you mean 'parameters'?"),
    ({"code": "0" * 64}, "code", "brings its own code", "leave code out"),
    ({"data": "0" * 64}, "data", "no upload with the id", "POST /api/v1/datasets"),
    ({"template": "script"}, "code", "none is given", "POST /api/v1/code"),
    ({"template": "script", "code": "0" * 64}, "code", "no upload with the id", "POST /api/v1/code"),
]


@pytest.mark.parametrize(("fields", "field", "message", "fix"), REFUSED)
def test_what_is_wrong_is_named_with_its_fix(client: ApiClient, fields: dict[str, Any], field: str, message: str, fix: str) -> None:
    found = problems(submit(client, **{"template": "image-classification", **fields}))
    assert field in found
    assert message in found[field][0]
    assert fix in found[field][1]
    assert client.get("/jobs").json["items"] == []


def test_every_wrong_field_is_named_at_once(client: ApiClient) -> None:
    found = problems(submit(client, parameters={"epochs": 0, "workers": 0}, data="nothing", tags={"a:b": ""}))
    assert set(found) == {"parameters.epochs", "parameters.workers", "data", "tags.a:b"}


def test_a_missing_template_is_named(client: ApiClient) -> None:
    assert problems(client.post("/jobs", json={}))["template"] == ("field required", "add it")


@pytest.mark.parametrize(("entry", "fix"), [("trian.py", "did you mean 'train.py'?"), ("small.py", "did you mean 'nets/small.py'?")])
def test_an_entry_file_that_the_archive_lacks(client: ApiClient, code: str, entry: str, fix: str) -> None:
    found = problems(submit(client, "script", code=code, parameters={"entry": entry}))
    assert found == {"parameters.entry": (f"{entry} is not in the code archive", fix)}


@pytest.mark.parametrize(
    ("config", "field", "message"),
    [
        ({"a#b": 1}, "parameters.config.a#b", "MLflow refuses"),
        ({"": 1}, "parameters.config.", ""),
        ({"a": {"b": 1}, "a.b": 2}, "parameters.config.a.b", "two keys become the one"),
        ({"k" * 250: 1}, "parameters.config.", "MLflow keeps 250"),
        ({"large": "x" * 100_000}, "parameters", "can be handed to the workers"),
    ],
)
def test_a_config_that_mlflow_or_the_workers_cannot_take(client: ApiClient, code: str, config: Any, field: str, message: str) -> None:
    answer = submit(client, "function", code=code, parameters={"config": config})
    if config == {"": 1}:
        assert answer.status_code == 201, "MLflow takes the name `config.`"
        return
    found = problems(answer)
    assert any(name.startswith(field) and message in text for name, (text, _) in found.items()), found


@pytest.mark.parametrize(
    ("parameters", "field", "message"),
    [
        ({"cpus_per_worker": 8}, "parameters.cpus_per_worker", "asks for 8 CPUs, this machine has 2"),
        ({"gpus_per_worker": 1}, "parameters.gpus_per_worker", "asks for 1 GPUs, this machine has 0"),
        ({"memory_gb_per_worker": 5}, "parameters.memory_gb_per_worker", "asks for 5 GiB of memory, this machine has 4"),
        ({"workers": 3}, "parameters.workers", "asks for 3 CPUs, this machine has 2"),
        ({"workers": 8, "min_workers": 4}, "parameters.min_workers", "asks for 4 CPUs, this machine has 2"),
    ],
)
def test_more_than_the_machine_has(client: ApiClient, platform: Platform, parameters: dict[str, Any], field: str, message: str) -> None:
    platform.repository.save_capacity("local", {**TWO_CPUS, "nodes": [{"name": "a", "cpus": 2.0, "gpus": 0.0, "memory_gb": 4.0}]})
    found = problems(submit(client, parameters=parameters))
    assert list(found) == [field]
    assert found[field][0] == message


def test_workers_must_fit_on_nodes_one_by_one(client: ApiClient, platform: Platform) -> None:
    nodes = [{"name": name, "cpus": 3.0, "gpus": 0.0, "memory_gb": 8.0} for name in "ab"]
    platform.repository.save_capacity("local", {**TWO_CPUS, "cpus": 6.0, "memory_gb": 16.0, "nodes": nodes})
    found = problems(submit(client, parameters={"workers": 3, "cpus_per_worker": 2}))
    assert found["parameters.workers"] == (
        "asks for 3 workers, of which 2 fit on the nodes",
        "use at most 2 workers of this size, or smaller ones",
    )
    assert submit(client, parameters={"workers": 2, "cpus_per_worker": 3}).status_code == 201
    assert submit(client, parameters={"workers": 9, "min_workers": 2, "cpus_per_worker": 2}).status_code == 201


def test_the_same_key_and_body_make_one_job(client: ApiClient) -> None:
    first = submit(client, key="k1", parameters={"epochs": 2})
    again = submit(client, key="k1", parameters={"epochs": 2}, retries=0, tags={})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json == first.json
    other = problems(submit(client, key="k1", parameters={"epochs": 3}))
    assert "another body" in other["Idempotency-Key"][0]
    assert len(client.get("/jobs").json["items"]) == 1


def test_an_accepted_job_stays_accepted_when_the_engine_shrinks(client: ApiClient, platform: Platform) -> None:
    first = submit(client, key="k1", parameters={"cpus_per_worker": 4})
    platform.repository.save_capacity("local", {**TWO_CPUS, "nodes": []})
    again = submit(client, key="k1", parameters={"cpus_per_worker": 4})
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])
    assert "another body" in problems(submit(client, key="k1", parameters={"cpus_per_worker": 5}))["Idempotency-Key"][0]


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "caf\u00e9"])
def test_a_key_that_is_no_key(client: ApiClient, key: str) -> None:
    assert "Idempotency-Key" in problems(submit(client, key=key))


BODIES: list[tuple[bytes, int, str]] = [
    (b'{"template": "script"', 400, "not JSON"),
    (b"", 400, "not JSON"),
    (b'\xff{"template": "script"}', 400, "not UTF-8"),
    (b"[" * 100_000, 400, "nested too deep"),
    (b'{"parameters": ' + b'{"a":' * 70 + b"1" + b"}" * 71, 400, "nested too deep"),
    (b'{"retries": ' + b"9" * 5000 + b"}", 400, "too many digits"),
    (b"[]", 422, "not a JSON object"),
    (b'"{}"', 422, "not a JSON object"),
    (b"null", 422, "not a JSON object"),
    (b'{"template": "script", "template": "tabular"}', 422, "template: is given more than once"),
    (b'{"parameters": {"lr": NaN}}', 422, "parameters.lr: is not a finite number"),
    (b'{"parameters": {"lr": 1e999}}', 422, "parameters.lr: is not a finite number"),
    (b'{"name": "a\\u0000b"}', 422, "name: holds a NUL character"),
    (b'{"name": "\\ud800"}', 422, "name: holds half of a character"),
    (b'{"tags": {"\\u0000": "x"}}', 422, "tags: holds a NUL character"),
]


@pytest.mark.parametrize(("body", "status", "detail"), BODIES)
def test_bodies_that_cannot_be_kept(client: ApiClient, body: bytes, status: int, detail: str) -> None:
    answer = client.post("/jobs", data=body, content_type="application/json")
    problems(answer, status)
    assert detail in answer.json["detail"]


def test_other_bodies(client: ApiClient) -> None:
    problems(client.post("/jobs", data="template=script", content_type="application/x-www-form-urlencoded"), 415)
    problems(client.post("/jobs", data=json.dumps({"name": "x" * 1024**2}), content_type="application/json"), 413)


def test_a_clone_differs_only_where_told(client: ApiClient) -> None:
    first = submit(client, parameters={"epochs": 3, "seed": 7}, tags={"a": "b"}, retries=1, deadline_seconds=60).json
    same = client.post(f"/jobs/{first['id']}/clone", json={})
    assert same.status_code == 201
    differing = {"id", "name", "created_at"}
    assert {key: value for key, value in same.json.items() if key not in differing} == {
        key: value for key, value in first.items() if key not in differing
    }
    assert same.json["name"] == f"image-classification-{same.json['id'][-6:]}"
    changed = client.post(f"/jobs/{first['id']}/clone", json={"parameters": {"epochs": 9}, "deadline_seconds": None, "name": "mine"}).json
    assert (changed["parameters"]["epochs"], changed["parameters"]["seed"]) == (9, 7)
    assert (changed["deadline_seconds"], changed["retries"], changed["name"]) == (None, 1, "mine")
    assert client.post(f"/jobs/{changed['id']}/clone", json={}).json["name"] == "mine"
    assert "parameters.epochs" in problems(client.post(f"/jobs/{first['id']}/clone", json={"parameters": {"epochs": 0}}))
    problems(client.post("/jobs/nothing/clone", json={}), 404)
