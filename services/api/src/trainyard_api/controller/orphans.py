"""What the engine runs for no job on record, as after a database was restored from a backup: told of, and ended after a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from trainyard_api.controller.patience import Patience
from trainyard_api.engines.base import Engine, EngineUnavailable

log = logging.getLogger(__name__)


class Orphans:
    """Those that this term's leader has seen."""

    def __init__(self, engine: Engine, patience: Patience) -> None:
        self._engine, self._patience = engine, patience
        #: Since when each has been one, by submission id.
        self._since: dict[str, float] = {}
        self._looked_at = float("-inf")

    def look(self, known: Callable[[], Iterable[str]], guarded: Callable[[str, Callable[[], None]], None]) -> None:
        """Compare the engine with ``known``, the submission ids of all that may still run; ``guarded`` survives what a step meets.

        A row is written before its submission, so what has none for long is nobody's.
        """
        now = time.monotonic()
        if now - self._looked_at < self._patience.orphan_look:
            return
        self._looked_at = now
        # In this order: what is submitted meanwhile is known, though it may not have been listed.
        try:
            listed = {handle["submission_id"]: handle for handle in self._engine.submissions()}
        except EngineUnavailable:  # whoever asks for its capacity says so
            return
        orphans = listed.keys() - set(known()) if listed else set()
        self._since = {name: self._since.get(name, now) for name in orphans}
        for name, since in self._since.items():
            if since == now:
                log.warning("%s runs and belongs to no job on record; it is ended in %g s", name, self._patience.orphan)
            if now - since >= self._patience.orphan:
                guarded(name, lambda handle=listed[name]: self._end(handle))  # type: ignore[misc]

    def _end(self, handle: dict[str, Any]) -> None:
        name = handle["submission_id"]
        if not self._engine.describe(handle).phase.ended:
            log.warning("%s belongs to no job on record: asked to end", name)
            self._engine.stop(handle)
            return
        self._engine.delete(handle)
        log.warning("%s belonged to no job on record: removed", name)
