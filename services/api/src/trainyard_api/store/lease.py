"""One controller leads: a lease row with a fencing token that every write of the leader checks."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from trainyard_api.store.database import Database
from trainyard_api.store.errors import LeaseLost
from trainyard_api.store.models import ControllerLease, utcnow

_NAME = "controller"


@dataclass(frozen=True)
class Lease:
    """A held lease; ``token`` fences off earlier holders."""

    owner: str
    token: int


def acquire(database: Database, owner: str, *, seconds: float) -> Lease | None:
    """Take the lease when it is free or run out; None while another owner holds it."""
    now = utcnow()
    try:
        with database.write() as session:
            row = session.get(ControllerLease, _NAME, with_for_update=True)
            if row is None:
                row = ControllerLease(name=_NAME, owner=owner, token=0, expires_at=now)
                session.add(row)
            elif row.expires_at > now and row.owner != owner:
                return None
            row.owner, row.token, row.expires_at = owner, row.token + 1, now + timedelta(seconds=seconds)
            session.flush()
            return Lease(owner, row.token)
    except IntegrityError:  # two first starts at once: the other one made the row
        return None


def renew(database: Database, lease: Lease, *, seconds: float) -> None:
    """Hold on to it. Raises LeaseLost when somebody else took over."""
    with database.write() as session:
        check_lease(session, lease)
        row = session.get_one(ControllerLease, _NAME)
        row.expires_at = utcnow() + timedelta(seconds=seconds)


def release(database: Database, lease: Lease) -> None:
    """Let the next controller start at once."""
    with database.write() as session:
        row = session.get(ControllerLease, _NAME, with_for_update=True)
        if row is not None and (row.owner, row.token) == (lease.owner, lease.token):
            row.expires_at = utcnow()


def is_led(database: Database) -> bool:
    """Whether some controller holds the lease now."""
    with database.read() as session:
        row = session.get(ControllerLease, _NAME)
        return row is not None and row.expires_at > utcnow()


def check_lease(session: Session, lease: Lease | None) -> None:
    """Inside a transaction: raise LeaseLost unless ``lease`` is the latest (None: the caller is no controller)."""
    if lease is None:
        return
    row = session.get(ControllerLease, _NAME, with_for_update=True, populate_existing=True)
    if row is None or (row.owner, row.token) != (lease.owner, lease.token):
        raise LeaseLost(f"{lease.owner} no longer leads")
