"""Ray's command, as heads and workers are started with it."""

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
