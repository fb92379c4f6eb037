"""Killed parts: the supervisor restarts its programs, and the next `up` cleans after a killed supervisor."""

import os
import signal
from pathlib import Path

import pytest
from tests.embedded.conftest import CommandLine, up_arguments
from tests.support.waiting import wait_for

from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.processes import marked_processes

pytestmark = pytest.mark.platform


def test_killed_programs_come_back_and_a_killed_up_leaves_nothing(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    arguments = up_arguments()
    first = command(*arguments, "--json")
    assert first.code == 0, first.err
    config = PlatformConfig.load(tmp_path)
    assert config is not None

    pids = first.json["processes"]
    for name in ("api", "controller"):
        os.kill(pids[name], signal.SIGKILL)

    def restarted() -> bool:
        now = command("status", "--json").json
        return bool(now["ready"]) and all(now["processes"].get(name, pids[name]) != pids[name] for name in ("api", "controller"))

    wait_for("the API and the controller to come back", restarted, seconds=60, every=0.5)

    os.kill(pids["supervisor"], signal.SIGKILL)
    orphans = {process.pid for process in marked_processes(config.marker)}
    assert orphans, "a killed supervisor leaves its programs behind"
    assert "processes of a killed one are left" in command("status").err

    second = command(*arguments, "--json")
    assert second.code == 0, second.err
    assert not orphans & {process.pid for process in marked_processes(config.marker)}
    assert command("down").code == 0
    assert not marked_processes(config.marker)
