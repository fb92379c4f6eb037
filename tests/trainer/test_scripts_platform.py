"""Unmodified torchrun programs print under Trainyard what they print under torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.trainer_lab import Lab

pytestmark = pytest.mark.platform

EXAMPLES = Path(__file__).parents[2] / "jobs" / "examples"


def torchrun(script: Path, arguments: list[str]) -> str:
    """What rank 0 of two processes prints."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone", str(script), *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OMP_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ddp.py", []),
        ("fsdp2.py", []),
        ("argparse_regression.py", ["--degree", "5", "--lr", "0.05", "--name", "my 'first' fit; $HOME"]),
    ],
)
def test_losses_equal_those_of_torchrun(lab: Lab, name: str, arguments: list[str]) -> None:
    job = lab.submit("script", {"entry": name, "arguments": arguments, "seed": 12345}, code={name: EXAMPLES / name})
    result = job.wait()
    assert result["outcome"] == "succeeded", result

    ours = [line for line in job.log(0).splitlines() if " loss " in line]
    theirs = [line for line in torchrun(EXAMPLES / name, arguments).splitlines() if " loss " in line]
    assert len(ours) >= 5
    assert ours == theirs
    assert {"process_group_formed", "first_step", "last_step"} <= set(job.stages())


def test_ray_data_feeds_a_program(lab: Lab) -> None:
    name = "ray_data.py"
    job = lab.submit("script", {"entry": name, "workers": 2}, code={name: EXAMPLES / name})
    result = job.wait()
    assert result["outcome"] == "succeeded", result
    losses = [float(line.split()[-1]) for line in job.log(0).splitlines() if " loss " in line]
    assert len(losses) == 3
    assert losses[-1] < 0.1 * losses[0]
