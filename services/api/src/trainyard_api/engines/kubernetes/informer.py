"""A local copy of one kind of object, kept up to date by a watch that survives expiry, broken connections and API server restarts."""

from __future__ import annotations

import logging
import random
import threading
from collections import defaultdict
from collections.abc import Callable, Hashable

from trainyard_api.engines.kubernetes.api import ApiError, ApiUnreachable, KubeApi, Object, Watch

log = logging.getLogger(__name__)

_WATCH_SECONDS = 60
_LONGEST_PAUSE = 5.0
#: So often a watch is tried again from where it broke off; then everything is listed anew.
_REWATCHES = 5

#: What happened to an object: ADDED, MODIFIED or DELETED.
Change = Callable[[str, Object], None]


class Informer:
    """One thread that lists and watches; the copy can be read from any. Objects that are handed out must not be changed."""

    def __init__(
        self,
        api: KubeApi,
        path: str,
        *,
        selector: dict[str, str] | None = None,
        trim: Callable[[Object], Object] | None = None,
        index: Callable[[Object], Hashable] | None = None,
        on_change: Change | None = None,
        watch_seconds: int = _WATCH_SECONDS,
    ) -> None:
        """Follow the collection at ``path``.

        Args:
            selector: the query, such as ``labelSelector``.
            trim: keeps of an object what is needed, with its metadata's name, namespace, uid and resourceVersion, in an object of its own.
            index: the group in which ``group`` finds an object.
            on_change: called in the informer's thread, after the copy has changed.
        """
        self._api, self._path, self._query = api, path, selector or {}
        self._trim = trim or (lambda item: item)
        self._index = index or (lambda _: None)
        self._on_change, self._watch_seconds = on_change, watch_seconds
        self._objects: dict[str, Object] = {}
        self._groups: dict[Hashable, set[str]] = defaultdict(set)
        self._lock = threading.Lock()
        self._synced, self._stopped = threading.Event(), threading.Event()
        self._watch: Watch | None = None
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"informer {path}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch; the copy stays as it is."""
        self._stopped.set()
        watch = self._watch
        if watch is not None:
            watch.close()

    def join(self, seconds: float) -> None:
        """Wait for the thread's end after ``stop``."""
        self._thread.join(seconds)

    def wait_synced(self, seconds: float) -> bool:
        """Whether the copy was complete once, waiting for it for at most so long."""
        return self._synced.wait(seconds)

    @property
    def problem(self) -> str | None:
        """Why the copy is not up to date now, or None when it is."""
        return self._problem

    def items(self) -> list[Object]:
        """Every object."""
        with self._lock:
            return list(self._objects.values())

    def get(self, namespace: str, name: str) -> Object | None:
        """One object."""
        with self._lock:
            return self._objects.get(f"{namespace}/{name}")

    def group(self, key: Hashable) -> list[Object]:
        """The objects of which ``index`` is ``key``."""
        with self._lock:
            return [self._objects[name] for name in self._groups.get(key, ())]

    def put(self, item: Object) -> None:
        """Take in an object that a call has just answered, so that it is seen before the watch brings it; never an older one."""
        self._apply("MODIFIED", self._trim(item))

    # --- following --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        failures = 0
        version: str | None = None
        while not self._stopped.is_set():
            try:
                if version is None:
                    version = self._list()
                version = self._follow(version)
                failures = 0
            except ApiError as error:
                if error.gone:
                    log.info("%s: the watch expired, listing anew", self._path)
                    version = None
                    continue
                version = None
                failures = self._pause(str(error), failures)
            except ApiUnreachable as error:
                if failures >= _REWATCHES:  # a server that was set back knows nothing of this version
                    version = None
                failures = self._pause(str(error), failures)
            except Exception as error:  # the thread's boundary: without it nothing would be seen any more
                log.exception("%s", self._path)
                version = None
                failures = self._pause(f"{type(error).__name__}: {error}", failures)

    def _pause(self, problem: str, failures: int) -> int:
        if self._stopped.is_set():
            return failures
        if self._problem != problem:
            log.warning("%s: %s", self._path, problem)
        self._problem = problem
        self._stopped.wait(min(_LONGEST_PAUSE, 0.1 * 2**failures) * random.uniform(0.7, 1.0))  # noqa: S311 - spreads requests
        return min(failures + 1, 10)

    def _list(self) -> str:
        items, version = self._api.list(self._path, self._query, self._trim)
        fresh = {_key(item): item for item in items}
        with self._lock:
            old = self._objects
            self._objects, self._groups = {}, defaultdict(set)
            for item in fresh.values():
                self._store(item)
        self._answered()
        self._synced.set()
        for key, item in fresh.items():
            if key not in old or _version(old[key]) != _version(item):
                self._changed("MODIFIED" if key in old else "ADDED", item)
        for key, item in old.items():
            if key not in fresh:
                self._changed("DELETED", item)
        return version

    def _follow(self, version: str) -> str:
        watch = self._api.watch(self._path, {**self._query, "resourceVersion": version}, seconds=self._watch_seconds)
        self._watch = watch
        self._answered()
        try:
            if self._stopped.is_set():  # before it could be closed
                return version
            for event in watch:
                kind, item = event["type"], event["object"]
                if kind == "ERROR":
                    raise ApiError(int(item.get("code") or 500), str(item.get("reason") or ""), str(item.get("message") or "watch error"))
                version = str(item["metadata"]["resourceVersion"])
                self._answered()
                if kind == "BOOKMARK":
                    continue
                item = self._trim(item)
                self._apply(kind, item)
                self._changed(kind, item)
        finally:
            self._watch = None
            watch.close()
        return version

    def _apply(self, kind: str, item: Object) -> None:
        with self._lock:
            if kind == "DELETED":
                self._forget(_key(item))
            elif (known := self._objects.get(_key(item))) is None or _version(known) <= _version(item):
                self._store(item)

    def _answered(self) -> None:
        if self._problem is not None:
            log.info("%s: the Kubernetes API answers again", self._path)
        self._problem = None

    def _changed(self, kind: str, item: Object) -> None:
        if self._on_change is not None:
            self._on_change(kind, item)

    def _store(self, item: Object) -> None:
        key = _key(item)
        self._forget(key)
        self._objects[key] = item
        self._groups[self._index(item)].add(key)

    def _forget(self, key: str) -> None:
        known = self._objects.pop(key, None)
        if known is not None:
            group = self._index(known)
            self._groups[group].discard(key)
            if not self._groups[group]:
                del self._groups[group]


def _key(item: Object) -> str:
    metadata = item["metadata"]
    return f"{metadata.get('namespace', '')}/{metadata['name']}"


def _version(item: Object) -> int:
    """Resource versions of one collection can be compared as whole numbers."""
    return int(item["metadata"]["resourceVersion"])
