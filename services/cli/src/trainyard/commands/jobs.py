"""`jobs`, `job`, `cancel`, `retry`, `clone`, `resume`, `delete`: look at jobs, and change what becomes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trainyard.commands.output import age, console, emit, emit_list, say, span, state_cell, table
from trainyard.commands.shared import Data, Deadline, Image, JobId, Json, Name, Parameter, Tag, Team, Url, Watch, open_client
from trainyard.states import JobState
from trainyard.terminal import one_line, printable

if TYPE_CHECKING:
    from trainyard.client import Client
    from trainyard.models import Attempt, Event, Job

#: Seconds since before there was a Trainyard.
_LONG_AGO = 10 * 365 * 24 * 3600


def jobs(
    state: Annotated[
        list[JobState] | None, typer.Option("--state", case_sensitive=False, help="In this state; repeat it for more.", show_default=False)
    ] = None,
    template: Annotated[str | None, typer.Option("--template", help="Of this job kind.", show_default=False)] = None,
    team: Annotated[str | None, typer.Option("--team", help="Of this team.", show_default=False)] = None,
    tag: Tag = None,
    query: Annotated[str | None, typer.Option("--query", "-q", help="With this text in the name.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME", help="Submitted in the last so long, e.g. 2h or 7d.", show_default=False)
    ] = None,
    sort: Annotated[str, typer.Option("--sort", help="created_at, name or state; - in front for descending.")] = "-created_at",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most this many.")] = 50,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    from trainyard.parameters import pairs, seconds

    tags = pairs(tag or (), "--tag")
    after = datetime.now(UTC) - timedelta(seconds=min(seconds(since, "--since"), _LONG_AGO)) if since else None
    with open_client(url) as client:
        found = client.list_jobs(
            states=state or (),
            template=template,
            team=team,
            tags=tags,
            query=query,
            created_after=after,
            sort=sort,
            page_size=min(limit + 1, 100),
        )
        shown = list(islice(found, limit + 1))
    if as_json:
        emit_list(shown[:limit])
        return
    rows = [
        (
            job.id,
            state_cell(job.state),
            job.name,
            job.template,
            job.resources.get("workers"),
            age(job.created_at),
            span(job.started_at, job.finished_at),
            (job.reason or "")[:80],
        )
        for job in shown[:limit]
    ]
    table(("ID", "STATE", "NAME", "TEMPLATE", "WORKERS", "CREATED", "TOOK", "REASON"), rows, empty="no jobs")
    if len(shown) > limit:
        say(f"there are more; see them with --limit {limit * 2}")


def job(job_id: JobId, watch: Watch = False, url: Url = None, as_json: Json = False) -> None:
    """Show one job: its state and why, its timeline, attempts, and the last lines of the rank that failed."""
    with open_client(url) as client:
        if watch:
            from trainyard.commands.watching import watch as watch_job

            raise typer.Exit(watch_job(client, client.get_job(job_id), as_json=as_json))
        found, attempts, events = client.get_job(job_id), client.job_attempts(job_id), client.job_events(job_id)
    if as_json:
        emit({**found.model_dump(), "attempts": attempts, "events": events})
        return
    _show_job(found)
    _show_timeline(found, events)
    _show_attempts(attempts)


def cancel(job_id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Stop a job."""
    with open_client(url) as client:
        found = client.cancel_job(job_id)
    _answer(found, f"job {found.id} is {found.state}" if found.state.ended else f"job {found.id} is being stopped", as_json)


def retry(job_id: JobId, watch: Watch = False, url: Url = None, as_json: Json = False) -> None:
    """Run a failed or cancelled job again, from its last checkpoint."""
    with open_client(url) as client:
        found = client.retry_job(job_id)
        _answer_or_watch(client, found, f"job {found.id} will run again", watch, as_json)


