"""A log as the trainer ships it: chunks in the object store, each named by the offset of its first byte."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trainyard_api.objects import ObjectStore
from trainyard_api.objects.base import numbered

_DIGITS, _SUFFIX = 12, ".log"
_CHUNK = numbered("", _DIGITS, _SUFFIX)
#: What a trainer puts into a chunk at the most.
CHUNK_BYTES = 1 << 20
#: Chunks listed at a time; the rest of a rank's that has more is passed over where only its end is asked for.
_LISTED = 1000
_RANK = re.compile(r"rank-(driver|\d{1,6})\Z")


@dataclass(frozen=True)
class Chunk:
    """Bytes ``start`` to ``end`` of a log; the object may hold more, which then is in the next chunk as well."""

    key: str
    start: int
    end: int


@dataclass(frozen=True)
class LogFile:
    """The log of one rank of one attempt. ``rank`` is a number or "driver"."""

    objects: ObjectStore
    job_id: str
    attempt: int
    rank: str

    @property
    def prefix(self) -> str:
        """Where its chunks are."""
        return f"{logs_prefix(self.job_id, self.attempt)}rank-{self.rank}/"

    def size(self) -> int:
        """Bytes up to the end of the last chunk. Raises ObjectStoreError."""
        last = self.objects.last_numbered(self.prefix, _DIGITS, _SUFFIX)
        return 0 if last is None else int(last.key.removeprefix(self.prefix)[:_DIGITS]) + last.size

    def chunks(self, *, since: int = 0, until: int | None = None) -> list[Chunk]:
        """The chunks in order, from the first that starts at byte ``since`` or later to the first that starts at ``until`` or later.

        Raises ObjectStoreError.
        """
        after = f"{self.prefix}{since - 1:0{_DIGITS}d}{_SUFFIX}" if since > 0 else ""
        found = []
        for info in self.objects.list(self.prefix, after=after):
            match = _CHUNK.match(info.key.removeprefix(self.prefix))
            if match:
                found.append((info.key, int(match[1]), info.size))
                if until is not None and found[-1][1] >= until:
                    break
        starts = [start for _, start, _ in found[1:]]
        ends = [min(start + size, following) for (_, start, size), following in zip(found, [*starts, 10**13], strict=False)]
        return [Chunk(key, start, end) for (key, start, _), end in zip(found, ends, strict=True)]

    def chunks_around(self, offset: int, limit: int) -> list[Chunk]:
        """Those that may hold some of ``limit`` bytes from ``offset`` on, or the next one there is. Raises ObjectStoreError."""
        since = max(0, offset - CHUNK_BYTES)
        chunks = self.chunks(since=since, until=offset + limit)
        if since and (not chunks or chunks[0].start > offset):  # a larger chunk, or one that was never shipped
            chunks = self.chunks(until=offset + limit)
        return chunks

    def read(self, chunks: Sequence[Chunk], offset: int, limit: int) -> tuple[int, bytes]:
        """At most ``limit`` bytes from ``offset`` on and where they really start: later, when the bytes at ``offset`` were never shipped.

        Only the chunks that hold them are read. Raises ObjectStoreError.
        """
        first = max(0, bisect_right([chunk.start for chunk in chunks], offset) - 1)
        start, content = offset, bytearray()
        for chunk in chunks[first:]:
            position = start + len(content)
            if chunk.end <= position:
                continue
            if chunk.start > position:
                if content:
                    break
                start = position = chunk.start
            length = min(chunk.end - position, limit - len(content))
            content += self.objects.get_bytes(chunk.key, start=position - chunk.start, length=length)
            if len(content) >= limit or start + len(content) < chunk.end:
                break
        return start, bytes(content)

    def content(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """Everything in these chunks, one after the other. Raises ObjectStoreError."""
        for chunk in chunks:
            yield self.objects.get_bytes(chunk.key, length=chunk.end - chunk.start)


def logs_prefix(job_id: str, attempt: int) -> str:
    """Where the logs of an attempt are."""
    return f"jobs/{job_id}/attempts/{attempt}/logs/"


def log_sizes(objects: ObjectStore, job_id: str, attempt: int) -> dict[str, int]:
    """Size in bytes of every log of the attempt by rank: numbers first, the driver last. Raises ObjectStoreError."""
    prefix, sizes, after = logs_prefix(job_id, attempt), dict[str, int](), ""
    while True:
        page = list(objects.list(prefix, after=after, limit=_LISTED))
        for info in page:
            folder, _, name = info.key.removeprefix(prefix).partition("/")
            rank, chunk = _RANK.match(folder), _CHUNK.match(name)
            if rank and chunk:
                sizes[rank[1]] = max(sizes.get(rank[1], 0), int(chunk[1]) + info.size)
        if len(page) < _LISTED:
            break
        after = page[-1].key
        if rank:
            log = LogFile(objects, job_id, attempt, rank[1])
            sizes[rank[1]] = log.size()
            after = max(after, f"{log.prefix}~")
    return dict(sorted(sizes.items(), key=lambda item: (item[0] == "driver", item[0].zfill(6))))


def whole_part(content: bytes, *, last: bool) -> int:
    """How many of these bytes to hand out: up to the end of a line where there is one, else of a character.

    ``last`` says that nothing follows them, so that all of them are handed out.
    """
    if last:
        return len(content)
    line = content.rfind(b"\n") + 1
    return line or len(content) - _begun_character(content)


def skip_to_character(content: bytes) -> int:
    """How many bytes at the start belong to a character that began before."""
    skipped = 0
    while skipped < min(3, len(content)) and content[skipped] & 0xC0 == 0x80:
        skipped += 1
    return skipped


def _begun_character(content: bytes) -> int:
    """How many bytes at the end are the start of a UTF-8 character of which the rest is missing."""
    for length in range(1, min(3, len(content)) + 1):
        byte = content[-length]
        if byte & 0xC0 != 0x80:
            needed = 2 if byte & 0xE0 == 0xC0 else 3 if byte & 0xF0 == 0xE0 else 4 if byte & 0xF8 == 0xF0 else 1
            return length if needed > length else 0
    return 0
