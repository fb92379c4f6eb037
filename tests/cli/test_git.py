"""`submit --git`: code that the server fetches from a real repository."""

import os

import pytest
from tests.cli.platform import served
from tests.support.git_server import git_server

from trainyard import InvalidInput
from trainyard.submission import git_place


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A git server whose certificate is trusted."""
    with git_server(tmp_path) as server:
        monkeypatch.setenv("GIT_SSL_CAINFO", str(server.ca_file))
        yield server


@pytest.fixture
def platform(server, tmp_path, monkeypatch):
    """A platform that may ask it, and an environment that leads there."""
    folder = tmp_path / "state"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("TRAINYARD_")]:
        monkeypatch.delenv(name)
    with served(folder, git_hosts=(server.host,)) as it:
        monkeypatch.setenv("TRAINYARD_STATE_DIR", str(folder))
        monkeypatch.setenv("TRAINYARD_URL", it.url)
        yield it


def test_code_comes_from_a_repository(server, platform, trainyard):
    made = server.repository("project")
    made.commit({"train.py": "print(1)", "nets/__init__.py": "", "nets/small.py": "def train(config): ..."})
    made.tag("v1")
    repository = server.url("project")
    job = platform.job(trainyard("submit", "--git", f"{repository}@v1", "--name", "whole").out.strip())
    assert (job.template, job.parameters["entry"]) == ("script", "train.py")
    job = platform.job(trainyard("submit", ".", "--git", repository, "--", "--lr", "0.1").out.strip())
    assert job.parameters["arguments"] == ["--lr", "0.1"]
    job = platform.job(trainyard("submit", "nets/", "--git", repository, "--function", "small:train").out.strip())
    assert (job.template, job.parameters["entry"]) == ("function", "small:train")
    shown = trainyard("code", job.id).out
    assert f"from {repository} at " in shown
    absent = trainyard("submit", "--git", f"{repository}@absent")
    assert (absent.code, "no branch, tag or commit absent" in absent.err) == (2, True)
    assert "write the folder, or . for the whole" in trainyard("submit", "--git", repository, "--", "--lr", "0.1").err
    assert "the code has no file 'other.py'" in trainyard("submit", "--git", repository, "--entry", "other.py").err
    assert "what is to run is not named" in trainyard("submit").err


@pytest.mark.parametrize("text", ["git@host:a/b", "http://host/a", "https://me@host/a", "https://host", "https://host/a@"])
def test_addresses_that_make_no_sense_are_named(text):
    with pytest.raises(InvalidInput, match="--git"):
        git_place(text)


def test_the_ref_follows_the_address():
    assert git_place("https://host/a/b.git") == ("https://host/a/b.git", "HEAD")
    assert git_place("https://host:8443/a/b.git@feature/x@2") == ("https://host:8443/a/b.git", "feature/x@2")
