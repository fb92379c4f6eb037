"""What POST /jobs/preview says of a job before it is submitted."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.api.http.conftest import app_on, client_of, opened
from tests.support.api_calls import ApiClient, new_job, problems, start, submit

from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings
from trainyard_api.store.models import CapacityRow, utcnow


def free(platform: Platform, cpus: float, *, of: float = 8.0, engine: str = "local") -> None:
    """So many CPUs are free."""
    whole = {"cpus": of, "gpus": 0.0, "memory_gb": 64.0}
    platform.repository.save_capacity(engine, {**whole, "cpus_free": cpus, "gpus_free": 0.0, "memory_gb_free": 64.0, "nodes": [whole]})


def preview(client: ApiClient, template: str = "image-classification", **fields: Any) -> tuple[str, str, int]:
    """Verdict, reason and how many come before."""
    answer = client.post("/jobs/preview", json={"template": template, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json["verdict"], answer.json["reason"], answer.json["ahead"]


def workers(count: int, **more: Any) -> dict[str, Any]:
    """Parameters of a job with so many workers of one CPU."""
    return {"workers": count, **more}


def test_it_starts_waits_or_never_can(client: ApiClient, platform: Platform) -> None:
    assert preview(client) == ("waits", "the controller has not seen the engine yet; jobs start as soon as it has", 0)
    free(platform, 3)
    assert preview(client) == ("starts_now", "it fits into what is free", 0)
    assert preview(client, parameters=workers(3)) == ("starts_now", "its 3 workers fit into what is free", 0)
    assert preview(client, parameters=workers(4, min_workers=2)) == ("starts_now", "3 of its 4 workers fit into what is free", 0)
    assert preview(client, parameters=workers(5)) == ("waits", "needs 5 CPUs; 3 are free", 0)
    assert preview(client, parameters=workers(1, gpus_per_worker=4)) == ("never", "can never start: asks for 4 GPUs, this machine has 0", 0)
    assert preview(client, parameters=workers(9))[0] == "never"
    assert client.get("/jobs").json["items"] == []


def test_jobs_that_wait_come_first(client: ApiClient, platform: Platform) -> None:
    free(platform, 3)
    new_job(client, parameters=workers(2))
    assert preview(client) == ("starts_now", "it fits into what is free", 0), "the one before starts in the next round, and leaves one CPU"
    new_job(client, parameters=workers(5))
    assert preview(client) == ("waits", "1 job waits before it", 1)
    new_job(client)
    assert preview(client, parameters=workers(8)) == ("waits", "needs 8 CPUs; 1 is free and 2 jobs wait before it", 2)


def test_a_silent_engine_starts_nothing(client: ApiClient, platform: Platform) -> None:
    free(platform, 8)
    with platform.database.write() as session:
        session.execute(update(CapacityRow).values(recorded_at=utcnow() - timedelta(minutes=10)))
    verdict, reason, _ = preview(client)
    assert (verdict, "has not answered for 6" in reason) == ("waits", True)


def test_a_wrong_body_is_refused_as_it_is_when_submitted(client: ApiClient) -> None:
    for fields in ({"parameters": {"epochs": 0}}, {"retries": 21}, {"team": "absent"}, {"resume": {"job": "absent"}}, {"x": 1}):
        answer = client.post("/jobs/preview", json={"template": "tabular", **fields})
        assert problems(answer) == problems(submit(client, "tabular", **fields))


TEAMS = """[
    {"name": "small", "maxJobs": 1}, {"name": "large"},
    {"name": "queued", "queue": "gpus"}
]"""


@pytest.fixture
def platform_with_teams(settings: Settings) -> Iterator[Platform]:
    """Three teams: one may run one job at a time, one has a queue of its own."""
    file = settings.state_dir / "teams.json"
    file.write_text(TEAMS)
    with opened(settings.model_copy(update={"teams_file": file})) as platform:
        yield platform


def test_teams_wait_for_themselves(platform_with_teams: Platform) -> None:
    platform, client = platform_with_teams, client_of(app_on(platform_with_teams))
    free(platform, 8)
    start(platform, new_job(client, team="small"))
    full = "the team small runs as many jobs at a time as it may (1)"
    assert preview(client, team="small") == ("waits", full, 0)
    new_job(client, team="small")
    assert preview(client, team="small") == ("waits", f"{full} and 1 job waits before it", 1)
    assert preview(client, team="large") == ("starts_now", "it fits into what is free", 0), "what its own team holds up, holds up no other"


def test_a_queue_decides_for_itself(platform_with_teams: Platform) -> None:
    platform, client = platform_with_teams, client_of(app_on(platform_with_teams))
    at_once = ("starts_now", "goes to the queue gpus at once, where nothing of the team queued waits", 0)
    assert preview(client, team="queued", parameters=workers(100)) == at_once
    job_id = new_job(client, team="queued")
    assert preview(client, team="queued") == ("waits", "1 job of the team queued waits for the queue gpus", 1)
    state = platform.repository.get_job(job_id).state
    _, attempt = platform.repository.start_attempt(job_id, state, 1, admitted=False)
    assert preview(client, team="queued") == ("waits", "1 job of the team queued waits for the queue gpus", 1)
    platform.repository.admit_attempt(attempt)
    assert preview(client, team="queued") == at_once
    free(platform, 8)
    assert preview(client, team="large") == ("starts_now", "it fits into what is free", 0)


def test_on_kubernetes_a_team_starts_one_job_after_the_other(client: ApiClient, platform: Platform) -> None:
    free(platform, 8, engine="kubernetes")
    job_id = new_job(client)
    platform.repository.start_attempt(job_id, platform.repository.get_job(job_id).state, 1)
    assert preview(client) == ("waits", "a job of the team default has not all its workers yet", 0)
