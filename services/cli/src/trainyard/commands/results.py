"""`checkpoints`, `artifacts`, `code`: what a job was made of and what it left, to look at and to download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainyard.commands.output import age, emit, emit_list, number, say, table
from trainyard.commands.shared import JobId, Json, Url, open_client

if TYPE_CHECKING:
    from trainyard.client import Client
    from trainyard.models import Artifact, Checkpoint

To = Annotated[Path | None, typer.Option("--download", metavar="TO", help="Save it as this file, or in this folder.", show_default=False)]


def checkpoints(
    job_id: JobId,
    download: To = None,
    step: Annotated[int | None, typer.Option("--step", min=0, help="With --download: which one.", show_default="the newest")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List a job's checkpoints, newest first, or download one as a .zip."""
    from trainyard.packing import human_bytes

    with open_client(url) as client:
        found = client.list_checkpoints(job_id)
        if download is not None:
            _download_checkpoint(client, job_id, found, step, download, as_json)
            return
    if as_json:
        emit_list(found)
        return
    rows = (
        (
            each.step,
            " ".join(word for word, is_it in (("latest", each.latest), ("best", each.best)) if is_it),
            age(each.created_at),
            each.attempt,
            human_bytes(each.size),
            "  ".join(f"{key}={number(value)}" for key, value in list(each.metrics.items())[:4]),
        )
        for each in found
    )
    table(("STEP", "", "SAVED", "ATTEMPT", "SIZE", "METRICS"), rows, empty=f"job {job_id} has no whole checkpoint")


def artifacts(
    job_id: JobId,
    path: Annotated[str, typer.Argument(metavar="[PATH]", help="A folder or file of the run.", show_default=False)] = "",
    download: To = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the files of a job's MLflow run, or download a file or a whole folder."""
    from trainyard.packing import human_bytes

    with open_client(url) as client:
        found = client.list_artifacts(job_id, path)
        if download is not None:
            _download_artifacts(client, job_id, path, found, download, as_json)
            return
    if as_json:
        emit_list(found)
        return
    rows = ((f"{each.name}/" if each.is_dir else each.name, "" if each.size is None else human_bytes(each.size)) for each in found)
    table(("NAME", "SIZE"), rows, empty=f"no files{f' in {path}' if path else ''}")


def code(job_id: JobId, download: To = None, url: Url = None, as_json: Json = False) -> None:
    """Show the code that a job runs, or download it as a .zip."""
    from trainyard.errors import Conflict
    from trainyard.packing import human_bytes
    from trainyard.saving import save

    with open_client(url) as client:
        job = client.get_job(job_id)
        if job.code is None:
            raise Conflict(409, "no code", f"job {job.id} runs the code of its template, {job.template}")
        upload = client.get_code(job.code)
        if download is not None:
            _saved([save(client.download_code(upload.id), download, upload.name)], as_json)
            return
    if as_json:
        emit(upload)
        return
    typer.echo(f"{upload.id}  {upload.name}  {human_bytes(upload.size)}")
    if upload.source is not None:
        typer.echo(f"from {upload.source.url} at {upload.source.commit}")
    for name in upload.files:
        typer.echo(f"  {name}")


def _download_checkpoint(client: Client, job_id: str, found: list[Checkpoint], step: int | None, target: Path, as_json: bool) -> None:
    from trainyard.errors import NotFound
    from trainyard.saving import save

    if step is None:
        if not found:
            raise NotFound(404, "no checkpoint", f"job {job_id} has no whole checkpoint")
        step = found[0].step
    _saved([save(client.download_checkpoint(job_id, step), target, f"{job_id}-step-{step}.zip")], as_json)


def _download_artifacts(client: Client, job_id: str, path: str, found: list[Artifact], target: Path, as_json: bool) -> None:
    from trainyard.errors import NotFound
    from trainyard.saving import below, save

    if not found and path:  # not a folder
        _saved([save(client.download_artifact(job_id, path), target, path.rpartition("/")[2])], as_json)
        return
    top = f"{path.rstrip('/')}/" if path else ""
    saved = []
    for file in _files(client, job_id, found):
        place = below(target, file.path.removeprefix(top))
        saved.append(save(client.download_artifact(job_id, file.path), place, file.name))
    if not saved:
        raise NotFound(404, "no artifacts", f"the run of job {job_id} holds no files")
    _saved(saved, as_json)


def _files(client: Client, job_id: str, entries: list[Artifact]) -> Iterator[Artifact]:
    for entry in entries:
        if entry.is_dir:
            yield from _files(client, job_id, client.list_artifacts(job_id, entry.path))
        else:
            yield entry


def _saved(paths: list[Path], as_json: bool) -> None:
    if as_json:
        emit({"files": [str(path) for path in paths]})
        return
    for path in paths:
        typer.echo(str(path))
    say(f"saved {len(paths)} file{'' if len(paths) == 1 else 's'}")
