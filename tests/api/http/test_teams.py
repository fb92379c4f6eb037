"""Teams over HTTP: who may submit what, and finding a team's jobs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.api.http.conftest import app_on, client_of, opened
from tests.support.api_calls import ApiClient

from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings
from trainyard_api.teams import load_teams

TEAMS = [
    {
        "name": "vision",
        "namespace": "team-vision",
        "serviceAccount": "trainer",
        "queue": None,
        "allowedTemplates": ["image-classification"],
    },
    {
        "name": "nlp",
        "namespace": "team-nlp",
        "serviceAccount": "trainer",
        "queue": "main",
        "priorityClass": "high",
        "maxJobs": 3,
        "allowedImages": ["registry.example.com/nlp/*"],
    },
]


def written(folder: Path, content: Any) -> Path:
    path = folder / "teams.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture
def platform(settings: Settings, tmp_path: Path) -> Iterator[Platform]:
    """A platform with two teams."""
    with opened(settings.model_copy(update={"teams_file": written(tmp_path, TEAMS)})) as platform:
        yield platform


@pytest.fixture
def client(platform: Platform) -> ApiClient:
    """A client of it."""
    return client_of(app_on(platform))


def errors(answer: Any) -> list[tuple[str, str, str]]:
    assert answer.status_code == 422, answer.json
    return [(error["field"], error["message"], error["fix"]) for error in answer.json["errors"]]


def test_the_teams_are_listed_without_what_is_the_platforms_own(client: ApiClient) -> None:
    assert client.get("/teams").json == {
        "items": [
            {
                "name": "vision",
                "queue": None,
                "allowed_templates": ["image-classification"],
                "allowed_images": None,
                "max_jobs": None,
            },
            {
                "name": "nlp",
                "queue": "main",
                "allowed_templates": None,
                "allowed_images": ["registry.example.com/nlp/*"],
                "max_jobs": 3,
            },
        ],
        "next_cursor": None,
    }


def test_a_job_is_of_the_team_it_names_or_of_the_first(client: ApiClient) -> None:
    def submit(**body: Any) -> Any:
        return client.post("/jobs", json={"template": "image-classification", **body}).json

    first, second, third = submit(), submit(team="nlp"), submit(team=None)
    assert [job["team"] for job in (first, second, third)] == ["vision", "nlp", "vision"]
    assert client.post(f"/jobs/{second['id']}/clone", json={}).json["team"] == "nlp"
    assert client.post(f"/jobs/{second['id']}/clone", json={"team": "vision"}).json["team"] == "vision"
    found = client.get("/jobs", query_string={"team": "nlp"}).json["items"]
    assert [job["team"] for job in found] == ["nlp", "nlp"]
    assert client.get("/jobs", query_string={"team": "nobody"}).json["items"] == []


def test_an_unknown_team_is_named_with_those_that_there_are(client: ApiClient) -> None:
    answer = client.post("/jobs", json={"template": "image-classification", "team": "audio"})
    assert errors(answer) == [("team", "there is no team audio", "use one of: vision, nlp")]
    answer = client.post("/jobs", json={"template": "image-classification", "team": "vison"})
    assert errors(answer) == [("team", "there is no team vison", "did you mean 'vision'?")]


def test_a_team_runs_only_the_templates_it_may(client: ApiClient) -> None:
    answer = client.post("/jobs", json={"template": "tabular"})
    assert errors(answer) == [("template", "the team vision may not run tabular", "use one of: image-classification")]
    assert client.post("/jobs", json={"template": "tabular", "team": "nlp"}).status_code == 201


def test_a_team_with_a_queue_is_not_measured_by_todays_nodes(client: ApiClient, platform: Platform) -> None:
    node = {"name": "n", "cpus": 2.0, "gpus": 0.0, "memory_gb": 8.0}
    free = {"cpus_free": 2.0, "gpus_free": 0.0, "memory_gb_free": 8.0}
    platform.repository.save_capacity("kubernetes", {"cpus": 2.0, "gpus": 0.0, "memory_gb": 8.0, "nodes": [node], **free})
    body = {"template": "image-classification", "parameters": {"gpus_per_worker": 1}}
    assert [field for field, _, _ in errors(client.post("/jobs", json=body))] == ["parameters.gpus_per_worker"]
    assert client.post("/jobs", json={**body, "team": "nlp"}).status_code == 201


@pytest.fixture
def cluster_client(settings: Settings, tmp_path: Path) -> Iterator[ApiClient]:
    """A client of a platform whose jobs run in containers."""
    changed = {
        "teams_file": written(tmp_path, TEAMS),
        "engine": "kubernetes",
        "trainer_image": "registry.example.com/trainyard/trainer:1-cpu",
    }
    with opened(settings.model_copy(update=changed)) as platform:
        yield client_of(app_on(platform))


def test_a_job_runs_in_an_image_that_its_team_allows(cluster_client: ApiClient) -> None:
    def submit(**body: Any) -> Any:
        return cluster_client.post("/jobs", json={"template": "image-classification", **body})

    mine = "registry.example.com/nlp/bert:2"
    job = submit(team="nlp", image=mine).json
    assert job["image"] == mine
    assert cluster_client.post(f"/jobs/{job['id']}/clone", json={}).json["image"] == mine
    assert cluster_client.post(f"/jobs/{job['id']}/clone", json={"image": None}).json["image"] is None
    assert submit(image="registry.example.com/trainyard/trainer:1-cpu").status_code == 201
    refused = errors(submit(team="nlp", image="registry.example.com/vision/x"))
    assert refused == [("image", "the team nlp may not run it", "use one that fits: registry.example.com/nlp/*")]
    refused = errors(cluster_client.post(f"/jobs/{job['id']}/clone", json={"team": "vision"}))
    assert refused == [("image", "jobs of the team vision run in the platform's own image", "leave image out")]
    for bad in ("", "trainer", "vision/trainer", "registry.example.com/nlp/x y", "registry.example.com/nlp/$(X)", "r.example.com/a\n"):
        assert [field for field, _, _ in errors(submit(team="nlp", image=bad))] == ["image"], bad
    assert len(cluster_client.get("/jobs").json["items"]) == 4, "what was refused made no job"


def test_the_embedded_platform_has_no_images(client: ApiClient) -> None:
    answer = client.post("/jobs", json={"template": "image-classification", "image": "registry.example.com/nlp/bert:2", "team": "nlp"})
    assert errors(answer) == [("image", "the embedded platform runs jobs in its own environment", "leave image out")]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "cannot be read"),
        ([], "items: Tuple should have at least 1 item"),
        ({"name": "a"}, "the list: Input should be a valid tuple"),
        ([{"namespace": "a"}], "0.name: Field required"),
        ([{"name": "A b"}], "0.name: String should match pattern"),
        ([{"name": "a", "colour": "red"}], "0.colour: Extra inputs are not permitted"),
        ([{"name": "a"}, {"name": "a"}], "two teams are called 'a'; rename one of them"),
        ([{"name": "a", "allowedImages": ["vision/*"]}], "0.allowedImages.0: Value error, 'vision/*' is no pattern of images"),
        ([{"name": "a", "maxJobs": 0}], "0.maxJobs: Input should be greater than or equal to 1"),
    ],
)
def test_a_teams_file_that_cannot_be_used_says_where(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=r"TRAINYARD_TEAMS_FILE .*teams\.json") as raised:
        load_teams(written(tmp_path, content))
    assert problem in str(raised.value)


def test_without_a_file_there_is_one_team() -> None:
    assert load_teams(None).names == ["default"]
    with pytest.raises(ValueError, match="cannot be read"):
        load_teams(Path("/nowhere/teams.json"))
