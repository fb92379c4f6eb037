"""One term of leading: the lease, renewed in time by whoever works under it."""

from __future__ import annotations

import time

from trainyard_api.store import lease as leases
from trainyard_api.store.database import Database
from trainyard_api.store.lease import Lease


class Term:
    """A held lease. Used by the leading thread only; ``lease`` itself may be handed to any."""

    def __init__(self, database: Database, lease: Lease, *, seconds: float) -> None:
        """Lead under ``lease``, which was just taken for ``seconds``."""
        self._database, self._seconds = database, seconds
        self.lease = lease
        self._renewed = time.monotonic()

    def keep(self) -> None:
        """Renew when a third of the time has passed. Raises LeaseLost."""
        if time.monotonic() - self._renewed >= self._seconds / 3:
            self.check()

    def check(self) -> None:
        """Renew now; for moments at which nobody else may have taken over. Raises LeaseLost."""
        leases.renew(self._database, self.lease, seconds=self._seconds)
        self._renewed = time.monotonic()

    def end(self) -> None:
        """Let the next controller start at once."""
        leases.release(self._database, self.lease)