def clone(
    job_id: JobId,
    parameter: Parameter = None,
    name: Name = None,
    team: Team = None,
    tag: Tag = None,
    retries: Annotated[int | None, typer.Option("--retries", min=0, help="More attempts after a failed one.", show_default=False)] = None,
    deadline: Deadline = None,
    data: Data = None,
    image: Image = None,
    watch: Watch = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Submit a job like another one, with the changes given; prints the new id."""
    from trainyard.commands.uploads import data_id
    from trainyard.parameters import pairs, seconds, typed_parameters

    texts, tags = pairs(parameter or (), "-p"), pairs(tag or (), "--tag")
    changes: dict[str, Any] = {"name": name, "team": team, "image": image, "retries": retries}
    changes["deadline_seconds"] = seconds(deadline) if deadline else None
    with open_client(url) as client:
        old = client.get_job(job_id)
        if texts:
            changes["parameters"] = typed_parameters(texts, client.get_template(old.template).parameters, template=old.template)
        if tags:
            changes["tags"] = {**old.tags, **tags}
        changes["data"] = data_id(client, data)
        _submitted(client, client.clone_job(job_id, {key: value for key, value in changes.items() if value is not None}), watch, as_json)


def resume(
    job_id: JobId,
    step: Annotated[int | None, typer.Option("--step", min=0, help="The step of the checkpoint.", show_default="the newest")] = None,
    watch: Watch = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Submit a job like another one that starts from one of its checkpoints; prints the new id."""
    with open_client(url) as client:
        _submitted(client, client.clone_job(job_id, {"resume": {"job": job_id, "step": step}}), watch, as_json)


def delete(job_id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Remove an ended job with its logs and checkpoints; its MLflow run and models stay."""
    with open_client(url) as client:
        client.delete_job(job_id)
    if as_json:
        emit({"id": job_id, "deleted": True})
    else:
        typer.echo(f"deleted job {job_id}")


def _answer(found: Job, sentence: str, as_json: bool) -> None:
    if as_json:
        emit(found)
    else:
        typer.echo(sentence)


def _submitted(client: Client, new: Job, watch: bool, as_json: bool) -> None:
    if watch or as_json:
        _answer_or_watch(client, new, f"submitted {new.name} as job {new.id}", watch, as_json)
    else:
        typer.echo(new.id)
        say(f"submitted {new.name}; follow it with: trainyard logs -f {new.id}")


def _answer_or_watch(client: Client, found: Job, sentence: str, watch: bool, as_json: bool) -> None:
    if not watch:
        _answer(found, sentence, as_json)
        return
    from trainyard.commands.watching import watch as watch_job

    if not as_json:
        say(sentence)
    raise typer.Exit(watch_job(client, found, as_json=as_json))


def _show_job(job: Job) -> None:
    from rich.text import Text

    out = console()
    text, style = state_cell(job.state)
    out.print(Text.assemble((one_line(job.name), "bold"), "  ", (text, style), "  ", (job.id, "dim")))
    resources = job.resources
    asked = [f"{resources.get('workers', 1)} workers", f"{resources.get('cpus_per_worker', 1):g} CPUs each"]
    if resources.get("gpus_per_worker"):
        asked.append(f"{resources['gpus_per_worker']:g} GPUs each")
    rows = [
        ("reason", job.reason),
        ("template", job.template),
        ("team", job.team),
        ("created", f"{job.created_at:%Y-%m-%d %H:%M:%S} UTC ({age(job.created_at)})"),
        ("ran", span(job.started_at, job.finished_at)),
        ("resources", ", ".join(asked)),
        ("parameters", "  ".join(f"{key}={value}" for key, value in job.parameters.items())),
        ("tags", "  ".join(f"{key}={value}" for key, value in job.tags.items())),
        ("data", job.data),
        ("resumed", f"from step {job.resume.step} of job {job.resume.job}" if job.resume else None),
        ("model", f"{job.model.name} version {job.model.version}" if job.model else None),
        ("MLflow run", job.mlflow_url),
    ]
    for label, value in rows:
        if value:
            out.print(Text.assemble((f"{label:<12}", "dim"), one_line(value)))


def _show_timeline(job: Job, events: list[Event]) -> None:
    if not events:
        return
    console().print()
    rows = [
        (
            f"+{max(0.0, (event.time - job.created_at).total_seconds()):.2f}s",
            event.attempt or "",
            state_cell(event.name) if event.kind == "state" else event.name.replace("_", " "),
            "  ".join(f"{key}={value}" for key, value in event.detail.items() if value is not None and key != "from"),
        )
        for event in events
        if event.kind != "heartbeat"
    ]
    table(("TIME", "ATTEMPT", "EVENT", "DETAIL"), rows, empty="")


def _show_attempts(attempts: list[Attempt]) -> None:
    if not attempts:
        return
    from rich.text import Text

    out = console()
    out.print()
    rows = [
        (
            attempt.number,
            "" if attempt.workers is None else attempt.workers,
            (attempt.outcome or "runs", {"failed": "red", "succeeded": "green"}.get(attempt.outcome or "", "")),
            span(attempt.created_at, attempt.finished_at),
            (attempt.failure_kind or "").replace("_", " "),
            "" if attempt.failed_rank is None else attempt.failed_rank,
            attempt.reason,
        )
        for attempt in attempts
    ]
    table(("ATTEMPT", "WORKERS", "OUTCOME", "TOOK", "CAUSE", "FAILED RANK", "REASON"), rows, empty="")
    last = attempts[-1]
    if last.outcome == "failed" and last.tail:
        out.print()
        out.print(Text(f"last lines{'' if last.failed_rank is None else f' of rank {last.failed_rank}'}:", style="dim"))
        for line in last.tail:
            out.print(Text(f"  {printable(line)}"), soft_wrap=True)
