"""What the server in front of the API does with the portal's files."""

import gzip
from pathlib import Path

import pytest
from flask import Flask
from tests.api.http.conftest import app_on, opened
from tests.support.api_calls import TOKEN
from werkzeug.test import Client, TestResponse

from trainyard_api.settings import Settings

SCRIPT = b"console.log('portal')" * 50


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build of a page and a script."""
    folder = tmp_path / "portal"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Trainyard</title>")
    (folder / "assets" / "index-abc.js").write_bytes(SCRIPT)
    (folder / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(SCRIPT))
    (tmp_path / "secret.txt").write_text("not for browsers")
    return folder


@pytest.fixture
def get(build: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Asks the app with that build; without a token unless one is given."""
    token = tmp_path / "api-token"
    token.write_text(TOKEN)
    settings = Settings(state_dir=tmp_path, api_token_file=token, mlflow_url="http://127.0.0.1:9", portal_dir=build)
    with opened(settings) as platform:
        app: Flask = app_on(platform)

        def ask(path: str, method: str = "GET", **headers: str) -> TestResponse:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return Client(app.wsgi_app).open(path, method=method, headers=named)

        yield ask


@pytest.mark.parametrize("path", ["/", "/jobs", "/jobs/j1?tab=logs", "/anything?state=RUNNING&unknown=1"])
def test_every_page_is_the_portal_without_a_token(get, path):
    answer = get(path)
    assert answer.status_code == 200
    assert b"<title>Trainyard" in answer.data
    assert answer.headers["Cache-Control"] == "no-cache"
    assert get(path, If_None_Match=answer.headers["ETag"]).status_code == 304


def test_the_policy_allows_no_inline_code_and_nothing_from_elsewhere(get):
    policy = get("/").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert {"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))


def test_files_with_a_digest_are_kept_and_packed(get):
    answer = get("/assets/index-abc.js", Accept_Encoding="br, gzip")
    assert (answer.headers["Content-Encoding"], gzip.decompress(answer.data)) == ("gzip", SCRIPT)
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert get("/assets/index-abc.js").data == SCRIPT
    assert get("/assets/index-old.js").status_code == 404, "a page of an older build is not answered with HTML"


@pytest.mark.parametrize("path", ["/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "//etc/passwd"])
def test_nothing_outside_of_the_build_is_served(get, path):
    assert b"not for browsers" not in get(path).data
    assert b"root:" not in get(path).data


@pytest.mark.parametrize("path", ["/api/v1/jobs", "/metrics", "/openapi.json"])
def test_the_api_keeps_its_paths_and_its_token(get, path):
    assert get(path).status_code == 401
    assert get(path, Authorization=f"Bearer {TOKEN}").status_code == 200


def test_it_says_what_the_portal_must_ask_for(get):
    assert get("/config.json").json == {"auth": "token"}
    assert get("/jobs", method="POST").status_code == 401


def test_a_folder_without_a_build_is_refused(tmp_path):
    settings = Settings(state_dir=tmp_path, mlflow_url="http://127.0.0.1:9", portal_dir=tmp_path / "nothing")
    with opened(settings) as platform, pytest.raises(ValueError, match=r"\./scripts/portal"):
        app_on(platform)
