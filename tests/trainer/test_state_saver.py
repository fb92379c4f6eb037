"""States that are given to `report`: as they were at that moment, written beside the training, the newest wins, none half."""

import os
import subprocess
import sys
import textwrap
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import trainyard_train as ty
from trainyard_train import api, state_saver
from trainyard_train.checkpoint_queue import unsent
from trainyard_train.state_saver import Snapshot, StateSaver, copied


def saved(queue: Path) -> dict[int, Any]:
    """The states that wait to be sent, by the step in them."""
    states = [torch.load(one / "files" / "state.pt", weights_only=True) for one in unsent(queue)]
    return {state["step"]: state for state in states}


def test_a_state_is_kept_as_it_was_when_it_was_reported(queue: Path) -> None:
    torch.manual_seed(1)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.Adam(model.parameters())
    before = model.weight.detach().clone()
    ty.report({"loss": 1.0}, step=7, checkpoint={"step": 7, "model": model.state_dict(), "optimizer": optimizer.state_dict()})
    with torch.no_grad():
        model.weight.zero_()
    api.state_saver().wait()
    state = saved(queue)[7]
    assert torch.equal(state["model"]["weight"], before)
    assert nn.Linear(4, 2).load_state_dict(state["model"])
    torch.optim.Adam(nn.Linear(4, 2).parameters()).load_state_dict(state["optimizer"])


def test_a_copy_keeps_what_loading_goes_by() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    shared = torch.ones(5)
    copy, tensors = copied(
        {"model": model.state_dict(), "pair": (shared, [shared]), "empty": torch.empty(0), "plain": {"epoch": 3, "name": "x"}}
    )
    assert type(copy["model"]) is OrderedDict
    assert copy["model"]._metadata == model.state_dict()._metadata
    assert copy["pair"][0] is copy["pair"][1][0]
    assert copy["pair"][0].data_ptr() != shared.data_ptr()
    assert copy["empty"].numel() == 0
    assert copy["plain"] == {"epoch": 3, "name": "x"}
    assert len(tensors) == len(model.state_dict()) + 1


def test_a_copy_is_made_in_the_memory_of_an_earlier_one_where_that_fits() -> None:
    states = [{"a": torch.full((3, 2), float(number)), "b": torch.full((2, 3), float(number)).t()} for number in (1, 2)]
    first, tensors = copied(states[0])
    second, again = copied({**states[1], "c": torch.zeros(1)}, tensors)
    assert {one.data_ptr() for one in tensors} < {one.data_ptr() for one in again}
    assert torch.equal(second["a"], states[1]["a"])
    assert torch.equal(second["b"], states[1]["b"])
    assert second["a"].data_ptr() != states[1]["a"].data_ptr()
    assert first["a"].data_ptr() in {one.data_ptr() for one in again}


def test_a_copy_may_be_made_within_inference_mode_and_written_over_outside() -> None:
    weights = torch.ones(4, requires_grad=True)
    with torch.inference_mode():
        _, tensors = copied({"weights": weights, "made": torch.zeros(2)})
    state, _ = copied({"weights": weights * 2, "made": torch.ones(2)}, tensors)
    assert state["weights"].tolist() == [2.0] * 4
    assert state["made"].tolist() == [1.0] * 2


def test_of_states_that_come_faster_than_the_disk_takes_them_the_newest_wins(tmp_path: Path) -> None:
    written: list[int] = []
    begun, free = threading.Event(), threading.Event()

    def new_folder() -> Path:
        folder = tmp_path / str(len(written))
        folder.mkdir(exist_ok=True)
        begun.set()
        assert free.wait(60)
        return folder

    def hand_over(folder: Path, snapshot: Snapshot) -> None:
        written.append(snapshot.step)

    saver = StateSaver(new_folder, hand_over)
    saver.save({"step": 1}, 1, {})
    assert begun.wait(60)
    for step in (2, 3, 4):
        saver.save({"step": step}, step, {})
    free.set()
    saver.wait()
    assert written == [1, 4]


def test_a_state_that_is_being_written_is_not_written_over(tmp_path: Path) -> None:
    found: dict[int, float] = {}
    begun, free = threading.Event(), threading.Event()

    def hand_over(folder: Path, snapshot: Snapshot) -> None:
        begun.set()
        assert free.wait(60)
        found[snapshot.step] = float(snapshot.state["weights"][0])

    saver = StateSaver(lambda: tmp_path, hand_over)
    saver.save({"weights": torch.ones(1000)}, 1, {})
    assert begun.wait(60)
    for step in (2, 3):
        saver.save({"weights": torch.full((1000,), float(step))}, step, {})
    free.set()
    saver.wait()
    saver.save({"weights": torch.full((1000,), 4.0)}, 4, {})
    saver.wait()
    assert found == {1: 1.0, 3: 3.0, 4: 4.0}


def test_a_disk_that_takes_no_state_is_told_of_by_the_next_report(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.save

    def full(state: Mapping[str, Any], path: Path) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc] . unexpected pos")

    monkeypatch.setattr(state_saver.torch, "save", full)
    ty.report({"loss": 1.0}, step=1, checkpoint={"step": 1})
    api.state_saver().wait()
    assert not list(queue.iterdir()), "something half was left on the disk"
    with pytest.raises(OSError, match="the checkpoint of step 1 could not be written"):
        ty.report({"loss": 1.0}, step=2, checkpoint={"step": 2})
    monkeypatch.setattr(state_saver.torch, "save", real)
    ty.report({"loss": 1.0}, step=3, checkpoint={"step": 3})
    api.state_saver().wait()
    assert list(saved(queue)) == [3]


def test_the_last_state_is_written_when_the_program_ends_at_once(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        textwrap.dedent(
            """
            import torch
            import trainyard_train as ty

            ty.report({"loss": 1.0}, step=5, checkpoint={"step": 5, "weights": torch.ones(1_000_000)})
            raise SystemExit("the end")
            """
        )
    )
    queue = tmp_path / "checkpoints"
    variables = {**os.environ, "TRAINYARD_RECORDS": str(tmp_path / "records.jsonl"), "TRAINYARD_CHECKPOINTS": str(queue)}
    ended = subprocess.run([sys.executable, program], env=variables, capture_output=True, text=True, timeout=120)
    assert "the end" in ended.stderr
    assert saved(queue)[5]["weights"].sum() == 1_000_000


def test_a_folder_that_is_reported_after_a_state_is_the_newer_one(queue: Path, tmp_path: Path) -> None:
    ty.report({"loss": 1.0}, step=1, checkpoint={"step": 1, "weights": torch.ones(3_000_000)})
    (tmp_path / "own").mkdir()
    ty.report({"loss": 1.0}, step=2, checkpoint=tmp_path / "own")
    assert (unsent(queue)[-1] / "about.json").read_text().startswith('{"step": 2')
