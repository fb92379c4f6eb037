"""`--team`, and a client's view of the teams."""

from collections.abc import Callable

from tests.cli.platform import Served
from tests.support.outcome import Outcome

from trainyard import Client


def test_a_job_is_submitted_for_and_found_by_its_team(platform: Served, client: Client, trainyard: Callable[..., Outcome]) -> None:
    done = trainyard("submit", "tabular", "--team", "default")
    assert done.code == 0, done.err
    assert client.get_job(done.out.strip()).team == "default"
    assert done.out.strip() in trainyard("jobs", "--team", "default").out
    assert trainyard("jobs", "--team", "nlp").err == "no jobs\n"
    assert "default" in trainyard("job", done.out.strip()).out


def test_a_team_that_is_none_is_an_error_of_the_option(platform: Served, client: Client, trainyard: Callable[..., Outcome]) -> None:
    done = trainyard("submit", "tabular", "--team", "nlp")
    assert done.code == 2
    assert "error: team: there is no team nlp (fix: use one of: default)" in done.err
    assert [team.name for team in client.list_teams()] == ["default"]
    assert list(client.list_jobs()) == []


def test_an_image_is_refused_with_the_servers_words(platform: Served, trainyard: Callable[..., Outcome]) -> None:
    refused = trainyard("submit", "tabular", "--image", "registry.example.com/vision/trainer:1")
    assert refused.code == 2
    assert "error: image: " in refused.err
