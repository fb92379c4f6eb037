"""`--watch`: a job's states, metrics and log lines as they come, live on a terminal, as plain lines on a pipe, or as JSON lines."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import typer

from trainyard.commands.output import STATE_COLOURS, console, duration, emit, number, say
from trainyard.exit_codes import ExitCode
from trainyard.terminal import one_line, printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from trainyard.client import Client
    from trainyard.following import Item
    from trainyard.models import Event, Job, LogChunk, MetricPoint

_SHOWN_METRICS = 8
_ENDS = {"SUCCEEDED": ExitCode.OK, "FAILED": ExitCode.JOB_FAILED, "CANCELLED": ExitCode.JOB_CANCELLED}


def watch(client: Client, job: Job, *, as_json: bool, rank: str | None = None) -> ExitCode:
    """Show the job until it ends; the exit status that its last state stands for.

    Raises:
        typer.Exit: Ctrl-C; the job goes on.
        TrainyardError: the server refuses, or went away for good.
    """
    from trainyard.following import follow_job
    from trainyard.models import Job

    ended: Job | None = None
    try:
        with _view(job, as_json) as view:
            for item in follow_job(client, job.id, rank=rank):
                view.show(item)
                ended = item if isinstance(item, Job) else ended
    except KeyboardInterrupt:
        say(f"detached; job {job.id} goes on. Follow it: trainyard job --watch {job.id}   Stop it: trainyard cancel {job.id}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if ended is None:
        raise RuntimeError("the job's streams ended without it")
    if not as_json:
        _last_words(client, ended)
    return _ENDS[ended.state]


class LineSplitter:
    """Text in pieces as whole lines; the rest waits for its end."""

    def __init__(self) -> None:
        self._rest = ""

    def add(self, text: str) -> list[str]:
        """The lines that are whole now."""
        *lines, self._rest = (self._rest + text).split("\n")
        return lines

    def flush(self) -> list[str]:
        """What is left."""
        rest, self._rest = self._rest, ""
        return [rest] if rest else []


class _View(ABC):
    """Shows items of `follow_job`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    @abstractmethod
    def show(self, item: Item) -> None:
        """One more item."""


class _JsonView(_View):
    """`{"type": "event" | "log" | "metrics" | "interrupted" | "end", ...}`, one a line."""

    def show(self, item: Item) -> None:
        from trainyard.following import Interrupted
        from trainyard.models import Event, Job, LogChunk

        body: dict[str, Any]
        if isinstance(item, Job):
            body = {"type": "end", "job": item}
        elif isinstance(item, Event):
            body = {"type": "event", "event": item}
        elif isinstance(item, LogChunk):
            body = {"type": "log", "log": item}
        elif isinstance(item, Interrupted):
            body = {"type": "interrupted", "what": item.what, "reason": item.reason}
        else:
            body = {"type": "metrics", "points": item}
        emit(body)


class _TextView(_View):
    """Sorts items into lines; subclasses print them."""

    def __init__(self) -> None:
        self._splitter = LineSplitter()
        self._attempt = 1

    def show(self, item: Item) -> None:
        from trainyard.following import Interrupted
        from trainyard.models import Event, Job, LogChunk

        if isinstance(item, Event):
            self._event(item)
        elif isinstance(item, LogChunk):
            self._log(item)
        elif isinstance(item, Interrupted):
            say(f"{item.what} cannot be followed: {item.reason}")
        elif isinstance(item, Job):
            for line in self._splitter.flush():
                self.log_line(line)
        else:
            self.metrics(item)

    def _event(self, event: Event) -> None:
        if event.kind == "state":
            reason = event.detail.get("reason")
            self.state(event.name, one_line(str(reason)) if reason else None)
        elif event.kind == "stage":
            self.stage(one_line(event.name).replace("_", " "))

    def _log(self, chunk: LogChunk) -> None:
        if chunk.attempt != self._attempt:
            for line in self._splitter.flush():
                self.log_line(line)
            self._attempt = chunk.attempt
            self.note(f"attempt {chunk.attempt}")
        for line in self._splitter.add(chunk.content):
            self.log_line(line)

    @abstractmethod
    def state(self, state: str, reason: str | None) -> None:
        """The job is in another state."""

    def stage(self, stage: str) -> None:
        """A stamp of the timeline."""

    @abstractmethod
    def metrics(self, points: list[MetricPoint]) -> None:
        """New values."""

    @abstractmethod
    def log_line(self, line: str) -> None:
        """One whole line of the log."""

    @abstractmethod
    def note(self, text: str) -> None:
        """A remark of the watcher's."""


