"""A function with checkpoints: the second attempt goes on where the first one failed."""

from pathlib import Path

import pytest
from tests.support.trainer_lab import Lab

pytestmark = pytest.mark.platform

EXAMPLE = Path(__file__).parents[2] / "jobs" / "examples" / "function_example.py"


def epochs(log: str) -> list[int]:
    return [int(line.split()[1]) for line in log.splitlines() if line.startswith("epoch ")]


def test_the_next_attempt_resumes_from_the_last_checkpoint(lab: Lab) -> None:
    parameters = {"entry": "function_example:main", "config": {"epochs": 6, "fail_at": 2, "model": "example"}}
    first = lab.submit("function", parameters, code={"function_example.py": EXAMPLE})
    result = first.wait()

    assert result["outcome"] == "failed"
    assert result["reason"] in {f"rank {rank} raised RuntimeError: failing at epoch 2, as the config asks" for rank in (0, 1)}
    assert result["tail"][-1] == "RuntimeError: failing at epoch 2, as the config asks"
    assert not any("training_process" in line for line in result["tail"]), "the traceback is the user's own"
    steps = {int(key.split("/")[-2]) for key in lab.objects.list(f"jobs/{first.job_id}/checkpoints") if key.endswith("manifest.json")}
    assert max(steps) == 2, "what was reported before the failure is safe"

    second = lab.submit("function", parameters, code={"function_example.py": EXAMPLE}, after=first)
    result = second.wait()

    assert result["outcome"] == "succeeded"
    assert epochs(first.log(0)) == [0, 1, 2]
    for rank in (0, 1):
        assert "resuming at epoch 3" in second.log(rank)
        assert epochs(second.log(rank)) == [3, 4, 5]
    assert [step for step, _ in second.metrics(lab.tracking)["loss"]] == [0, 1, 2, 3, 4, 5], "each step once over both attempts"
    assert result["model_name"] == "example"
