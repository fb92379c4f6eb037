"""What the store raises; the API turns each into one HTTP status."""

from trainyard_api.store.states import JobState


class StoreError(Exception):
    """Anything the store refuses."""


class NotFound(StoreError):
    """The row does not exist."""


class StateConflict(StoreError):
    """The job is not in a state from which the step is allowed, or another writer was first."""

    def __init__(self, job_id: str, current: JobState, target: JobState, detail: str = "") -> None:
        """Remember both states, so that the caller can say what the job is doing instead."""
        super().__init__(detail or f"job {job_id} is {current} and cannot become {target}")
        self.job_id = job_id
        self.current = current
        self.target = target


class LeaseLost(StoreError):
    """The controller that writes no longer holds the lease; it must stop at once."""


class KeyReused(StoreError):
    """An idempotency key came back with another body."""


class InUse(StoreError):
    """The row cannot be deleted yet."""
