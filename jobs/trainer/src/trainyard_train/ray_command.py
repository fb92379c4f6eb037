"""Ray's own command, for starting heads and workers with less: `ray start` as `python -m trainyard_train.ray_command start`.

Most of the time until a head's first process goes into importing the command lines of Ray Serve, of jobs and of states; and the server
for Ray clients, which nobody uses where programs come as jobs, is a process more.
"""

import os
import signal
import sys
from typing import Any

_NOT_TO_START = ("ray.serve.scripts", "ray.dashboard.modules.job.cli", "ray.util.state.state_cli")


def main() -> None:
    """Do what `ray` does with this process's arguments."""
    starts = sys.argv[1:2] == ["start"]
    if starts:
        # The first process of a container ignores SIGTERM until it has a handler, and Ray's comes late: a pod that is to go while it starts
        # would be waited for.
        signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
        modules: dict[str, Any] = sys.modules
        modules.update(dict.fromkeys(_NOT_TO_START))  # None: they cannot be imported, and Ray does without those
    from ray.scripts import scripts

    if starts:
        scripts.get_ray_client_dependency_error = lambda: "left out"
    scripts.cli(prog_name="ray")


if __name__ == "__main__":
    main()
