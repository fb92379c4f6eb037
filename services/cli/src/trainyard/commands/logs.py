"""`logs` and `metrics`: what a job printed and measured, so far or as it comes."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Annotated

import typer

from trainyard.commands.output import emit, number, say, table
from trainyard.commands.shared import JobId, Json, Rank, Url, open_client
from trainyard.exit_codes import ExitCode
from trainyard.terminal import printable

if TYPE_CHECKING:
    from trainyard.client import Client
    from trainyard.models import LogRange, Series

_PART_BYTES = 1 << 20
_BYTES_PER_LINE = 200  # a first guess at how far back some lines reach
_BARS = "▁▂▃▄▅▆▇█"
_BAR_COUNT = 24

Attempt = Annotated[int | None, typer.Option("--attempt", min=1, help="Of this attempt.", show_default="the latest; with -f: all")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as more comes, until the job ends.")]


def logs(
    job_id: JobId,
    follow: Follow = False,
    rank: Rank = None,
    attempt: Attempt = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines.", show_default="all")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print a job's log."""
    with open_client(url) as client:
        rank = _rank(client, job_id, rank, attempt, follow)
        resume = None
        if tail is not None:
            part = _last_lines(client, job_id, rank, attempt, tail)
            resume = f"{part.attempt}:{part.next_offset}"
            if as_json:
                emit(part)
            else:
                _write(part.content)
        if follow:
            _follow(client, job_id, rank, attempt, resume, as_json)
        elif tail is None:
            _whole(client, job_id, rank, attempt, as_json)


def metrics(
    job_id: JobId,
    follow: Follow = False,
    key: Annotated[list[str] | None, typer.Option("--key", "-k", help="Only this metric; repeat it.", show_default=False)] = None,
    points: Annotated[int, typer.Option("--points", min=2, help="At most this many points of each, with --json.")] = 500,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print a job's metrics."""
    with open_client(url) as client:
        if not follow:
            found = client.get_metrics(job_id, keys=key or (), points=points)
            if as_json:
                emit(found)
            else:
                columns = ("METRIC", "POINTS", "STEP", "FIRST", "LAST", "LOWEST", "HIGHEST", "")
                table(columns, map(_summary, found.series), empty="no metrics yet")
            return
        from trainyard.commands.watching import metric_lines
        from trainyard.models import Job

        with _detachable(job_id):
            for item in client.stream_metrics(job_id, keys=key or ()):
                if isinstance(item, Job):
                    break
                if as_json:
                    emit({"points": item})
                else:
                    for line in metric_lines(item):
                        _write(line + "\n")


def _rank(client: Client, job_id: str, rank: str | None, attempt: int | None, follow: bool) -> str | None:
    """The rank that was asked for; without one, the driver's log where a finished attempt has no other."""
    if rank is not None or follow:
        return rank
    sources = client.log_sources(job_id, attempt=attempt)
    latest = [source.rank for source in sources if source.attempt == max(each.attempt for each in sources)]
    if latest == ["driver"]:
        say("no rank has written anything; this is the driver's log")
        return "driver"
    return None


def _whole(client: Client, job_id: str, rank: str | None, attempt: int | None, as_json: bool) -> None:
    """The log as it is: byte for byte on a pipe, decoded and made safe on a terminal."""
    if as_json:
        emit(_to_end(client, job_id, rank, attempt, 0))
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for part_bytes in client.download_log(job_id, attempt=attempt, rank=rank):
        if sys.stdout.isatty():
            _write(decoder.decode(part_bytes))
        else:
            sys.stdout.buffer.write(part_bytes)
    sys.stdout.flush()


def _to_end(client: Client, job_id: str, rank: str | None, attempt: int | None, offset: int) -> LogRange:
    """The log from a byte on, or its last bytes, as one range."""
    first = part = client.read_log(job_id, attempt=attempt, rank=rank, offset=offset, limit=_PART_BYTES)
    content = [part.content]
    while part.next_offset < part.size and part.next_offset > part.offset:
        part = client.read_log(job_id, attempt=part.attempt, rank=part.rank, offset=part.next_offset, limit=_PART_BYTES)
        content.append(part.content)
    return part.model_copy(update={"offset": first.offset, "content": "".join(content)})


def _last_lines(client: Client, job_id: str, rank: str | None, attempt: int | None, count: int) -> LogRange:
    """The log's last lines, reading backwards further and further until there are enough."""
    reach = max(1, count) * _BYTES_PER_LINE
    while True:
        part = _to_end(client, job_id, rank, attempt, -reach)
        lines = StringIO(part.content, newline="\n").readlines()
        whole = lines if part.offset == 0 else lines[1:]
        if len(whole) >= count or part.offset == 0:
            return part.model_copy(update={"content": "".join(whole[-count:] if count else [])})
        reach *= 4


def _follow(client: Client, job_id: str, rank: str | None, attempt: int | None, resume: str | None, as_json: bool) -> None:
    from trainyard.models import Job

    current: int | None = None
    with _detachable(job_id):
        for item in client.stream_logs(job_id, attempt=attempt, rank=rank, last_event_id=resume):
            if isinstance(item, Job):
                if not as_json:
                    say(f"job {job_id} {item.state}")
                break
            if as_json:
                emit(item)
                continue
            if current is not None and item.attempt != current:
                say(f"attempt {item.attempt}")
            current = item.attempt
            _write(item.content)


@contextmanager
def _detachable(job_id: str) -> Iterator[None]:
    """Turns Ctrl-C into a remark and the exit status of an interruption."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"detached; job {job_id} goes on")
        raise typer.Exit(ExitCode.INTERRUPTED) from None


def _write(text: str) -> None:
    """Log text on stdout: made safe for a terminal, untouched on a pipe."""
    sys.stdout.write(printable(text, colours=True) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def _summary(series: Series) -> tuple[object, ...]:
    figures = [value for value in series.values if value is not None]
    ends = [number(series.values[0]), number(series.values[-1])] if series.values else ["", ""]
    extremes = [number(min(figures)), number(max(figures))] if figures else ["", ""]
    return (series.key, series.count, series.steps[-1] if series.steps else "", *ends, *extremes, _sparkline(figures))


def _sparkline(values: list[float]) -> str:
    """The course of the values in a few characters."""
    if len(values) < 3:
        return ""
    step = max(1.0, len(values) / _BAR_COUNT)
    picked = [values[min(len(values) - 1, int(index * step))] for index in range(min(len(values), _BAR_COUNT))]
    low, high = min(picked), max(picked)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * scale)] for value in picked)
