"""Why attempts fail: what decides whether, and at whose expense, a job is tried again."""

from enum import StrEnum


class FailureKind(StrEnum):
    """The cause of a failed attempt."""

    #: The user's code, or what it was given.
    USER = "user"
    #: A lost node, pod, head or driver.
    INFRASTRUCTURE = "infrastructure"
    OUT_OF_MEMORY = "out_of_memory"
    #: A rank or the driver stopped without ending.
    HUNG = "hung"

    @property
    def spared(self) -> bool:
        """Whether the platform tries again at its own expense, apart from the job's ``retries``."""
        return self in (FailureKind.INFRASTRUCTURE, FailureKind.HUNG)
