"""The end of a training process: all that Python promises at exit, and not the teardown of the interpreter."""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import logging
import os

_BUFFERED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)


class ProcessEnd:
    """Ends the process after the user's threads and exit handlers, without finalizing the interpreter.

    Native threads that are still alive then (torch's, gloo's) now and then abort a process whose work is done, and
    a job that has succeeded would be recorded as failed.
    """

    def __init__(self) -> None:
        """To be made before any of the user's code runs: exit handlers are called last in, first out."""
        self.status = 1
        atexit.register(self._leave)

    def _leave(self) -> None:
        logging.shutdown()
        gc.collect()
        # By type(): isinstance() would ask every object for its __class__, which is code of the object's own.
        for file in [found for found in gc.get_objects() if issubclass(type(found), _BUFFERED)]:
            with contextlib.suppress(ValueError, OSError):
                file.flush()
        os._exit(self.status)
