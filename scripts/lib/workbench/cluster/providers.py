"""Which provider makes the cluster."""

from pathlib import Path
from typing import Protocol

from workbench.cluster import kind, needs
from workbench.cluster.processes import Processes
from workbench.errors import WorkbenchError

NAMES = ("kind", "processes")


class Provider(Protocol):
    """What both can do; every call may raise WorkbenchError."""

    name: str

    @property
    def exists(self) -> bool:
        """Whether its cluster is there, running or not."""
        ...

    def up(self) -> None:
        """Make the cluster, or mend it; returns when pods can run."""
        ...

    def down(self) -> None:
        """Remove it with all it made."""
        ...

    def status(self) -> dict[str, str]:
        """Component to `ready`, `not ready` or `stopped`; empty where there is no cluster."""
        ...

    def kubeconfig(self) -> Path:
        """The path of the administrator's."""
        ...

    def load(self, image: str) -> None:
        """Bring an image or an archive of images into the node."""
        ...


def choose(asked: str | None) -> Provider:
    """The one asked for, else the one that has a cluster, else kind where an engine answers, else processes. Raises WorkbenchError."""
    processes = Processes()
    engine = None if asked == "processes" or (asked is None and processes.exists) else kind.engine()
    name = chosen(asked, processes_exist=processes.exists, engine=engine, needed=needs.this_machine_can())
    return processes if name == "processes" else kind.Kind(engine or "docker")


def chosen(asked: str | None, *, processes_exist: bool, engine: str | None, needed: str | None) -> str:
    """The rule of ``choose``; ``needed`` is what processes would need and the machine lacks. Raises WorkbenchError."""
    if asked == "kind" and engine is None:
        raise WorkbenchError("--provider kind needs a container engine that runs: start Docker or Podman")
    if asked is not None:
        return asked
    if processes_exist:
        return "processes"
    if engine is not None:
        return "kind"
    if needed is not None:
        raise WorkbenchError(needed)
    return "processes"
