"""What the use cases raise; ``routes.problems`` turns each into one HTTP status."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong: its dotted name, what is wrong with it, and what to do about it."""

    field: str
    message: str
    fix: str


class ServiceError(Exception):
    """Anything a use case refuses; the text is fit for the user."""


class Invalid(ServiceError):
    """The request is understood, but some of its fields are wrong."""

    def __init__(self, *errors: FieldError) -> None:
        """Name every wrong field; there is at least one."""
        self.errors: Sequence[FieldError] = errors
        super().__init__("; ".join(f"{error.field}: {error.message}" if error.field else error.message for error in errors))


class Malformed(ServiceError):
    """The body cannot be read at all."""


class Missing(ServiceError):
    """There is no such thing."""


class TooLarge(ServiceError):
    """The body, or what it unpacks to, is over a limit."""


class Unavailable(ServiceError):
    """It cannot be answered now; the same request may work later."""


class StorageFull(ServiceError):
    """There is no room left for the upload."""
