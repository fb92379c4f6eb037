"""Sends checkpoints from the queue on local disk to the object store, beside the training."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from trainyard_train.checkpoint_queue import drop, take, waiting
from trainyard_train.checkpoints import CheckpointStore
from trainyard_train.logs import Remarks

POLL_SECONDS = 0.3
RETRY_SECONDS = 1.0
#: A checkpoint waits for the records and lines before it, but not longer than this.
SETTLE_SECONDS = 20.0


class CheckpointUploader:
    """Sends what comes into the queue, in a thread of its own."""

    def __init__(
        self,
        queue: Path,
        store: CheckpointStore,
        *,
        settled: Callable[[float], bool],
        saved: Callable[[int, int, float], None],
        remarks: Remarks,
    ) -> None:
        """``settled`` waits, for so many seconds at most, until all that was logged and recorded so far is in the object store too:
        what lies before a checkpoint is never reported again. ``saved`` is called with step, bytes and seconds.
        """
        self._queue, self._store, self._settled, self._saved, self._remarks = queue, store, settled, saved, remarks
        self._sending: Path | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upload checkpoints", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._done.wait(RETRY_SECONDS if self._sending else POLL_SECONDS):
            self._round(SETTLE_SECONDS)

    def _round(self, settle_seconds: float) -> None:
        """Send the newest that is there; one that could not be sent stays, until a newer one waits."""
        *older, newest = [None, *waiting(self._queue)]
        if newest is not None:
            try:
                taken = take(newest)
            except FileNotFoundError:
                return
            drop([folder for folder in (*older, self._sending) if folder is not None])
            self._sending = taken
        if self._sending is None:
            return
        started = time.monotonic()
        try:
            about = json.loads((self._sending / "about.json").read_text())
            self._settled(settle_seconds)
            size = self._store.save(about["step"], self._sending / "files", about["metrics"])
        except OSError as error:
            self._remarks.trouble("checkpoints", f"the object store refuses a checkpoint: {error}")
            return
        self._remarks.trouble("checkpoints", None)
        shutil.rmtree(self._sending, ignore_errors=True)
        self._sending = None
        self._saved(about["step"], size, time.monotonic() - started)

    def close(self, seconds: float) -> bool:
        """Send what is left; False when the object store would not take it for ``seconds``."""
        self._done.set()
        self._thread.join()
        deadline = time.monotonic() + seconds
        while True:
            self._round(min(seconds, SETTLE_SECONDS))
            if self._sending is None and not waiting(self._queue):
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
