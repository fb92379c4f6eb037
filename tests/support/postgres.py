"""A real PostgreSQL server for the tests: a throwaway cluster on 127.0.0.1, without durability unless it is asked for."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg2

from tests.support.processes import ServerUnavailable, end, free_port
from tests.support.waiting import wait_for

_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB", "max_connections=200")


class PostgresServer:
    """One server below ``home``; ``url`` (of its ``postgres`` database) stays the same over restarts."""

    def __init__(self, home: Path, settings: tuple[str, ...] = _FAST) -> None:
        """Make its files; it listens after ``start``. Raises ServerUnavailable when none is installed."""
        self._programs, self._account, self._home = _programs(), _account(), home
        if self._account:
            os.chown(home, self._account["user"], self._account["group"])
        self._port = free_port()
        self._settings = [
            word for setting in (*settings, "listen_addresses=127.0.0.1", "unix_socket_directories=") for word in ("-c", setting)
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"postgresql://trainyard@127.0.0.1:{self._port}/postgres"
        initdb = [self._programs / "initdb", "-D", home / "data", "-U", "trainyard", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(initdb, capture_output=True, text=True, cwd=home, **self._account)
        if made.returncode:
            raise ServerUnavailable(f"initdb failed: {made.stderr.strip()[-500:]}")

    def start(self) -> None:
        """Start it, and return when it answers: after a crash, when it has recovered. Raises ServerUnavailable."""
        command = [self._programs / "postgres", "-D", self._home / "data", "-p", str(self._port), *self._settings]
        with (self._home / "server.log").open("ab") as log:
            self._process = process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._home, **self._account)
        wait_for("PostgreSQL", lambda: _answers(self.url, process, self._home / "server.log"), seconds=60)

    def stop(self) -> None:
        """End it in order, whoever is connected."""
        if self._process is not None:
            end(self._process, signal.SIGINT)
            self._process = None

    def kill(self) -> None:
        """SIGKILL it and every process of it."""
        if self._process is not None:
            root = psutil.Process(self._process.pid)
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.Error):
                    process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_postgres(settings: tuple[str, ...] = _FAST) -> Iterator[PostgresServer]:
    """A server that answers, in a temporary folder. Raises ServerUnavailable when none is installed."""
    home = Path(tempfile.mkdtemp(prefix="trainyard-postgres-"))
    try:
        server = PostgresServer(home, settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server that answers. Raises ServerUnavailable when none is installed."""
    with running_postgres() as server:
        yield server.url


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """An empty database of the server, dropped afterwards; its URL."""
    name = f"test_{uuid.uuid4().hex}"
    _execute(server_url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield f"{server_url.rpartition('/')[0]}/{name}"
    finally:
        _execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def _programs() -> Path:
    on_path = shutil.which("initdb")
    places = [Path(on_path).resolve().parent] if on_path else []
    for place in _PLACES:
        places += sorted(Path("/").glob(place.lstrip("/")), reverse=True)
    for folder in places:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise ServerUnavailable(
        "no PostgreSQL server is installed (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql@17)"
    )


def _account() -> dict[str, Any]:
    """Whom the server runs as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise ServerUnavailable("PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as")


def _answers(url: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    if server.poll() is not None:
        raise ServerUnavailable(f"PostgreSQL ended at once: {log.read_text(errors='replace')[-500:]}")
    try:
        psycopg2.connect(url, connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True


def _execute(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()
