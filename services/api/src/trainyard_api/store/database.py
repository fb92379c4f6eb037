"""Opening a database by URL: SQLite with WAL or PostgreSQL, sessions, and migrations."""

import fcntl
import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

_MIGRATION_LOCK = 0x7472_6169
_MIGRATIONS = Path(__file__).parent / "migrations"
#: For libpq, unless the URL says otherwise: a server that the network has lost is given up within seconds.
_POSTGRESQL = {
    "connect_timeout": "2",  # seconds; the least that libpq knows
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # milliseconds
}


def normalise_url(url: str) -> str:
    """The URL with the driver this package installs: psycopg2 for PostgreSQL."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg2://" + url.removeprefix(prefix)
    return url


class Database:
    """One engine, and sessions for reading and for writing."""

    def __init__(self, url: str) -> None:
        """Open the database; nothing is connected before the first use."""
        self.url = normalise_url(url)
        self.dialect = make_url(self.url).get_backend_name()
        options: dict[str, Any] = {"pool_pre_ping": True}
        if self.dialect == "sqlite":
            options["connect_args"] = {"timeout": 30, "check_same_thread": False}
            path = make_url(self.url).database
            if not path or path == ":memory:":
                raise ValueError("SQLite needs a file: several processes share the store")
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        else:
            given = make_url(self.url).query
            options["pool_timeout"] = 10
            options["connect_args"] = {name: value for name, value in _POSTGRESQL.items() if name not in given}
        self.engine: Engine = create_engine(self.url, **options)
        if self.dialect == "sqlite":
            event.listen(self.engine, "connect", _sqlite_connect)
            event.listen(self.engine, "begin", _sqlite_begin)
        self._writer = self.engine.execution_options(trainyard_write=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; nothing is committed."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session for writing: committed at the end, rolled back on an exception. SQLite takes its write lock at once."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Raise unless the database answers."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def migrate(self) -> None:
        """Bring the schema to the latest revision; safe when several processes start together."""
        if self.is_up_to_date():
            return
        if self.dialect == "sqlite":
            path = Path(f"{make_url(self.url).database}.migrate.lock")
            with path.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                with self.engine.connect() as connection:
                    self._upgrade(connection)
            return
        with self.engine.connect() as lock_holder:
            lock_holder.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            try:
                with self.engine.connect() as connection:
                    self._upgrade(connection)
            finally:
                lock_holder.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _MIGRATION_LOCK})

    def is_up_to_date(self) -> bool:
        """Whether the schema is that of this version or of a later one, which only adds to it: so a release can be rolled back.

        Looked at without Alembic, which costs a process 10 MB and a fifth of a second.
        """
        try:
            with self.engine.connect() as connection:
                revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except DBAPIError:  # no such table, or no database
            return False
        return bool(revision is not None and revision >= latest_revision())

    def _upgrade(self, connection: Connection) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


@functools.cache
def latest_revision() -> str:
    """The number of this version's schema."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _sqlite_connect(connection: Any, _record: Any) -> None:
    """Turn off the driver's own transactions (``_sqlite_begin`` opens them) and set the pragmas."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("busy_timeout=30000", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    """Writers take the lock up front: a read lock that must be upgraded later can fail at once instead of waiting."""
    writes = connection.get_execution_options().get("trainyard_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
