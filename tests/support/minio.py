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


class MinioServer:
    """One server; ``endpoint`` stays the same over restarts."""

    def __init__(self, home: Path, *folders: Path, host: str = "127.0.0.1") -> None:
        """Keeps its objects in ``folders``, or below ``home`` beside its log; listens after ``start``. Raises ServerUnavailable."""
        user, password = "trainyard-test", "trainyard-test-secret"
        self._home, port = home, free_port()
        places = [str(folder) for folder in folders] or [f"{home}/data"]
        console = f"127.0.0.1:{free_port()}"
        self._command = [build_minio(), "server", "--address", f"{host}:{port}", "--console-address", console, *places]
        self._variables = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "MINIO_ROOT_USER": user,
            "MINIO_ROOT_PASSWORD": password,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://{host}:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": user,
            "AWS_SECRET_ACCESS_KEY": password,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """Start it, and return when it answers. Raises ServerUnavailable."""
        log = self._home / "server.log"
        with log.open("ab") as output:
            self._process = process = subprocess.Popen(self._command, env=self._variables, stdout=output, stderr=output, cwd=self._home)
        wait_for("MinIO", lambda: _answers(self.endpoint, process, log), seconds=60)

    def stop(self) -> None:
        """End it in order."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def kill(self) -> None:
        """SIGKILL it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def running_minio(*folders: Path, host: str = "127.0.0.1") -> Iterator[MinioServer]:
    """A server that answers, on ``folders`` or a temporary one. Raises ServerUnavailable."""
    with tempfile.TemporaryDirectory(prefix="trainyard-minio-", ignore_cleanup_errors=True) as home:
        server = MinioServer(Path(home), *folders, host=host)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def minio_server(*folders: Path, host: str = "127.0.0.1") -> Iterator[Minio]:
    """Start a server on an address of this machine, on ``folders`` or a temporary one. Raises ServerUnavailable."""
    with running_minio(*folders, host=host) as server:
        yield Minio(server.endpoint, server.environment)


def _answers(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    if server.poll() is not None:
        raise ServerUnavailable(f"MinIO ended at once: {log.read_text(errors='replace')[-500:]}")
    try:
        with urlopen(f"{endpoint}/minio/health/live", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
