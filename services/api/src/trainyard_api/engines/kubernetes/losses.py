"""What attempts lost: remembered here, because KubeRay removes such pods, and puts others in their place, within moments."""

from __future__ import annotations

from trainyard_api.engines.kubernetes.api import Object
from trainyard_api.engines.kubernetes.names import STOPPED
from trainyard_api.engines.kubernetes.pods import Loss, false_start_of, loss_of
from trainyard_api.engines.kubernetes.status import started_at

#: A head that ends so often before its job starts would do so for ever.
_FALSE_STARTS = 3

Attempt = tuple[str, str]


class Losses:
    """Those of one namespace. Pods are looked at in the informer's thread; the rest may be asked from any."""

    def __init__(self) -> None:
        self._known: dict[Attempt, Loss] = {}
        #: The uids of heads that ended before the job started.
        self._false_starts: dict[Attempt, set[str]] = {}

    def look(self, attempt: Attempt, pod: Object, rayjob: Object | None) -> None:
        """Take note of what the pod's status means for its attempt."""
        if attempt in self._known or rayjob is None or _is_stopped(rayjob):
            return
        loss = lost(pod, rayjob)
        false_start = false_start_of(pod) if started_at(rayjob) is None else None
        if false_start is not None:
            seen = self._false_starts.setdefault(attempt, set())
            seen.add(pod["metadata"]["uid"])
            loss = false_start if len(seen) >= _FALSE_STARTS else None
        if loss is not None:
            self._known[attempt] = loss

    def of(self, attempt: Attempt) -> Loss | None:
        """Why the attempt cannot succeed any more, or None."""
        return self._known.get(attempt)

    def forget(self, attempt: Attempt) -> None:
        """The attempt is over."""
        self._known.pop(attempt, None)
        self._false_starts.pop(attempt, None)


def lost(pod: Object, rayjob: Object) -> Loss | None:
    """Why the pod is lost to its job; nothing is lost of a job that has ended or is being stopped."""
    return None if _is_stopped(rayjob) else loss_of(pod, started_at(rayjob))


def _is_stopped(rayjob: Object) -> bool:
    return STOPPED in (rayjob["metadata"].get("annotations") or {})
