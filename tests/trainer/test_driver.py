"""A driver that KubeRay starts again, on the head that took the place of a lost one."""

from pathlib import Path
from typing import Any

import pytest

from trainyard_templates import get
from trainyard_train import driver
from trainyard_train.objects import Objects

PREFIX = "jobs/job/attempts/2"


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """The object store of an attempt whose driver has begun once."""
    store = Objects(f"file://{tmp_path}/objects")
    kind = get("script")
    spec = kind.render(kind.validate({"entry": "train.py"}), code_uri=f"{store.url}/code/never-read.zip", data_uri=None)
    variables = {
        "JOB_ID": "job",
        "ATTEMPT": "2",
        "SPEC": spec.model_dump_json(),
        "OBJECT_STORE_URL": store.url,
        "SPOOL_DIR": f"{tmp_path}/spool",
    }
    for name, value in variables.items():
        monkeypatch.setenv(f"TRAINYARD_{name}", value)
    store.put_json(f"{PREFIX}/events/000001.json", {"seq": 1, "name": "driver_started"})
    return store


def everything(objects: Objects) -> dict[str, bytes | None]:
    return {key: objects.get(key) for key in objects.list("jobs")}


def test_an_attempt_is_not_trained_a_second_time(objects: Objects) -> None:
    before = everything(objects)

    assert driver.main() == 1

    result: dict[str, Any] = objects.get_json(f"{PREFIX}/result.json")
    assert (result["outcome"], result["kind"]) == ("failed", "infrastructure")
    assert result["reason"] == "the driver was started a second time: the machine of the first is gone"
    after = everything(objects)
    del after[f"{PREFIX}/result.json"]
    assert after == before


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", 0), ("failed", 1)])
def test_a_result_that_is_there_stays(objects: Objects, outcome: str, status: int) -> None:
    objects.put_json(f"{PREFIX}/result.json", {"outcome": outcome, "reason": None, "kind": None})
    before = everything(objects)

    assert driver.main() == status

    assert everything(objects) == before
