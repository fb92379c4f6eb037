"""The job state machine: every state, and every step from one to another that is allowed."""

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class JobState(StrEnum):
    """Where a job stands."""

    QUEUED = "QUEUED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


_S = JobState

#: The only table of transitions. FAILED and CANCELLED may be left through RETRYING when a user asks for another attempt.
TRANSITIONS: Final = MappingProxyType(
    {
        _S.QUEUED: frozenset({_S.STARTING, _S.CANCELLED, _S.FAILED}),
        _S.STARTING: frozenset({_S.RUNNING, _S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.RETRYING}),
        _S.RUNNING: frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.RETRYING}),
        _S.RETRYING: frozenset({_S.STARTING, _S.CANCELLED, _S.FAILED}),
        _S.SUCCEEDED: frozenset[JobState](),
        _S.FAILED: frozenset({_S.RETRYING}),
        _S.CANCELLED: frozenset({_S.RETRYING}),
    }
)

TERMINAL: Final = frozenset({_S.SUCCEEDED, _S.FAILED, _S.CANCELLED})
ACTIVE: Final = frozenset(_S) - TERMINAL


def may_go(source: JobState, target: JobState) -> bool:
    """Whether a job may go from ``source`` to ``target``."""
    return target in TRANSITIONS[source]
