"""Ray's command, as heads and workers are started with it."""

import signal
import subprocess
import sys


def ray(*arguments: str) -> tuple[str, set[str]]:
    """What it prints, and the modules that it imports."""
    command = [sys.executable, "-X", "importtime", "-m", "trainyard_train.ray_command", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout, {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


def test_start_imports_nothing_of_other_subcommands() -> None:
    printed, imported = ray("start", "--help")
    assert "Usage: ray start" in printed
    assert "ray.scripts.scripts" in imported
    assert not imported & {"ray.serve", "ray.util.state", "pandas"}


def test_the_other_subcommands_are_there() -> None:
    printed, _ = ray("--help")
    assert {"start", "job", "serve", "list"} <= {line.split()[0] for line in printed.splitlines() if line.startswith("  ") and line.split()}


def test_a_start_that_is_taken_back_ends_at_once_also_as_the_first_process_of_a_container() -> None:
    """There the kernel gives SIGTERM to a handler only."""
    text = "import os, signal, sys; sys.argv = ['ray', 'start', '--version']; from trainyard_train import ray_command; "
    text += "import ray.scripts.scripts as scripts; scripts.cli = lambda **_: os.kill(os.getpid(), signal.SIGTERM); ray_command.main()"
    assert subprocess.run([sys.executable, "-c", text], timeout=120).returncode == 128 + signal.SIGTERM
