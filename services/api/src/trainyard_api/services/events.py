"""The timeline of a job: all of it, and live."""

from trainyard_api.services.following import Batch, StreamItem, bad_position, job_is_over
from trainyard_api.store.models import Event
from trainyard_api.store.repository import Repository

_PAGE = 1000


def all_events(repository: Repository, job_id: str) -> list[Event]:
    """Every entry, in order. Raises NotFound."""
    events: list[Event] = []
    while True:
        page = repository.list_events(job_id, after=events[-1].id if events else 0, limit=_PAGE)
        events += page
        if len(page) < _PAGE:
            return events


class EventFollower:
    """Follows a timeline."""

    def __init__(self, repository: Repository, job_id: str, position: str | None) -> None:
        """Start after the entry ``position``, or at the first. Raises NotFound, and Invalid for an id that is not of this timeline."""
        self._repository, self._job_id = repository, job_id
        self._after = 0 if position is None else self._parse(position)

    def _parse(self, position: str) -> int:
        if not (position.isascii() and position.isdigit() and len(position) <= 18):
            raise bad_position(position)
        number = int(position)
        found = self._repository.list_events(self._job_id, after=number - 1, limit=1)
        if not found or found[0].id != number:
            raise bad_position(position)
        return number

    def poll(self) -> Batch:
        """See Follower."""
        job = self._repository.get_job(self._job_id)
        over = job_is_over(self._repository, job)
        events = self._repository.list_events(self._job_id, after=self._after, limit=_PAGE)
        if events:
            self._after = events[-1].id
        ended = over and len(events) < _PAGE
        return Batch([StreamItem("event", str(event.id), event) for event in events], job if ended else None)
