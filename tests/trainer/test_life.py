"""A training process that stops, waits, or works without a break is told apart from outside, and its stacks are had."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from trainyard_train import life
from trainyard_train.life import LifeWatch, dump_stacks

_START = """
import pathlib, re, sys, time
from trainyard_train import life
life.start(pathlib.Path("counters"), pathlib.Path("stacks"))
def in_the_programs_own_function():
    print("started", flush=True)
    {code}
in_the_programs_own_function()
"""


class Process:
    """A process that gives signs of life in a folder."""

    def __init__(self, folder: Path, code: str) -> None:
        LifeWatch.prepare(folder / "counters")
        command = [sys.executable, "-c", _START.format(code=code)]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        assert self.process.stdout.readline() == "started\n"
        self.pid, self.stacks, self.counters = self.process.pid, folder / "stacks", folder / "counters"

    def watch(self, stall_seconds: float | None = None) -> LifeWatch:
        return LifeWatch(self.counters, self.pid, stall_seconds=stall_seconds)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[type[Process]]:
    made: list[Process] = []

    class Kept(Process):
        def __init__(self, code: str) -> None:
            super().__init__(tmp_path, code)
            made.append(self)

    yield Kept
    for one in made:
        one.process.kill()
        one.process.wait()
        assert one.process.stdout
        one.process.stdout.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds of silence are enough."""
    monkeypatch.setattr(life, "SILENCE_SECONDS", 5.0)


@pytest.mark.usefixtures("impatient")
def test_a_stopped_process_is_silent_and_answers_for_its_stacks(start: type[Process]) -> None:
    process = start("time.sleep(1000)")
    watch = process.watch()
    os.kill(process.pid, signal.SIGSTOP)
    assert wait_for("the silence", watch.hung, seconds=60, every=0.5).startswith("hung: no sign of life for ")
    text = dump_stacks(process.pid, process.stacks)
    assert text.startswith(f"process {process.pid}, state T (stopped by a signal)\n")
    assert "in in_the_programs_own_function" in text
    assert "sign of life" in text or "_beat" in text, "all threads are there"
    wait_for("the process to be stopped again", lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "code",
    ["time.sleep(1000)", "re.match('(a*)*b', 'a' * 40)"],
    ids=["it waits", "native code keeps every other thread from running"],
)
def test_a_process_that_lives_is_not_taken_for_hung(start: type[Process], code: str) -> None:
    process = start(code)
    watch = process.watch()
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert watch.hung() is None
        time.sleep(0.5)


def test_a_stack_is_had_although_python_code_is_stuck(start: type[Process]) -> None:
    process = start("re.match('(a*)*b', 'a' * 40)")
    text = dump_stacks(process.pid, process.stacks)
    assert "in in_the_programs_own_function" in text


def test_no_progress_is_a_stall_where_a_limit_is_set(start: type[Process]) -> None:
    process = start("while True: life.advance(); pathlib.Path('hold').exists() and time.sleep(1000); time.sleep(0.05)")
    limited, unlimited = process.watch(stall_seconds=3), process.watch()
    assert limited.hung() is None
    (process.counters.parent / "hold").touch()
    assert wait_for("the stall", limited.hung, seconds=60, every=0.5).startswith("hung: no step and no report for ")
    assert unlimited.hung() is None


def test_a_process_that_is_gone_has_no_stacks(start: type[Process]) -> None:
    process = start("time.sleep(1000)")
    process.process.kill()
    process.process.wait()
    assert dump_stacks(process.pid, process.stacks) == f"process {process.pid}, state gone\n\nthe process is gone\n"
