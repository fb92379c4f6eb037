"""The OpenAPI document: committed as it is served, valid, and true of every call."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import booleans
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection
from tests.support.api_calls import TOKEN, ApiClient, new_job

from trainyard_api.openapi import rendered
from trainyard_api.services.platform import Platform
from trainyard_api.store import lease

COMMITTED = Path(__file__).resolve().parents[3] / "services" / "api" / "openapi.json"
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # What a schema can say is not all that makes a job right: an unknown template, a missing upload.
            "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 409, 413, 422]},
            "negative_data_rejection": {"expected-statuses": [400, 401, 404, 405, 409, 413, 415, 422]},
        }
    }
)


@pytest.fixture
def job_id(tracked_client: ApiClient) -> str:
    """A job that has ended, so that its streams end too."""
    job_id = new_job(tracked_client)
    tracked_client.post(f"/jobs/{job_id}/cancel")
    return job_id


@pytest.fixture
def api_schema(tracked_app: Flask, tracked: Platform) -> Any:
    """The served document, of a platform of which every part answers."""
    tracked.repository.save_capacity("memory", dict.fromkeys(CAPACITY, 2.0) | {"nodes": []})
    assert lease.acquire(tracked.database, "a test", seconds=600)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    return schemathesis.openapi.from_wsgi("/openapi.json", tracked_app, config=CONFIG, headers=headers)


CAPACITY = ("cpus", "gpus", "memory_gb", "cpus_free", "gpus_free", "memory_gb_free")
CALLS = [(path, method) for path, item in json.loads(COMMITTED.read_text())["paths"].items() for method in item]


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "method"), CALLS)
def test_every_call_answers_as_documented(api_schema: Any, job_id: str, path: str, method: str, mode: GenerationMode) -> None:
    """Random calls, right and wrong: no 5xx, no undocumented status or type, bodies as described."""
    operation = api_schema[path][method]

    @seed(1)
    @settings(max_examples=20, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    def check(case: schemathesis.Case, real: bool) -> None:
        if real and "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = job_id
        # In a query everything is text: much of what schemathesis makes wrong arrives as something right.
        excluded = [negative_data_rejection] if method == "get" else []
        case.call_and_validate(headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=excluded)

    try:
        check()
    except Unsatisfiable:  # a call without parameters has none that could be wrong
        assert mode is GenerationMode.NEGATIVE


def test_the_committed_document_is_the_served_one() -> None:
    assert COMMITTED.read_text() == rendered(), "run: python -m trainyard_api.openapi > services/api/openapi.json"
    assert rendered() == rendered()
