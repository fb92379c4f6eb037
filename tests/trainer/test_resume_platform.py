"""A run that is killed half-way and goes on: the same weights as an undisturbed one, every metric step once, what was lost told."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest
import torch
from tests.support.trainer_lab import Attempt, Lab
from tests.support.waiting import wait_for

from trainyard_templates import get
from trainyard_train import checkpoints

pytestmark = pytest.mark.platform

#: Seven steps an epoch; a checkpoint after every third step as well as after every epoch.
_PARAMETERS = {"workers": 2, "epochs": 120, "dropout": 0.3, "checkpoint_every_steps": 3, "seed": 7}

_COUNTS = """
import itertools, os, pathlib, time
import trainyard_train as ty

def await_sent():
    while any(pathlib.Path(os.environ["TRAINYARD_CHECKPOINTS"]).iterdir()):
        time.sleep(0.05)

def main(config):
    start = ty.resume_checkpoint()
    first = int((start.path / "step").read_text()) + 1 if start else 1
    print("first step", first, flush=True)
    for step in itertools.count(first):
        folder = None
        if step % 10 == 0:
            folder = ty.checkpoint_folder()
            (folder / "step").write_text(str(step))
        ty.report({"figure": step / 2}, step=step, checkpoint=folder, move=True)
        if folder:
            await_sent()
        if step == config["until"]:
            print("waiting at", step, flush=True)
            while not pathlib.Path(config["go"]).exists():
                time.sleep(0.05)
            return
