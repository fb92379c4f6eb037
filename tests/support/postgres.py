"""A real PostgreSQL server for the tests: a throwaway cluster on 127.0.0.1, without durability."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; the URL of its ``postgres`` database. Raises ServerUnavailable when none is installed."""
    programs = _programs()
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="trainyard-postgres-"))
    try:
        if account:
            os.chown(home, account["user"], account["group"])
        data, port = home / "data", free_port()
        initdb = [programs / "initdb", "-D", data, "-U", "trainyard", "-A", "trust", "-E", "UTF8", "--no-sync"]
        made = subprocess.run(initdb, capture_output=True, text=True, cwd=home, **account)
        if made.returncode:
            raise ServerUnavailable(f"initdb failed: {made.stderr.strip()[-500:]}")
        settings = [word for setting in (*_FAST, "listen_addresses=127.0.0.1", "unix_socket_directories=") for word in ("-c", setting)]
        with (home / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-p", str(port), *settings], stdout=log, stderr=log, cwd=home, **account
            )
        try:
            url = f"postgresql://trainyard@127.0.0.1:{port}/postgres"
            wait_for("PostgreSQL", lambda: _answers(url, server, home / "server.log"))
            yield url
        finally:
            end(server, signal.SIGINT)
    finally:
        shutil.rmtree(home, ignore_errors=True)


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
