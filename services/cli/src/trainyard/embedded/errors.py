"""What can stop the embedded platform from starting or stopping; each message says what to do."""

from trainyard.errors import TrainyardError
from trainyard.exit_codes import ExitCode


class PlatformError(TrainyardError):
    """The platform cannot do what was asked, for a reason the user can act on."""

    exit_code = ExitCode.REFUSED


class PlatformFailed(PlatformError):
    """The platform was started and did not become ready, or would not end."""

    exit_code = ExitCode.SERVER


class AlreadyRunning(PlatformError):
    """A platform with this state folder runs already."""

    exit_code = ExitCode.CONFLICT


class NotRunning(PlatformError):
    """No platform with this state folder runs."""

    exit_code = ExitCode.SERVER
