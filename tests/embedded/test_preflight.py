"""What `up` and `down` refuse before anything is started, each with the fix in the message."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from tests.embedded.conftest import CommandLine, up_arguments

from trainyard.embedded import components, config
from trainyard.embedded.config import PlatformConfig
from trainyard.embedded.errors import PlatformError
from trainyard.embedded.processes import ProcessId, ProcessTable, running_supervisor


@pytest.fixture
def command(tmp_path: Path) -> CommandLine:
    """The command on an empty state folder."""
    return CommandLine(tmp_path / "state")


def test_port_in_use(command: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = command("up", "--mlflow-port", str(port))
    assert refused.code == 2
    assert f"port {port} is in use" in refused.err
    assert "--mlflow-port" in refused.err
    assert command("status").code == 3


def test_ray_port_in_its_worker_range(command: CommandLine) -> None:
    refused = command("up", "--ray-port", "12000")
    assert refused.code == 2
    assert "10002-19999" in refused.err


def test_state_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = CommandLine(tmp_path / "file" / "state")(*up_arguments())
    assert refused.code == 2
    assert "cannot write the state folder" in refused.err
    assert "--state-dir" in refused.err


@pytest.mark.skipif(os.getuid() != 0, reason="mounting a small disk needs root")
def test_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {mounted.stderr.strip()}")
    try:
        refused = CommandLine(disk / "state")(*up_arguments())
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert refused.code == 2
    assert "MB free" in refused.err


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "_PACKAGES", ("ray", "no_such_package"))
    with pytest.raises(PlatformError, match="no_such_package"):
        components.check_packages()


def test_a_stale_pid_file_counts_for_nothing(tmp_path: Path) -> None:
    settings = PlatformConfig(tmp_path)
    settings.prepare_folders()
    ProcessTable(ProcessId(os.getpid(), started=1.0), {}).save(settings.processes_file)
    assert running_supervisor(settings) is None
    settings.processes_file.write_text("{broken")
    assert running_supervisor(settings) is None


def test_down_without_a_platform(command: CommandLine) -> None:
    refused = command("down")
    assert refused.code == 3
    assert "no Trainyard runs" in refused.err


def test_tokens_are_private_and_stay(tmp_path: Path) -> None:
    settings = config.PlatformConfig(tmp_path)
    settings.make_tokens()
    first = settings.api_token_file.read_text()
    settings.make_tokens()
    assert settings.api_token_file.read_text() == first != settings.ray_token_file.read_text()
    assert {path.stat().st_mode & 0o777 for path in (settings.api_token_file, settings.ray_token_file)} == {0o600}
