"""Who may call, and what every answer says to browsers."""

from pathlib import Path

import pytest
from flask import Flask
from tests.support.api_calls import TOKEN, ApiClient

from trainyard_api.app import create_app
from trainyard_api.settings import Settings


def test_everything_but_health_needs_the_token(app: Flask, client: ApiClient) -> None:
    paths = {rule.rule for rule in app.url_map.iter_rules()} | {"/api/v1/nothing", "/"}
    for path in sorted(paths):
        answer = client.get(path.replace("<", "").replace(">", ""), raw=True)
        if path in ("/healthz", "/readyz"):
            assert answer.status_code in (200, 503)
            continue
        assert answer.status_code == 401, path
        assert answer.mimetype == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert client.post("/api/v1/jobs", raw=True, data="{").status_code == 401


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", TOKEN, "Bearer \xe9"]
)
def test_wrong_tokens(client: ApiClient, given: str) -> None:
    answer = client.get("/api/v1/jobs", raw=True, headers={"Authorization": given})
    assert answer.status_code == 401
    assert TOKEN not in answer.text


def test_the_scheme_is_not_case_sensitive(client: ApiClient) -> None:
    assert client.get("/api/v1/jobs", raw=True, headers={"Authorization": f"bearer {TOKEN}"}).status_code == 200


def test_an_empty_token_file_lets_nobody_start(tmp_path: Path) -> None:
    token = tmp_path / "api-token"
    token.write_text("\n")
    with pytest.raises(ValueError, match="token file is empty"):
        create_app(Settings(state_dir=tmp_path, api_token_file=token))
    with pytest.raises(OSError, match="missing"):
        create_app(Settings(state_dir=tmp_path, api_token_file=tmp_path / "missing"))


def test_every_answer_has_the_security_headers(client: ApiClient) -> None:
    auth = {"Authorization": f"Bearer {TOKEN}"}
    answers = [client.get(path, raw=True, headers=auth) for path in ("/healthz", "/api/v1/jobs", "/nothing", "/metrics", "/openapi.json")]
    for answer in [*answers, client.get("/healthz", raw=True), client.put("/jobs")]:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
