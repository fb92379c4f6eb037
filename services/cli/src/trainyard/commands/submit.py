"""`submit`: a template with parameters, or code of the user's own."""

from __future__ import annotations

import uuid
from typing import Annotated

import typer

from trainyard.commands.output import emit, say
from trainyard.commands.shared import Data, Deadline, Image, Json, Name, Parameter, Tag, Team, Url, Watch, open_client


def submit(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TEMPLATE|PATH", help="A template, or a folder or .py file; with --git a folder of the repository.", show_default=False
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGUMENT...]", help="Arguments of the script.", show_default=False)
    ] = None,
    parameter: Parameter = None,
    config: Annotated[
        list[str] | None, typer.Option("-c", "--config", metavar="KEY=VALUE", help="Config of the function; repeat it.", show_default=False)
    ] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", metavar="FILE", help="Script of the folder to run.", show_default="train.py")
    ] = None,
    function: Annotated[
        str | None, typer.Option("--function", metavar="MODULE:NAME", help="Call this function instead of a script.", show_default=False)
    ] = None,
    git: Annotated[
        str | None,
        typer.Option("--git", metavar="URL[@REF]", help="Code from a public repository: branch, tag or commit.", show_default=False),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Training processes.", show_default="1")] = None,
    name: Name = None,
    team: Team = None,
    tag: Tag = None,
    retries: Annotated[int, typer.Option("--retries", min=0, help="More attempts after a failed one.")] = 0,
    deadline: Deadline = None,
    data: Data = None,
    image: Image = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="JOB[:STEP]", help="Start from a checkpoint of another job.", show_default=False)
    ] = None,
    keep: Annotated[int | None, typer.Option("--keep", min=1, max=100, help="How many checkpoints stay.", show_default="2")] = None,
    best: Annotated[
        str | None,
        typer.Option(
            "--best", metavar="METRIC[:max]", help="Keep the best one by this metric too; the lowest is best.", show_default=False
        ),
    ] = None,
    watch: Watch = False,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", metavar="KEY", help="The same key again makes no second job.", show_default="random")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Submit a job, and print its id.

    \b
    trainyard submit image-classification -p epochs=3 --workers 2 --watch
    trainyard submit ./my-folder --entry train.py --workers 2 -- --lr 0.1
    trainyard submit ./my-folder --function train:main -c lr=0.1
    trainyard submit . --git https://host/team/project.git@v1 --entry train.py -- --lr 0.1
    """
    from trainyard.checkpoints import policy_of, resume_of
    from trainyard.commands.uploads import data_id, progress
    from trainyard.errors import InvalidInput
    from trainyard.models import CheckpointPolicy
    from trainyard.parameters import pairs, seconds
    from trainyard.submission import Wanted, prepare

    key = idempotency_key or str(uuid.uuid4())
    if not (key.isascii() and key.isprintable() and len(key) <= 255):
        raise InvalidInput("--idempotency-key", "it is not printable ASCII of at most 255 characters", "use a UUID, or leave it out")
    wanted = Wanted(target, pairs(parameter or (), "-p"), pairs(config or (), "-c"), entry, function, workers, arguments or (), git)
    policy = policy_of(keep, best)
    tags = pairs(tag or (), "--tag")
    deadline_seconds = seconds(deadline) if deadline else None
    with open_client(url) as client:
        with prepare(client, wanted) as prepared:
            code = prepared.upload
            if prepared.code is not None:
                for note in prepared.code.notes:
                    say(note)
                with progress(prepared.code.path) as on_read:
                    code = client.upload_code(prepared.code.path, on_read=on_read).id
            job = client.submit(
                prepared.template,
                prepared.parameters,
                name=name,
                code=code,
                data=data_id(client, data),
                image=image,
                team=team,
                tags=tags,
                retries=retries,
                deadline_seconds=deadline_seconds,
                resume=resume_of(resume) if resume else None,
                checkpoints=CheckpointPolicy.model_validate(policy) if policy else None,
                idempotency_key=key,
            )
        if watch:
            from trainyard.commands.watching import watch as watch_job

            if not as_json:
                say(f"submitted {job.name} as job {job.id}")
            raise typer.Exit(watch_job(client, job, as_json=as_json))
        if as_json:
            emit(job)
        else:
            typer.echo(job.id)
            say(f"submitted {job.name}; follow it with: trainyard logs -f {job.id}")
