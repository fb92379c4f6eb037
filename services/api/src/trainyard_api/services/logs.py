"""Reading logs of jobs: in ranges, as a whole, and live."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from trainyard_api.services.errors import Missing
from trainyard_api.services.following import Batch, StreamItem, attempt_is_over, bad_position, job_is_over
from trainyard_api.services.log_files import LogFile, log_sizes, skip_to_character, whole_part
from trainyard_api.services.platform import Platform
from trainyard_api.store.models import Attempt, Job

_PIECE_BYTES = 64 * 1024
#: How old what is known of the job and its attempt may be: the log itself is looked at more often.
_STATE_SECONDS = 0.25
_POSITION = re.compile(r"(\d{1,6}):(\d{1,12})\Z", re.ASCII)


@dataclass(frozen=True)
class LogSource:
    """One log and its size in bytes."""

    attempt: int
    rank: str
    size: int


@dataclass(frozen=True)
class LogPiece:
    """Bytes ``offset`` to ``next_offset`` as text."""

    attempt: int
    rank: str
    offset: int
    next_offset: int
    content: str


@dataclass(frozen=True)
class LogRange(LogPiece):
    """A piece and where it stands: ``complete`` says that the attempt has ended and nothing follows."""

    size: int
    complete: bool


def log_sources(platform: Platform, job_id: str, attempt: int | None) -> list[LogSource]:
    """Every log of one attempt, or of all. Raises NotFound, Missing, ObjectStoreError."""
    job = platform.repository.get_job(job_id)
    if attempt is not None:
        check_attempt(job, attempt)
    numbers = range(1, job.attempt + 1) if attempt is None else [attempt]
    return [LogSource(number, rank, size) for number in numbers for rank, size in log_sizes(platform.objects, job.id, number).items()]


def read_log(platform: Platform, job_id: str, *, attempt: int | None, rank: str, offset: int, limit: int) -> LogRange:
    """At most ``limit`` bytes from ``offset`` (from the end when negative) of the latest or the given attempt.

    Raises NotFound, Missing, ObjectStoreError.
    """
    job = platform.repository.get_job(job_id)
    number, row = _attempt(platform, job, attempt, rank)
    over = row is not None and attempt_is_over(row)
    log = LogFile(platform.objects, job.id, number, rank)
    size = log.size()
    position = max(0, size + offset) if offset < 0 else offset
    start, content = log.read(log.chunks_around(position, limit) if position < size else [], position, limit)
    if offset < 0:
        skipped = skip_to_character(content)
        start, content = start + skipped, content[skipped:]
    reaches_end = start + len(content) >= size
    length = whole_part(content, last=over and reaches_end)
    if not length and not reaches_end:
        length = len(content)  # one character is longer than the limit
    end = start + length
    return LogRange(number, rank, start, end, _text(content[:length]), size, over and end >= size)


def download_log(platform: Platform, job_id: str, *, attempt: int | None, rank: str) -> tuple[int, int, Iterator[bytes]]:
    """The attempt, the size in bytes and the content of a whole log. Raises NotFound, Missing, ObjectStoreError."""
    job = platform.repository.get_job(job_id)
    number, _ = _attempt(platform, job, attempt, rank)
    log = LogFile(platform.objects, job.id, number, rank)
    chunks = log.chunks()
    return number, sum(chunk.end - chunk.start for chunk in chunks), log.content(chunks)


class LogFollower:
    """Follows the log of one rank: of one attempt, or from the latest on into later ones."""

    def __init__(self, platform: Platform, job_id: str, *, attempt: int | None, rank: str, position: str | None) -> None:
        """Start after ``position`` or at the attempt's first byte. Raises NotFound, Missing, Invalid, ObjectStoreError."""
        self._repository, self._objects = platform.repository, platform.objects
        self._job_id, self._rank, self._only = job_id, rank, attempt
        job = self._repository.get_job(job_id)
        self._attempt, _ = _attempt(platform, job, attempt, rank)
        self._attempt = max(1, self._attempt)
        self._offset = self._chunk_start = 0
        self._state: tuple[Job, bool, bool] | None = None
        self._state_at = 0.0
        if position is not None:
            self._resume(job, position)

    def _resume(self, job: Job, position: str) -> None:
        match = _POSITION.match(position)
        if match is None:
            raise bad_position(position)
        number, offset = int(match[1]), int(match[2])
        if not 1 <= number <= max(1, job.attempt) or self._only not in (None, number):
            raise bad_position(position)
        log = self._log(number)
        if offset > log.size():
            raise bad_position(position)
        self._attempt, self._offset = number, offset
        self._chunk_start = max((chunk.start for chunk in log.chunks_around(offset, 1) if chunk.start <= offset), default=0)

    def _log(self, number: int) -> LogFile:
        return LogFile(self._objects, self._job_id, number, self._rank)

    def poll(self) -> Batch:
        """See Follower. What is known to be over is looked at before the log is read, so that nothing is missed."""
        job, over, attempt_over = self._job_state()
        items = self._read(last=attempt_over)
        if items or not attempt_over:
            return Batch(items)
        if self._only is None and job.attempt > self._attempt:
            self._attempt, self._offset, self._chunk_start, self._state = self._attempt + 1, 0, 0, None
            return Batch(self._read(last=False))
        return Batch([], job if over or self._only is not None else None)

    def _job_state(self) -> tuple[Job, bool, bool]:
        """The job, whether it is over, and whether the attempt is."""
        if self._state is None or time.monotonic() - self._state_at >= _STATE_SECONDS:
            self._state_at = time.monotonic()
            job = self._repository.get_job(self._job_id)
            row = self._repository.get_attempt(job.id, self._attempt)
            over = job_is_over(self._repository, job)
            self._state = job, over, over if row is None else attempt_is_over(row) or job.attempt > self._attempt
        return self._state

    def _read(self, *, last: bool) -> list[StreamItem]:
        log = self._log(self._attempt)
        chunks = log.chunks(since=self._chunk_start, until=self._offset + _PIECE_BYTES)
        if not chunks:
            return []
        start, content = log.read(chunks, self._offset, _PIECE_BYTES)
        reaches_end = start + len(content) >= chunks[-1].end
        length = whole_part(content, last=last and reaches_end)
        if not length:
            return []
        self._offset = start + length
        self._chunk_start = max((chunk.start for chunk in chunks if chunk.start <= self._offset), default=self._chunk_start)
        piece = LogPiece(self._attempt, self._rank, start, self._offset, _text(content[:length]))
        return [StreamItem("log", f"{self._attempt}:{self._offset}", piece)]


def _attempt(platform: Platform, job: Job, attempt: int | None, rank: str) -> tuple[int, Attempt | None]:
    """The number and row of the attempt to read: the given one, or the latest. Raises Missing."""
    number = job.attempt if attempt is None else attempt
    if attempt is not None:
        check_attempt(job, attempt)
    row = platform.repository.get_attempt(job.id, number) if number else None
    if row is not None and rank != "driver" and int(rank) >= row.workers:
        raise Missing(f"attempt {number} of job {job.id} has {row.workers} workers; there is no rank {rank}")
    return number, row


def check_attempt(job: Job, attempt: int) -> None:
    """Raise Missing unless the job may have had this attempt."""
    if attempt > max(1, job.attempt):
        raise Missing(f"job {job.id} has had {job.attempt} attempts; there is no attempt {attempt}")


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
