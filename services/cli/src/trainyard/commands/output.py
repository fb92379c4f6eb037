"""What commands print: results on stdout, messages on stderr, JSON where asked for, and nothing of a user's text taken as markup."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from trainyard.terminal import one_line, printable

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

STATE_COLOURS = {
    "QUEUED": "cyan",
    "STARTING": "blue",
    "RUNNING": "bright_blue",
    "RETRYING": "yellow",
    "SUCCEEDED": "green",
    "FAILED": "red",
    "CANCELLED": "magenta",
}


def say(message: str) -> None:
    """A message for people, on stderr."""
    typer.echo(printable(message), err=True)


def emit(value: BaseModel | dict[str, Any]) -> None:
    """One JSON document in one line, on stdout, and at once."""
    from pydantic_core import to_json

    sys.stdout.write(to_json(value).decode() + "\n")
    sys.stdout.flush()


def emit_list(items: Iterable[BaseModel]) -> None:
    """A list as the API gives it: `{"items": [...]}`."""
    emit({"items": list(items)})


def console(*, stderr: bool = False) -> Console:
    """A rich console that takes text as it is; on a pipe it does not break lines."""
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    stream = sys.stderr if stderr else sys.stdout
    return PlainConsole(stderr=stderr, markup=False, highlight=False, emoji=False, width=None if stream.isatty() else 1000)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows below their titles; `empty` is said on stderr when there are none. A cell `(text, style)` is coloured."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold", no_wrap=column in ("ID", "STATE"))
    count = 0
    for count, row in enumerate(rows, 1):  # noqa: B007 - counts a one-time iterable
        cells = (cell if isinstance(cell, tuple) else (cell, "") for cell in row)
        grid.add_row(*(Text(one_line("" if cell is None else str(cell)), style=style) for cell, style in cells))
    if count:
        console().print(grid)
    else:
        say(empty)


def state_cell(state: str) -> tuple[str, str]:
    """A state with its colour, for `table`."""
    return state, STATE_COLOURS.get(state, "")


def number(value: float | None) -> str:
    """A figure in at most six significant digits."""
    return "nan" if value is None else f"{value:.6g}"


def duration(seconds: float) -> str:
    """A time span: 75.2 is "1m 15s"."""
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {rest}s"


def age(moment: datetime | None) -> str:
    """How long ago a moment was."""
    return "" if moment is None else f"{duration(max(0.0, (datetime.now(UTC) - moment).total_seconds()))} ago"


def span(start: datetime | None, end: datetime | None) -> str:
    """From start to end, or to now."""
    return "" if start is None else duration(max(0.0, ((end or datetime.now(UTC)) - start).total_seconds()))
