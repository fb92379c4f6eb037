"""Uploads, and the engine's latest capacity."""

from typing import Any

from sqlalchemy import inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from trainyard_api.store.errors import NotFound
from trainyard_api.store.lease import Lease, check_lease
from trainyard_api.store.models import CapacityRow, Upload, utcnow
from trainyard_api.store.transactions import Records


class Uploads(Records):
    """Code archives and data sets that were uploaded."""

    def add_upload(self, upload: Upload) -> Upload:
        """Remember an upload; the same bytes again, also at the same moment, give the row that is there."""
        values = {column.key: getattr(upload, column.key) for column in inspect(Upload).column_attrs}
        insert = postgresql.insert if self.database.dialect == "postgresql" else sqlite.insert
        with self.database.write() as session:
            session.execute(insert(Upload).values(values).on_conflict_do_nothing())
            return session.get_one(Upload, (upload.kind, upload.id))

    def get_upload(self, kind: str, upload_id: str) -> Upload:
        """One upload; raises NotFound."""
        with self.database.read() as session:
            found = session.get(Upload, (kind, upload_id)) if "\0" not in upload_id else None
        if found is None:
            raise NotFound(f"no {kind} with id {upload_id}")
        return found

    def list_uploads(self, kind: str) -> list[Upload]:
        """Uploads of one kind, newest first, at most 1,000."""
        with self.database.read() as session:
            statement = select(Upload).where(Upload.kind == kind).order_by(Upload.created_at.desc(), Upload.id).limit(1000)
            return list(session.scalars(statement))


class Capacities(Records):
    """The one row that says what the engine has and has free."""

    def save_capacity(self, engine: str, detail: dict[str, Any], *, lease: Lease | None = None) -> None:
        """Overwrite it. Raises LeaseLost."""
        with self.database.write() as session:
            check_lease(session, lease)
            session.merge(CapacityRow(id=1, engine=engine, detail=detail, recorded_at=utcnow()))

    def get_capacity(self) -> CapacityRow | None:
        """The latest capacity, None before the controller's first round."""
        with self.database.read() as session:
            row = session.execute(select(CapacityRow.engine, CapacityRow.detail, CapacityRow.recorded_at)).one_or_none()
        return None if row is None else CapacityRow(id=1, engine=row.engine, detail=row.detail, recorded_at=row.recorded_at)
