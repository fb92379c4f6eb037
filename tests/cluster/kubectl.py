"""kubectl as the tests call it."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from workbench.go_tools import KUBERNETES, build

Kubectl = Callable[..., str]


def kubectl_of(kubeconfig: Path) -> Kubectl:
    """``kubectl("get", "pods", input=None, seconds=300) -> str``: standard output; AssertionError with what kubectl said when it fails."""
    program = build(KUBERNETES)["kubectl"]

    def run(*arguments: str, input: str | None = None, seconds: float = 300) -> str:
        command = [str(program), f"--kubeconfig={kubeconfig}", *arguments]
        done = subprocess.run(command, input=input, capture_output=True, text=True, timeout=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}"
        return done.stdout

    return run
