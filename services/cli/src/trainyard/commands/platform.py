"""`up`, `down`, `status`: the embedded platform on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainyard.connection import state_dir as default_state_dir

if TYPE_CHECKING:
    from rich.console import Console

    from trainyard.embedded.config import PlatformConfig
    from trainyard.embedded.lifecycle import Status

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        help="Folder of the platform's database, objects, tokens and logs.",
        envvar="TRAINYARD_STATE_DIR",
        show_default="~/.trainyard",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
_PARTS = {"database": "database", "object_store": "object store", "mlflow": "MLflow", "engine": "Ray head", "controller": "controller"}


def up(
    port: Annotated[int, typer.Option(help="Port of the API; the others follow it unless they are given.", min=1024, max=65000)] = 8700,
    mlflow_port: Annotated[int | None, typer.Option(help="Port of MLflow.", min=1024, max=65535, show_default="port + 10")] = None,
    ray_dashboard_port: Annotated[
        int | None, typer.Option(help="Port of Ray's dashboard and Jobs API.", min=1024, max=65535, show_default="port + 20")
    ] = None,
    ray_port: Annotated[int | None, typer.Option(help="Port of Ray's head.", min=1024, max=65535, show_default="port + 21")] = None,
    cpus: Annotated[int | None, typer.Option(help="CPU cores that jobs may use.", min=1, show_default="all")] = None,
    gpus: Annotated[int | None, typer.Option(help="GPUs that jobs may use.", min=0, show_default="all")] = None,
    warm: Annotated[
        int,
        typer.Option(help="Workers, of one CPU each, to keep ready for the next job that asks for as many.", min=0, show_default="none"),
    ] = 0,
    state_dir: StateDir = None,
    as_json: Json = False,
) -> None:
    """Start Trainyard on this machine: Ray, MLflow, the API and the controller, on 127.0.0.1 only."""
    from trainyard.embedded import lifecycle
    from trainyard.embedded.config import PlatformConfig

    config = PlatformConfig(
        _folder(state_dir),
        port=port,
        mlflow_port=mlflow_port or port + 10,
        ray_dashboard_port=ray_dashboard_port or port + 20,
        ray_port=ray_port or port + 21,
        cpus=cpus,
        gpus=gpus,
        warm=warm,
    )
    with _messages().status("starting Ray, MLflow, the API and the controller ...") as shown:

        def progress(now: Status) -> None:
            waiting = [_PARTS.get(name, name) for name, reason in now.parts.items() if reason] or ["API"]
            shown.update(f"waiting for {', '.join(waiting)} ...")

        running = lifecycle.up(config, progress=progress)
    _show(running, as_json)


def down(state_dir: StateDir = None, as_json: Json = False) -> None:
    """Stop the platform on this machine, and whatever a killed one left behind. Jobs that run are interrupted; all data stays."""
    from trainyard.embedded import lifecycle

    folder = _folder(state_dir)
    with _messages().status("stopping ..."):
        count = lifecycle.down(folder)
    if as_json:
        typer.echo(json.dumps({"stopped": True, "processes": count}))
    else:
        typer.echo(f"stopped ({count} processes); everything recorded stays in {folder}")


def status(state_dir: StateDir = None, as_json: Json = False) -> None:
    """Show what runs on this machine, and where."""
    from trainyard.embedded import lifecycle
    from trainyard.embedded.errors import NotRunning, PlatformFailed

    now = lifecycle.status(_folder(state_dir))
    if as_json or now.running:
        _show(now, as_json)
    if not now.running:
        left = f"; {now.orphans} processes of a killed one are left, `trainyard up` or `trainyard down` ends them" if now.orphans else ""
        raise NotRunning(f"no Trainyard runs with the state folder {_folder(state_dir)}{left}; start it with `trainyard up`")
    if not now.ready:
        raise PlatformFailed("the platform is not ready")


def _folder(state_dir: Path | None) -> Path:
    return state_dir.expanduser().absolute() if state_dir else default_state_dir()


def _messages() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _show(now: Status, as_json: bool) -> None:
    config = now.config
    urls = {"api": config.url, "mlflow": config.mlflow_url, "ray_dashboard": config.ray_dashboard_url} if config and now.running else {}
    if as_json:
        content = {"running": now.running, "ready": now.ready, "urls": urls, "processes": now.processes, "parts": now.parts}
        typer.echo(json.dumps(content | {"state_dir": str(config.state_dir) if config else None}))
        return
    if config is None:
        return
    typer.echo(f"Trainyard is {'ready' if now.ready else 'not ready'}")
    typer.echo(f"  portal         {_portal(config)}")
    typer.echo(f"  API            {config.url}  (token: {config.api_token_file})")
    typer.echo(f"  MLflow         {config.mlflow_url}")
    typer.echo(f"  Ray dashboard  {config.ray_dashboard_url}  (token: {config.ray_token_file})")
    typer.echo(f"  state          {config.state_dir}")
    for name, reason in now.parts.items():
        if reason:
            typer.echo(f"  {_PARTS.get(name, name)} is not ready: {reason}")


def _portal(config: PlatformConfig) -> str:
    """Its address for whoever reads it: signed in on a terminal, without the token where the output is kept."""
    from trainyard.connection import Connection
    from trainyard.embedded.components import portal_folder

    if portal_folder() is None:
        return "not built; run ./scripts/portal, then `trainyard down` and `trainyard up`"
    if not sys.stdout.isatty():
        return f"{config.url}  (signed in: trainyard open)"
    return Connection(config.url, config.api_token_file.read_text().strip()).portal_url
