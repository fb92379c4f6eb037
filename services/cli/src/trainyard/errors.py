"""Everything that can go wrong for a caller of the client; each error knows the command's exit status."""

from __future__ import annotations

from dataclasses import dataclass

from trainyard.exit_codes import ExitCode


@dataclass(frozen=True)
class FieldError:
    """One field that was refused: its dotted name, why, and what to do about it."""

    field: str
    message: str
    fix: str | None = None

    def __str__(self) -> str:
        text = f"{self.field}: {self.message}" if self.field else self.message
        return f"{text} (fix: {self.fix})" if self.fix else text


class TrainyardError(Exception):
    """Base of all errors of this package. `str()` gives one line per problem, fit for a user."""

    exit_code = ExitCode.SERVER


class InvalidInput(TrainyardError):
    """Refused by the client, before anything was sent."""

    exit_code = ExitCode.REFUSED

    def __init__(self, field: str, message: str, fix: str | None = None) -> None:
        self.errors = [FieldError(field, message, fix)]
        super().__init__(str(self.errors[0]))


class ServerUnreachable(TrainyardError):
    """Nothing answers at the URL, or the connection broke and did not come back."""

    exit_code = ExitCode.SERVER


class WaitTimeout(TrainyardError):
    """The job had not ended in the time given."""

    exit_code = ExitCode.SERVER


class ApiError(TrainyardError):
    """The server answered with an error (RFC 9457). Raised as one of the classes below where one fits.

    Attributes:
        status: HTTP status.
        title, detail: of the problem document.
        errors: the fields that were refused; may be empty.
    """

    exit_code = ExitCode.REFUSED

    def __init__(self, status: int, title: str, detail: str | None = None, errors: list[FieldError] | None = None) -> None:
        self.status, self.title, self.detail, self.errors = status, title, detail, errors or []
        super().__init__("\n".join(map(str, self.errors)) if self.errors else detail or title)


class NotFound(ApiError):
    """404."""

    exit_code = ExitCode.NOT_FOUND


class Conflict(ApiError):
    """409: not possible in the state that the job is in."""

    exit_code = ExitCode.CONFLICT


class ServerFailed(ApiError):
    """5xx, or an answer that no Trainyard gives."""

    exit_code = ExitCode.SERVER
