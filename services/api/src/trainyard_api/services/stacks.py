"""Stack dumps that the trainer keeps of ranks that hung."""

import re
from dataclasses import dataclass

from trainyard_api.services.logs import check_attempt
from trainyard_api.services.platform import Platform

_FILE = re.compile(r"rank-(\d{1,6})\.txt\Z", re.ASCII)
#: Of one rank; more is no stack of Python's.
_LONGEST = 256 * 1024


@dataclass(frozen=True)
class Stack:
    """Where the threads of one rank stood."""

    attempt: int
    rank: int
    content: str


def read_stacks(platform: Platform, job_id: str, attempt: int | None) -> list[Stack]:
    """The dumps of one attempt, or of all. Raises NotFound, Missing, ObjectStoreError."""
    job = platform.repository.get_job(job_id)
    if attempt is not None:
        check_attempt(job, attempt)
    found = []
    for number in range(1, job.attempt + 1) if attempt is None else [attempt]:
        prefix = f"jobs/{job.id}/attempts/{number}/stacks/"
        for info in platform.objects.list(prefix):
            match = _FILE.match(info.key.removeprefix(prefix))
            if match:
                text = platform.objects.get_bytes(info.key, length=_LONGEST).decode(errors="replace")
                found.append(Stack(number, int(match[1]), text))
    return sorted(found, key=lambda stack: (stack.attempt, stack.rank))
