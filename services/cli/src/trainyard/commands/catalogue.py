"""`models`, `alias`, `templates`, `capacity`, `data`, `open`: what the platform has to offer."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainyard.commands.output import age, console, emit, emit_list, number, table
from trainyard.commands.shared import Json, Url, open_client
from trainyard.terminal import one_line

if TYPE_CHECKING:
    from trainyard.models import Template


def models(
    name: Annotated[str | None, typer.Option("--name", help="Only of this model.", show_default=False)] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 50,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List registered models, newest first."""
    with open_client(url) as client:
        found = client.list_models(name=name, limit=limit)
    if as_json:
        emit_list(found)
        return
    rows = (
        (
            model.name,
            model.version,
            " ".join(model.aliases),
            "  ".join(f"{key}={number(value)}" for key, value in list(model.metrics.items())[:4]),
            model.job_id,
            age(model.created_at),
            model.uri,
        )
        for model in found
    )
    table(("NAME", "VERSION", "ALIASES", "METRICS", "JOB", "CREATED", "URI"), rows, empty="no models yet")


def alias(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A registered model.", show_default=False)],
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="A name for one of its versions, e.g. champion.", show_default=False)],
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="The version to lead to.", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the alias away.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Let an alias of a model lead to a version: MLflow loads it as models:/MODEL@ALIAS."""
    from trainyard.errors import InvalidInput

    if remove == (version is not None):
        raise InvalidInput("version", "give a version or --remove, one of both", f"trainyard alias {model} {alias} 1")
    with open_client(url) as client:
        if version is None:
            client.delete_alias(model, alias)
        else:
            client.set_alias(model, alias, version)
    if as_json:
        emit({"model": model, "alias": alias, "version": version})
    else:
        typer.echo(f"{model}@{alias} is gone" if version is None else f"{model}@{alias} is version {version}")


def templates(
    name: Annotated[str | None, typer.Argument(help="Show this one's parameters.", show_default=False)] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the job kinds, or the parameters of one."""
    with open_client(url) as client:
        if name is None:
            found = client.list_templates()
            if as_json:
                emit_list(found)
            else:
                table(("NAME", "TITLE", "DESCRIPTION"), ((each.name, each.title, each.description) for each in found), empty="no templates")
            return
        template = client.get_template(name)
    if as_json:
        emit(template)
    else:
        _show_template(template)


def capacity(url: Url = None, as_json: Json = False) -> None:
    """Show what the machines have, and have free."""
    with open_client(url) as client:
        found = client.capacity()
    if as_json:
        emit(found)
        return
    rows = [
        ("CPUs", f"{found.cpus_free:g}", f"{found.cpus:g}"),
        ("GPUs", f"{found.gpus_free:g}", f"{found.gpus:g}"),
        ("memory (GiB)", f"{found.memory_gb_free:.1f}", f"{found.memory_gb:.1f}"),
    ]
    table(("", "FREE", "IN ALL"), rows, empty="")
    for warm in found.warm_clusters:
        state = "waits for" if warm.ready else "is being started for"
        size = f"{warm.workers} x {warm.cpus_per_worker:g} CPUs" + (f" + {warm.gpus_per_worker:g} GPUs" if warm.gpus_per_worker else "")
        typer.echo(one_line(f"a warm cluster ({size}) {state} a job of {warm.team}"))


def upload_data_set(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file, or a folder that is sent as a .zip.", show_default=False)],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Upload a data set, and print its id; the same bytes again are the same data set."""
    from trainyard.commands.uploads import upload_data

    with open_client(url) as client:
        found = upload_data(client, path)
    if as_json:
        emit(found)
    else:
        typer.echo(found.id)


def list_data_sets(url: Url = None, as_json: Json = False) -> None:
    """List data sets, newest first."""
    from trainyard.packing import human_bytes

    with open_client(url) as client:
        found = client.list_datasets()
    if as_json:
        emit_list(found)
        return
    rows = ((each.id, each.name, human_bytes(each.size), age(each.created_at)) for each in found)
    table(("ID", "NAME", "SIZE", "CREATED"), rows, empty="no data sets yet; send one with: trainyard data upload FILE")


def open_page(
    job_id: Annotated[str | None, typer.Argument(metavar="[JOB]", help="Id of the job.", show_default=False)] = None,
    print_only: Annotated[bool, typer.Option("--print", help="Only print the address.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Open a job's MLflow run, or without a job the portal, signed in, in the browser; prints the address, which holds the token."""
    from trainyard.connection import connect
    from trainyard.errors import Conflict

    if job_id is None:
        address = connect(url).portal_url
    else:
        with open_client(url) as client:
            job = client.get_job(job_id)
            if job.mlflow_url is None:
                raise Conflict(409, "no run", f"job {job.id} has no MLflow run yet; it gets one as soon as MLflow answers")
            address = job.mlflow_url
    if as_json:
        emit({"url": address})
    else:
        typer.echo(address)
    if sys.stdout.isatty() and not print_only and not as_json:
        import webbrowser

        webbrowser.open(address)


def _show_template(template: Template) -> None:
    from rich.text import Text

    from trainyard.parameters import type_of

    out = console()
    out.print(Text.assemble((one_line(template.title), "bold"), f"  {one_line(template.description)}"))
    out.print()
    schema = template.parameters
    rows = (
        (name, type_of(spec, schema), json.dumps(spec["default"]) if "default" in spec else "needed", spec.get("description", ""))
        for name, spec in schema.get("properties", {}).items()
    )
    table(("PARAMETER", "TYPE", "DEFAULT", "WHAT IT IS"), rows, empty="it has no parameters")
