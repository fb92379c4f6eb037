"""The programs that make up the platform: how each is started, and how it shows that it is ready."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trainyard.embedded.config import HOST, PlatformConfig, free_ports
from trainyard.embedded.errors import PlatformError
from trainyard.embedded.processes import MARKER

_PACKAGES = ("trainyard_api", "trainyard_train", "ray", "mlflow", "gunicorn", "torch")
#: Training code gets its data from the object store; Ray's own shared memory carries small things only.
_OBJECT_STORE_BYTES = 256 * 2**20
_API_THREADS = 48
#: What the API and the controller may be told of servers elsewhere, in place of files below the state folder.
_STORES = ("TRAINYARD_DATABASE_URL", "TRAINYARD_OBJECT_STORE_URL")
_MLFLOW_DATABASE = "TRAINYARD_MLFLOW_DATABASE_URL"


@dataclass(frozen=True)
class Component:
    """One program. ``title`` is how progress messages call it."""

    name: str
    title: str
    argv: list[str]
    environment: Mapping[str, str]
    #: Seconds between SIGTERM and SIGKILL.
    patience_seconds: float = 10.0


def check_packages() -> None:
    """Raise PlatformError unless everything that the platform starts is installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise PlatformError(
            f"the embedded platform needs packages that {sys.executable} does not have: {', '.join(missing)}; "
            "run ./scripts/run in a checkout, or use `--url` to talk to a platform elsewhere"
        )


def components(config: PlatformConfig) -> list[Component]:
    """Every program, in the order in which they start."""
    base = {key: value for key, value in os.environ.items() if not key.startswith(("RAY_", "MLFLOW_", "TRAINYARD_"))}
    base |= {MARKER: config.marker, "PYTHONUNBUFFERED": "1"}
    return [_ray(config, base), _mlflow(config, base), _api(config, base), _controller(config, base)]


def _module(*argv: str) -> list[str]:
    return [sys.executable, "-m", *argv]


def _ray(config: PlatformConfig, base: Mapping[str, str]) -> Component:
    agent, metrics, runtime_env = free_ports(3)
    argv = _module("trainyard_train.ray_command", "start", "--head", "--block", "--disable-usage-stats", "--log-color", "false")
    argv.append("--no-monitor")  # one machine has nothing to scale, and the autoscaler's metrics port asks for no token
    options: dict[str, object] = {
        "node-ip-address": HOST,
        "port": config.ray_port,
        "dashboard-host": HOST,
        "dashboard-port": config.ray_dashboard_port,
        "dashboard-agent-listen-port": agent,
        "metrics-export-port": metrics,
        "runtime-env-agent-port": runtime_env,
        "object-store-memory": _OBJECT_STORE_BYTES,
        "include-log-monitor": False,
        "temp-dir": config.ray_temp_dir,
        "num-cpus": config.cpus,
        "num-gpus": config.gpus,
    }
    argv += [f"--{name}={value}" for name, value in options.items() if value is not None]
    environment = {
        **base,
        # Ray listens on more than loopback whatever it is told: who has no token is refused on every port.
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(config.ray_token_file),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Ray's default of 15 lets whatever else runs on the machine go before the training.
        "RAY_worker_niceness": "0",
        # The dashboard's metrics server asks for no token and has no switch; a port that cannot be bound keeps it away.
        "DASHBOARD_METRIC_PORT": "-1",
    }
    return Component("ray", "Ray head", argv, environment, patience_seconds=3.0)


def _mlflow(config: PlatformConfig, base: Mapping[str, str]) -> Component:
    argv = _module("trainyard.embedded.mlflow_process", "--host", HOST, "--port", str(config.mlflow_port), "--workers", "1")
    argv += ["--artifacts-destination", str(config.state_dir / "mlflow-artifacts")]
    environment = {**base, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    # Not an argument: everybody can read those, and the URL may hold a password.
    database = os.environ.get(_MLFLOW_DATABASE) or f"sqlite:///{config.state_dir}/mlflow.db"
    environment["MLFLOW_BACKEND_STORE_URI"] = re.sub(r"^postgres(ql)?:", "postgresql+psycopg2:", database)  # the driver that is installed
    return Component("mlflow", "MLflow", argv, environment)


def _platform_environment(config: PlatformConfig, base: Mapping[str, str]) -> dict[str, str]:
    return {
        **base,
        **{name: os.environ[name] for name in _STORES if os.environ.get(name)},
        "TRAINYARD_STATE_DIR": str(config.state_dir),
        "TRAINYARD_TEAMS_FILE": str(config.teams_file),
        "TRAINYARD_MLFLOW_URL": config.mlflow_url,
        "TRAINYARD_RAY_ADDRESS": config.ray_dashboard_url,
        "TRAINYARD_RAY_AUTH_TOKEN_FILE": str(config.ray_token_file),
        "TRAINYARD_API_TOKEN_FILE": str(config.api_token_file),
    }


def _api(config: PlatformConfig, base: Mapping[str, str]) -> Component:
    argv = _module(
        "gunicorn", "--worker-class", "gthread", "--workers", "1", "--threads", str(_API_THREADS), "--bind", f"{HOST}:{config.port}"
    )
    argv += ["--limit-request-line", "8190"]  # the address of a comparison of 200 jobs
    argv += ["--graceful-timeout", "3", "--no-control-socket", "--worker-tmp-dir", str(_shared_memory()), "trainyard_api.wsgi:app"]
    portal = portal_folder()
    pages = {"TRAINYARD_PORTAL_DIR": str(portal)} if portal else {}
    return Component("api", "API", argv, {**_platform_environment(config, base), **pages})


def portal_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The portal's build: the folder in TRAINYARD_PORTAL_DIR, else what ./scripts/portal left in this checkout; None without one."""
    if named := environ.get("TRAINYARD_PORTAL_DIR"):
        return Path(named).absolute()
    spec = importlib.util.find_spec("trainyard_api")
    if spec is None or spec.origin is None:
        return None
    services = Path(spec.origin).parents[3]  # <services>/api/src/trainyard_api/__init__.py
    built = services / "frontend" / "dist"
    return built if (built / "index.html").is_file() else None


def _controller(config: PlatformConfig, base: Mapping[str, str]) -> Component:
    return Component("controller", "controller", _module("trainyard_api.controller"), _platform_environment(config, base))


def _shared_memory() -> Path:
    """Where gunicorn beats its heart: a disk that blocks would get the worker killed."""
    shm = Path("/dev/shm")  # noqa: S108 - gunicorn makes an unnamed file in it
    return shm if os.access(shm, os.W_OK) else Path(os.environ.get("TMPDIR", "/tmp"))  # noqa: S108
