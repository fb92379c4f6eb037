"""A real S3 server for the tests: MinIO, built once from the pinned module in images/minio."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tests.support.processes import ServerUnavailable, end, free_port
from tests.support.waiting import wait_for
from workbench.errors import WorkbenchError
from workbench.go_tools import MINIO, build


@dataclass(frozen=True)
class Minio:
    """A running server: its endpoint, and the variables with which every S3 client finds it."""

    endpoint: str
    environment: dict[str, str]


def build_minio() -> Path:
    """The server's binary: TRAINYARD_MINIO, else built from images/minio (minutes) and kept in the cache folder.

    Raises ServerUnavailable when it cannot be built, with the reason.
    """
    given = os.environ.get("TRAINYARD_MINIO")
    if given:
        if not os.access(given, os.X_OK):
            raise ServerUnavailable(f"TRAINYARD_MINIO names {given}, which is no program")
        return Path(given)
    try:
        return build(MINIO)["minio"]
    except WorkbenchError as reason:
        raise ServerUnavailable(str(reason)) from reason


@contextmanager
def minio_server(*folders: Path, host: str = "127.0.0.1") -> Iterator[Minio]:
    """Start a server on an address of this machine, on ``folders`` or a temporary one. Raises ServerUnavailable."""
    binary = build_minio()
    user, password = "trainyard-test", "trainyard-test-secret"
    with tempfile.TemporaryDirectory(prefix="trainyard-minio-", ignore_cleanup_errors=True) as home:
        port, log = free_port(), Path(home, "server.log")
        places = [str(folder) for folder in folders] or [f"{home}/data"]
        command = [binary, "server", "--address", f"{host}:{port}", "--console-address", f"127.0.0.1:{free_port()}", *places]
        environment = {
            "HOME": home,
            "PATH": os.environ["PATH"],
            "MINIO_ROOT_USER": user,
            "MINIO_ROOT_PASSWORD": password,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        with log.open("wb") as output:
            server = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=home)
        try:
            endpoint = f"http://{host}:{port}"
            wait_for("MinIO", lambda: _answers(endpoint, server, log), seconds=60)
            yield Minio(
                endpoint,
                {
                    "AWS_ENDPOINT_URL": endpoint,
                    "AWS_ACCESS_KEY_ID": user,
                    "AWS_SECRET_ACCESS_KEY": password,
                    "AWS_REGION": "us-east-1",
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "AWS_EC2_METADATA_DISABLED": "true",
                },
            )
        finally:
            end(server)


def _answers(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    if server.poll() is not None:
        raise ServerUnavailable(f"MinIO ended at once: {log.read_text(errors='replace')[-500:]}")
    try:
        with urlopen(f"{endpoint}/minio/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
