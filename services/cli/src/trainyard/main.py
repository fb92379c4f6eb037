"""The `trainyard` command: its commands, and the way from an error to a message and an exit status."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from trainyard.errors import TrainyardError
from trainyard.exit_codes import ExitCode, epilog


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, by default the process's; the exit status (`trainyard.exit_codes`)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a log may hold characters that the terminal's encoding lacks
    command = typer.main.get_command(_app())
    try:
        command.main(args=None if arguments is None else list(arguments), prog_name="trainyard")
        sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except TrainyardError as error:
        _report(error)
        return int(error.exit_code)
    return int(ExitCode.OK)


def _app() -> typer.Typer:
    """The commands. Modules behind them import what is slow to import when they run."""
    from trainyard.commands import catalogue, jobs, logs, platform, results, submit

    app = typer.Typer(
        help="Trainyard: distributed PyTorch training. Start it on this machine with `trainyard up`.",
        epilog=epilog(),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        callback=_version_callback,
    )
    for function in (
        platform.up,
        platform.down,
        platform.status,
        submit.submit,
        jobs.jobs,
        jobs.job,
        logs.logs,
        logs.metrics,
        jobs.cancel,
        jobs.retry,
        jobs.clone,
        jobs.resume,
        jobs.delete,
        results.checkpoints,
        results.artifacts,
        results.code,
        catalogue.models,
        catalogue.alias,
        catalogue.templates,
        catalogue.capacity,
    ):
        app.command(epilog=epilog())(_while_read(function))
    app.command("open", epilog=epilog())(_while_read(catalogue.open_page))
    data = typer.Typer(help="Send data sets, and list them.", epilog=epilog(), no_args_is_help=True, rich_markup_mode=None)
    data.command("upload", epilog=epilog())(_while_read(catalogue.upload_data_set))
    data.command("list", epilog=epilog())(_while_read(catalogue.list_data_sets))
    app.add_typer(data, name="data")
    return app


def _while_read(function: Callable[..., None]) -> Callable[..., None]:
    """The command, ending quietly when the reader of its output goes away, as `head` does."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            function(*arguments, **options)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still buffered goes nowhere
            raise typer.Exit(ExitCode.BROKEN_PIPE) from None

    return run


def _show_version(wanted: bool) -> None:
    if wanted:
        from trainyard import __version__

        typer.echo(__version__)
        raise typer.Exit


def _version_callback(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options before the command."""


def _report(error: TrainyardError) -> None:
    """One line for each problem, on stderr."""
    from trainyard.terminal import printable

    for line in str(error).splitlines():
        typer.echo(f"error: {printable(line)}", err=True)
