"""The one exception of the scripts."""


class WorkbenchError(Exception):
    """Something a person has to mend; the message is one sentence that says how."""
