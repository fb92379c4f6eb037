"""Why ranks failed: what each agent writes down, and which of them was first."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trainyard_train.objects import Objects


@dataclass(frozen=True)
class Failure:
    """One rank's end. ``reason`` follows "rank 3 ..." in a sentence; ``victim``: a collective broke because another rank was gone."""

    rank: int
    time: float
    reason: str
    tail: list[str]
    victim: bool = False

    def save(self, objects: Objects, prefix: str) -> None:
        """Write it below the attempt's prefix. Raises OSError."""
        objects.put_json(f"{prefix}/failures/rank-{self.rank}.json", asdict(self))


def describe(returncode: int, error: Mapping[str, Any] | None, seconds: float) -> str | None:
    """How a training process ended that ran for ``seconds``, or None when it ended well; ``error`` is what its code raised."""
    if returncode == 0:
        return None
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        hint = "; out of memory, or ended by hand" if returncode == -signal.SIGKILL else ""
        return f"was killed by {name} after {seconds:.0f} s{hint}"
    if error is not None:
        message = " ".join(str(error["message"]).split())[:500]
        return f"raised {error['type']}: {message}" if message else f"raised {error['type']}"
    return f"exited with code {returncode}"


def first_failure(failures: Iterable[Failure], lost: Mapping[int, str]) -> Failure | None:
    """The failure that the others followed from.

    Args:
        failures: what the agents wrote down.
        lost: what Ray says about the ranks that failed; one that wrote nothing down is gone with its Ray worker.
    """
    written = sorted(failures, key=lambda failure: (failure.victim, failure.time))
    causes = [failure for failure in written if not failure.victim]
    told = {failure.rank for failure in written}
    gone = [Failure(rank, 0.0, f"lost its Ray worker: {why}", []) for rank, why in sorted(lost.items()) if rank not in told]
    return next(iter([*causes, *gone, *written]), None)


def read_failures(objects: Objects, prefix: str) -> list[Failure]:
    """What the agents of one attempt wrote down. Raises OSError."""
    return [Failure(**objects.get_json(key)) for key in objects.list(f"{prefix}/failures")]
