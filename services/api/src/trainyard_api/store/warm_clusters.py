"""Ray clusters that wait for a job."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select, update

from trainyard_api.store.lease import Lease, check_lease
from trainyard_api.store.models import Job, WarmCluster, utcnow
from trainyard_api.store.transactions import Records


class WarmClusters(Records):
    """The warm_clusters table; `Attempts.start_attempt` gives one away."""

    def add_warm_cluster(
        self, team: str, recipe: str, resources: dict[str, Any], image: str | None, *, lease: Lease | None = None
    ) -> WarmCluster:
        """Make the row before anything is asked of the engine, so that nothing runs unknown. Raises LeaseLost."""
        made = WarmCluster(
            id=f"warm{secrets.token_hex(6)}", team=team, recipe=recipe, resources=resources, image=image, created_at=utcnow()
        )
        with self.database.write() as session:
            check_lease(session, lease)
            session.add(made)
            session.flush()
            return made

    def warm_clusters(self) -> list[WarmCluster]:
        """All of them, oldest first."""
        with self.database.read() as session:
            return list(session.scalars(select(WarmCluster).order_by(WarmCluster.created_at, WarmCluster.id)))

    def update_warm_cluster(self, warm_id: str, *, lease: Lease | None = None, **columns: Any) -> None:
        """Set columns; nothing happens when it is gone. Raises LeaseLost."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(update(WarmCluster).where(WarmCluster.id == warm_id).values(**columns))

    def remove_warm_cluster(self, warm_id: str, *, lease: Lease | None = None) -> None:
        """Nothing of it runs any more. Raises LeaseLost."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.execute(delete(WarmCluster).where(WarmCluster.id == warm_id))

    def last_submission(self, team: str) -> datetime | None:
        """When the team's latest job was accepted; None when it has none."""
        with self.database.read() as session:
            return session.scalar(select(func.max(Job.created_at)).where(Job.team == team))
