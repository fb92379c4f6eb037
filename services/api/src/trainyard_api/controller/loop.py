"""Leading: hold the lease, go round everything, and keep MLflow in step beside that."""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.controller.mlflow_sync import MlflowSync
from trainyard_api.controller.patience import Patience
from trainyard_api.controller.steps import Steps
from trainyard_api.controller.term import Term
from trainyard_api.engines.base import Engine
from trainyard_api.objects.base import ObjectStore
from trainyard_api.settings import Settings
from trainyard_api.store import lease as leases
from trainyard_api.store.database import Database
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.repository import Repository
from trainyard_api.teams import load_teams
from trainyard_api.tracking import Tracking

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 2.0
#: News come in bursts; one look serves those that come within this time.
_BURST_SECONDS = 0.05


class Controller:
    """One candidate for leading; `run` blocks until stopped."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        objects: ObjectStore,
        engine: Engine,
        tracking: Tracking,
        owner: str,
        *,
        patience: Patience | None = None,
    ) -> None:
        """``owner`` names this process among all that may lead. Raises ValueError for a teams file that cannot be used."""
        self._settings, self._database, self._objects = settings, database, objects
        self._engine, self._tracking, self._owner = engine, tracking, owner
        self._repository = Repository(database)
        self._teams = load_teams(settings.teams_file)
        self._patience = patience or Patience()

    def run(self, stop: threading.Event) -> None:
        """Lead whenever the lease is free, until ``stop`` is set. Nothing that goes wrong ends it."""
        while not stop.is_set():
            try:
                term = self.take_lead()
                if term is None:
                    stop.wait(self._settings.poll_seconds)
                    continue
                log.info("leading as %s, term %s", term.lease.owner, term.lease.token)
                self._lead(term, stop)
            except LeaseLost as lost:
                log.warning("%s", lost)
            except SQLAlchemyError as error:
                log.error("the database does not answer: %s", error)
                stop.wait(_PAUSE_SECONDS)
            except Exception:  # the process boundary: a leader that dies would leave every job as it is
                log.exception("the controller starts a new term")
                stop.wait(_PAUSE_SECONDS)

    def take_lead(self) -> Term | None:
        """A new term when nobody else leads."""
        lease = leases.acquire(self._database, self._owner, seconds=self._settings.lease_seconds)
        return None if lease is None else Term(self._database, lease, seconds=self._settings.lease_seconds)

    def steps(self, term: Term) -> Steps:
        """The engine's side of one term."""
        return Steps(self._settings, self._repository, self._objects, self._engine, self._teams, term, self._patience)

    def sync(self, term: Term) -> MlflowSync:
        """MLflow's side of one term."""
        return MlflowSync(self._settings, self._repository, self._objects, self._tracking, term.lease)

    def _lead(self, term: Term, stop: threading.Event) -> None:
        ended = threading.Event()
        sync = threading.Thread(target=self.sync(term).run, args=(ended,), name="mlflow sync", daemon=True)
        sync.start()
        steps = self.steps(term)
        try:
            while not stop.is_set():
                term.keep()
                begun = time.monotonic()
                self._engine.news.clear()
                steps.round()
                self._pause(stop, time.monotonic() - begun)
        finally:
            ended.set()
            sync.join(timeout=15)
        term.end()

    def _pause(self, stop: threading.Event, round_seconds: float) -> None:
        """Until the next round is due or the engine has news; half of the time is left while rounds are shorter than the poll."""
        longest = self._settings.poll_seconds
        least = min(longest, max(_BURST_SECONDS, round_seconds))
        self._engine.news.wait(longest - least)
        stop.wait(least)