class _PlainView(_TextView):
    """Lines for a pipe or a file."""

    def state(self, state: str, reason: str | None) -> None:
        self._print(f"[{state}]{f' {reason}' if reason else ''}")

    def metrics(self, points: list[MetricPoint]) -> None:
        for line in metric_lines(points):
            self._print(f"[metrics] {line}")

    def log_line(self, line: str) -> None:
        self._print(line)

    def note(self, text: str) -> None:
        self._print(f"[{text}]")

    def _print(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


class _LiveView(_TextView):
    """Log lines scroll by; below them a line with state and time, and one with the newest figures."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        from rich.live import Live
        from rich.spinner import Spinner

        self._job, self._state, self._stage, self._since = job, str(job.state), "", monotonic()
        self._latest: dict[str, MetricPoint] = {}
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self._render, console=console(), refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._live.stop()

    def state(self, state: str, reason: str | None) -> None:
        from rich.text import Text

        self._state, self._stage = state, ""
        self._live.console.print(Text.assemble((state, f"bold {STATE_COLOURS.get(state, '')}"), f"  {reason}" if reason else ""))

    def stage(self, stage: str) -> None:
        self._stage = stage

    def metrics(self, points: list[MetricPoint]) -> None:
        self._latest.update((point.key, point) for point in points)

    def log_line(self, line: str) -> None:
        from rich.text import Text

        self._live.console.print(Text.from_ansi(printable(line, colours=True)), soft_wrap=True)

    def note(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(text, style="dim"))

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        head = Text.assemble(
            (one_line(self._job.name), "bold"),
            "  ",
            (self._state, STATE_COLOURS.get(self._state, "")),
            f"  {self._stage}" if self._stage else "",
            (f"  {duration(monotonic() - self._since)}", "dim"),
        )
        first = Table.grid(padding=(0, 1))
        first.add_row(self._spinner, head)
        figures = [point for point in self._latest.values() if not point.key.startswith("system/")]
        if not figures:
            return first
        return Group(first, Text("  " + next(iter(metric_lines(figures, newest=True))), no_wrap=True, overflow="ellipsis"))


def metric_lines(points: list[MetricPoint], *, newest: bool = False) -> list[str]:
    """`step 3  loss 0.12  accuracy 0.98`, a line for each step; with `newest` one line in all, with the highest step."""
    steps: dict[int, dict[str, float | None]] = {}
    for point in points:
        step = 0 if newest else point.step
        steps.setdefault(step, {})[one_line(point.key)] = point.value
    lines = []
    for step, values in steps.items():
        shown = list(values.items())[: _SHOWN_METRICS if newest else None]
        label = max(point.step for point in points) if newest else step
        lines.append("  ".join([f"step {label}", *(f"{key} {number(value)}" for key, value in shown)]))
    return lines


def _view(job: Job, as_json: bool) -> _View:
    if as_json:
        return _JsonView()
    return _LiveView(job) if sys.stdout.isatty() else _PlainView()


def _last_words(client: Client, job: Job) -> None:
    """How it ended, on stderr; for a failure of another rank than the one watched, its last lines too."""
    say(f"job {job.id} {job.state} after {duration(((job.finished_at or job.created_at) - job.created_at).total_seconds())}")
    if job.model:
        say(f"model: {job.model.name} version {job.model.version}")
    if job.state == "FAILED":
        if job.reason:
            say(f"reason: {one_line(job.reason)}")
        last = next(reversed(client.job_attempts(job.id)), None)
        if last and last.failed_rank not in (None, 0) and last.tail:
            say("\n".join([f"last lines of rank {last.failed_rank}:", *(f"  {line}" for line in last.tail)]))
    if job.mlflow_url:
        say(f"run: {job.mlflow_url}")
