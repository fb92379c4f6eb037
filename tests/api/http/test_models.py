"""The model registry, with a real MLflow server behind the API."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.api_calls import ApiClient, problems

from trainyard_api.services.platform import Platform


@pytest.fixture
def models(tracked: Platform) -> Iterator[None]:
    """Two models that no other test has: `aliased` with three versions, `it's` with one."""
    calls = tracked.tracking
    for name, count in (("aliased", 3), ("it's", 1)):
        calls._call("POST", "registered-models/create", json={"name": name})
        for number in range(count):
            tags = [{"key": "trainyard.job_id", "value": f"j{number}"}]
            calls._call("POST", "model-versions/create", json={"name": name, "source": f"s3://models/{name}/{number}", "tags": tags})
    yield
    for name in ("aliased", "it's"):
        calls._call("DELETE", "registered-models/delete", json={"name": name})


def alias(client: ApiClient, name: str, alias: str, version: Any) -> Any:
    """The answer to setting an alias."""
    return client.put(f"/models/{name}/aliases/{alias}", json={"version": version})


@pytest.mark.usefixtures("models")
def test_an_alias_moves_from_version_to_version(tracked_client: ApiClient) -> None:
    model = tracked_client.get("/models/aliased").json
    assert (model["name"], model["aliases"]) == ("aliased", {})
    assert [(one["version"], one["job_id"], one["aliases"]) for one in model["versions"]] == [
        ("3", "j2", []),
        ("2", "j1", []),
        ("1", "j0", []),
    ]
    first = alias(tracked_client, "aliased", "champion", "1")
    assert (first.status_code, first.json["aliases"]) == (200, {"champion": "1"})
    alias(tracked_client, "aliased", "shadow", "3")
    moved = alias(tracked_client, "aliased", "champion", "3").json
    assert moved["aliases"] == {"champion": "3", "shadow": "3"}
    assert [one["aliases"] for one in moved["versions"]] == [["champion", "shadow"], [], []]
    assert tracked_client.get("/models/aliased").json == moved
    assert tracked_client.delete("/models/aliased/aliases/champion").status_code == 204
    problems(tracked_client.delete("/models/aliased/aliases/champion"), 404)
    assert tracked_client.get("/models/aliased").json["aliases"] == {"shadow": "3"}


@pytest.mark.usefixtures("models")
def test_lists_show_aliases_and_can_be_of_one_model(tracked_client: ApiClient) -> None:
    alias(tracked_client, "aliased", "champion", "2")
    items = tracked_client.get("/models").json["items"]
    shown = {(one["name"], one["version"]): one["aliases"] for one in items if one["name"] in ("aliased", "it's")}
    assert shown == {("aliased", "3"): [], ("aliased", "2"): ["champion"], ("aliased", "1"): [], ("it's", "1"): []}
    assert [one["version"] for one in tracked_client.get("/models?name=aliased&limit=2").json["items"]] == ["3", "2"]
    assert [one["name"] for one in tracked_client.get("/models", query_string={"name": "it's"}).json["items"]] == ["it's"]
    for absent in ("dig", 'it\'s "it"', "x' OR name = 'aliased"):
        assert tracked_client.get("/models", query_string={"name": absent}).json["items"] == []


@pytest.mark.usefixtures("models")
def test_what_cannot_be_is_named(tracked_client: ApiClient) -> None:
    for absent in ("absent", "a:b", "%20", "..%2fx"):
        problems(tracked_client.get(f"/models/{absent}"), 404)
    problems(alias(tracked_client, "absent", "champion", "1"), 404)
    assert "no version 9" in alias(tracked_client, "aliased", "champion", "9").json["detail"]
    problems(alias(tracked_client, "aliased", "champion", "9"), 404)
    for wrong in ("latest", "Latest", "v1", "V22"):
        assert "keeps for itself" in problems(alias(tracked_client, "aliased", wrong, "1"))["alias"][0]
    for wrong in ("a b", "a.b", "x" * 256, "%C3%A9!"):
        assert "no alias" in problems(alias(tracked_client, "aliased", wrong, "1"))["alias"][0]
    for version, message in (("one", "is no version"), ("0", "is no version"), (1, "valid string"), ("", "at least 1")):
        assert message in problems(alias(tracked_client, "aliased", "champion", version))["version"][0]
    assert tracked_client.get("/models/aliased").json["aliases"] == {}
    problems(tracked_client.delete("/models/absent/aliases/a"), 404)


def test_while_mlflow_is_away_it_says_so(client: ApiClient) -> None:
    for answer in (
        client.get("/models"),
        client.get("/models/aliased"),
        alias(client, "aliased", "a", "1"),
        client.delete("/models/d/aliases/a"),
    ):
        problems(answer, 503)
        assert answer.headers["Retry-After"]
