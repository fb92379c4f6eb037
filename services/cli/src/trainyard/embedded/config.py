"""Where one embedded platform keeps its files and which ports it uses."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import socket
import tempfile
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from trainyard.embedded.errors import PlatformError

HOST = "127.0.0.1"
DEFAULT_PORT = 8700
NEEDED_BYTES = 500 * 2**20
#: Ray refuses ports of its worker range (10002-19999); above 32767 the kernel hands out ports to anybody.
_PORT_RANGE = range(20_000, 32_000)


@dataclass(frozen=True)
class PlatformConfig:
    """One platform. The API listens on ``port``, the others beside it unless they are named."""

    state_dir: Path
    port: int = DEFAULT_PORT
    mlflow_port: int = DEFAULT_PORT + 10
    ray_dashboard_port: int = DEFAULT_PORT + 20
    ray_port: int = DEFAULT_PORT + 21
    cpus: int | None = None
    gpus: int | None = None
    #: Workers, of one CPU each, that wait for the next job that asks for as many; 0: none.
    warm: int = 0

    # --- files ------------------------------------------------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """Pids, the lock, and what a client needs to find the platform."""
        return self.state_dir / "run"

    @property
    def logs_dir(self) -> Path:
        """One log per process."""
        return self.state_dir / "logs"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.run_dir / "lock"

    @property
    def processes_file(self) -> Path:
        """Pids and start times of the supervisor and its processes."""
        return self.run_dir / "processes.json"

    @property
    def platform_file(self) -> Path:
        """This configuration and its URLs, for clients and later commands."""
        return self.run_dir / "platform.json"

    @property
    def teams_file(self) -> Path:
        """The one team of this platform, with its warm pool."""
        return self.run_dir / "teams.json"

    @property
    def api_token_file(self) -> Path:
        """The bearer token of the API, mode 0600."""
        return self.state_dir / "api-token"

    @property
    def ray_token_file(self) -> Path:
        """Ray's authentication token, mode 0600."""
        return self.state_dir / "ray-token"

    @cached_property
    def ray_temp_dir(self) -> Path:
        """Ray's sockets and logs; short, because a socket's path may have 107 bytes."""
        name = hashlib.sha256(str(self.state_dir).encode()).hexdigest()[:8]
        return Path(tempfile.gettempdir()) / f"trainyard-{os.getuid()}-{name}"

    @property
    def marker(self) -> str:
        """The value of an environment variable by which every process of this platform is known, whoever its parent is."""
        return str(self.state_dir)

    # --- addresses --------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The API."""
        return f"http://{HOST}:{self.port}"

    @property
    def mlflow_url(self) -> str:
        """MLflow's server and pages."""
        return f"http://{HOST}:{self.mlflow_port}"

    @property
    def ray_dashboard_url(self) -> str:
        """Ray's dashboard and Jobs API."""
        return f"http://{HOST}:{self.ray_dashboard_port}"

    # --- preparing --------------------------------------------------------------------------------------------------

    def prepare_folders(self) -> None:
        """Make the state folder (mode 0700) and prove that it can be written. Raises PlatformError."""
        try:
            for folder in (self.state_dir, self.run_dir, self.logs_dir):
                folder.mkdir(parents=True, exist_ok=True)
            self.state_dir.chmod(0o700)
            with tempfile.TemporaryFile(dir=self.run_dir) as probe:
                probe.write(b"\0" * 65536)
            free = shutil.disk_usage(self.state_dir).free
        except OSError as error:
            raise PlatformError(
                f"cannot write the state folder {self.state_dir}: {error.strerror}; choose another with --state-dir or TRAINYARD_STATE_DIR"
            ) from error
        if free < NEEDED_BYTES:
            raise PlatformError(
                f"the disk of the state folder {self.state_dir} has {free // 2**20} MB free and {NEEDED_BYTES // 2**20} are needed; "
                "free some, or choose another folder with --state-dir or TRAINYARD_STATE_DIR"
            )

    def check_ports(self) -> None:
        """Raise PlatformError naming the first port that somebody else listens on."""
        named = {"--port": self.port, "--mlflow-port": self.mlflow_port, "--ray-dashboard-port": self.ray_dashboard_port}
        named["--ray-port"] = self.ray_port
        for option, port in named.items():
            if option.startswith("--ray") and 10_002 <= port <= 19_999:
                raise PlatformError(f"port {port} lies in the range of Ray's workers (10002-19999); choose another with {option}")
            if list(named.values()).count(port) > 1:
                raise PlatformError(f"port {port} is given to two servers; choose another with {option}")
            if not port_is_free(port):
                raise PlatformError(f"port {port} is in use by another program; choose another with {option}")

    def make_tokens(self) -> None:
        """Make the tokens that are not there yet; both stay the same over restarts."""
        for path in (self.api_token_file, self.ray_token_file):
            if not path.exists() or not path.read_text().strip():
                path.unlink(missing_ok=True)
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                    file.write(secrets.token_urlsafe(32))
            path.chmod(0o600)

    def save(self) -> None:
        """Write the platform file and the teams file."""
        pool = {"workers": self.warm, "idleMinutes": None}
        write_atomically(self.teams_file, json.dumps([{"name": "default", "warm": [pool] if self.warm else []}], indent=2))
        content = asdict(self) | {"state_dir": str(self.state_dir), "url": self.url, "mlflow_url": self.mlflow_url}
        write_atomically(self.platform_file, json.dumps(content | {"ray_dashboard_url": self.ray_dashboard_url}, indent=2))

    @classmethod
    def load(cls, state_dir: Path) -> PlatformConfig | None:
        """The configuration of the platform that runs, or last ran, with this state folder."""
        try:
            content = json.loads((state_dir / "run" / "platform.json").read_text())
            names = ("port", "mlflow_port", "ray_dashboard_port", "ray_port", "cpus", "gpus")
            return cls(state_dir, **{name: content[name] for name in names}, warm=content.get("warm", 0))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def write_atomically(path: Path, content: str) -> None:
    """Readers see the old file or the new one."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(content)
    partial.replace(path)


def port_is_free(port: int) -> bool:
    """Whether nobody listens there on loopback or on every address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now, outside the ranges of Ray's workers and of outgoing connections. Raises PlatformError."""
    found: set[int] = set()
    for _ in range(1000):
        port = secrets.choice(_PORT_RANGE)
        if port_is_free(port):
            found.add(port)
        if len(found) == count:
            return sorted(found)
    raise PlatformError(f"no {count} free ports between {_PORT_RANGE.start} and {_PORT_RANGE.stop}")