"""


def submit(lab: Lab, **options) -> Attempt:
    kind = get("tabular")
    return lab.submit_spec(kind.render(kind.validate(_PARAMETERS)), **options)


def last_state(lab: Lab, job: Attempt, into: Path) -> dict:
    found = checkpoints.find(lab.objects, job.job_id, into)
    assert found.key
    return torch.load(checkpoints.fetch_once(lab.objects, found.key, into) / "state.pt", weights_only=True)


def test_a_killed_run_ends_with_the_weights_of_an_undisturbed_one(lab: Lab, tmp_path: Path) -> None:
    undisturbed = submit(lab)
    assert undisturbed.wait(300)["outcome"] == "succeeded"

    first = submit(lab)
    manifests = f"jobs/{first.job_id}/checkpoints"
    wait_for("a checkpoint", lambda: any("manifest" in key for key in lab.objects.list(manifests)), seconds=180, every=0.05)
    os.kill(first.training_process(rank=1), signal.SIGKILL)
    result = first.wait()
    assert (result["failed_rank"], result["kind"]) == (1, "infrastructure"), result
    assert result["reason"].startswith("rank 1 was killed by SIGKILL after ")
    assert "not for want of memory" in result["reason"]

    second = submit(lab, after=first)
    assert second.wait(300)["outcome"] == "succeeded"
    [resumed] = [event for event in second.events() if event["kind"] == "resume"]
    step = resumed["detail"]["step"]
    assert 0 < step < 840
    assert resumed["name"] == f"resumed from step {step}"
    assert resumed["detail"]["source_job"] is None
    assert resumed["detail"]["lost_steps"] >= 0
    assert f"(step {step})" in second.log(0)

    expected, state = last_state(lab, undisturbed, tmp_path / "a"), last_state(lab, second, tmp_path / "b")
    assert expected["position"] == state["position"]
    assert expected["position"]["step"] == 840
    assert expected["model"].keys() == state["model"].keys()
    for name, value in expected["model"].items():
        assert torch.equal(value, state["model"][name]), f"{name} is not the same to the last bit"
    assert str(expected["ranks"]) == str(state["ranks"]), "nor are the random generators of a rank"

    history, whole = second.metrics(lab.tracking), undisturbed.metrics(lab.tracking)
    for key in ("train_loss", "validation_accuracy", "learning_rate"):
        assert [step for step, _ in history[key]] == list(range(7, 841, 7)), f"every epoch of {key} once"
        assert history[key] == whole[key]


def test_a_damaged_checkpoint_is_passed_over_and_what_was_lost_is_told(lab: Lab, tmp_path: Path) -> None:
    def run(until: int, after: Attempt | None = None) -> Attempt:
        config = {"until": until, "go": str(tmp_path / "go")}
        parameters = {"workers": 1, "entry": "train:main", "config": config}
        return lab.submit("function", parameters, code={"train.py": _COUNTS}, after=after)

    first = run(47)
    first.await_log("waiting at 47")
    wait_for("its points in MLflow", lambda: len(first.metrics(lab.tracking).get("figure", [])) == 47, seconds=60)
    os.kill(first.training_process(), signal.SIGKILL)
    assert first.wait()["outcome"] == "failed"
    lab.objects.put(f"jobs/{first.job_id}/checkpoints/{40:012d}/step", b"4")

    (tmp_path / "go").touch()
    second = run(60, after=first)
    assert second.wait()["outcome"] == "succeeded"
    events = {event["kind"]: event for event in second.events() if event["kind"] in ("resume", "notice")}
    assert events["notice"]["name"] == "checkpoint of step 40 is damaged: step has 1 bytes instead of 2"
    assert events["resume"]["detail"] == {"step": 30, "lost_steps": 17, "source_job": None}
    assert "checkpoint of step 40 is damaged" in second.log("driver")
    assert "first step 31" in second.log(0)
    assert second.metrics(lab.tracking)["figure"] == [(step, step / 2) for step in range(1, 61)], "each step once over both attempts"

    other = lab.submit_spec(
        get("function")
        .render(
            get("function").validate({"entry": "train:main", "config": {"until": 70, "go": str(tmp_path / "go")}}),
            code_uri=lab.store_code({"train.py": _COUNTS}),
        )
        .model_copy(update={"resume_from": f"jobs/{first.job_id}/checkpoints/{60:012d}"})
    )
    assert other.wait()["outcome"] == "succeeded"
    [resumed] = [event for event in other.events() if event["kind"] == "resume"]
    assert resumed["detail"] == {"step": 60, "lost_steps": None, "source_job": first.job_id}
    assert [step for step, _ in other.metrics(lab.tracking)["figure"]] == list(range(61, 71))


def test_a_checkpoint_to_start_from_that_is_not_there_is_named(lab: Lab) -> None:
    kind = get("tabular")
    spec = kind.render(kind.validate({"workers": 1})).model_copy(update={"resume_from": "jobs/gone/checkpoints/000000000001"})
    result = lab.submit_spec(spec).wait()
    assert result["kind"] == "user"
    assert result["reason"] == (
        "the checkpoint to resume from, jobs/gone/checkpoints/000000000001, cannot be used: its manifest cannot be read"
    )


def lost_at(lab: Lab, until: int, config: dict, standby: int) -> Attempt:
    """A job whose rank is killed when it waits at a step; its driver stands by."""
    parameters = {"workers": 1, "entry": "train:main", "config": {"until": until, **config}}
    first = lab.submit("function", parameters, code={"train.py": _COUNTS}, environment={"TRAINYARD_STANDBY_SECONDS": str(standby)})
    first.await_log(f"waiting at {until}")
    os.kill(first.training_process(), signal.SIGKILL)
    result = wait_for("its result", first.result, seconds=60)
    assert (result["kind"], result["stands_by"]) == ("infrastructure", True)
    return first


def test_a_driver_that_lost_its_rank_runs_the_next_attempt_without_a_new_start(lab: Lab, tmp_path: Path) -> None:
    first = lost_at(lab, 47, {"go": str(tmp_path / "go")}, standby=60)
    (tmp_path / "go").touch()
    lab.objects.put_json(f"{first.prefix}/next.json", {"attempt": 2, "workers": 1})
    second = dataclasses.replace(first, number=2)
    assert wait_for("the second result", second.result, seconds=120)["outcome"] == "succeeded"
    assert lab.engine.describe(second.handle).phase.value == "missing"
    wait_for("the driver to end", lambda: lab.engine.describe(first.handle).phase.value == "succeeded", seconds=30)

    [resumed] = [event for event in second.events() if event["kind"] == "resume"]
    assert resumed["detail"] == {"step": 40, "lost_steps": 7, "source_job": None}
    assert "first step 41" in second.log(0)
    assert "resuming from step 40" in second.log("driver")
    assert "resuming" not in first.log("driver")
    assert second.metrics(lab.tracking)["figure"] == [(step, step / 2) for step in range(1, 48)], "each step once over both attempts"


def test_a_driver_that_stands_by_in_vain_ends(lab: Lab, tmp_path: Path) -> None:
    dismissed = lost_at(lab, 10, {"go": str(tmp_path / "go")}, standby=600)
    lab.objects.put_json(f"{dismissed.prefix}/next.json", {"attempt": None})
    assert dismissed.wait(30)["outcome"] == "failed"
    forgotten = lost_at(lab, 10, {"go": str(tmp_path / "go")}, standby=2)
    assert forgotten.wait(30)["outcome"] == "failed"
