"""Leading: hold the lease, go round all unsettled jobs, and keep MLflow in step beside that."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.controller.mlflow_sync import MlflowSync
from trainyard_api.controller.steps import Steps
from trainyard_api.engines.base import Engine
from trainyard_api.objects.base import ObjectStore
from trainyard_api.settings import Settings
from trainyard_api.store import lease as leases
from trainyard_api.store.database import Database
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.lease import Lease
from trainyard_api.store.repository import Repository
from trainyard_api.tracking import Tracking

log = logging.getLogger(__name__)


class Controller:
    """One candidate for leading; `run` blocks until stopped."""

    def __init__(
        self, settings: Settings, database: Database, objects: ObjectStore, engine: Engine, tracking: Tracking, owner: str
    ) -> None:
        self._settings, self._database = settings, database
        self._repository = Repository(database)
        self._owner = owner
        self._steps = Steps(settings, self._repository, objects, engine)
        self._sync = MlflowSync(settings, self._repository, objects, tracking)

    def run(self, stop: threading.Event) -> None:
        """Lead whenever the lease is free, until ``stop`` is set."""
        while not stop.is_set():
            try:
                lease = leases.acquire(self._database, self._owner, seconds=self._settings.lease_seconds)
                if lease is None:
                    stop.wait(self._settings.poll_seconds)
                    continue
                log.info("leading as %s, term %s", lease.owner, lease.token)
                self._lead(lease, stop)
            except LeaseLost as lost:
                log.warning("%s", lost)
            except SQLAlchemyError as error:
                log.error("the database does not answer: %s", error)
                stop.wait(2)

    def _lead(self, lease: Lease, stop: threading.Event) -> None:
        ended = threading.Event()
        sync = threading.Thread(target=self._sync.run, args=(lease, ended), name="mlflow sync", daemon=True)
        sync.start()
        renew_at = 0.0
        try:
            while not stop.is_set():
                if time.monotonic() >= renew_at:
                    leases.renew(self._database, lease, seconds=self._settings.lease_seconds)
                    renew_at = time.monotonic() + self._settings.lease_seconds / 3
                self._steps.round(lease, keep_lease=lambda: leases.renew(self._database, lease, seconds=self._settings.lease_seconds))
                stop.wait(self._settings.poll_seconds)
        finally:
            ended.set()
            sync.join(timeout=15)
        leases.release(self._database, lease)
