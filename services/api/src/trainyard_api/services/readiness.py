"""Whether each part that the API depends on answers."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.objects import ObjectStoreError
from trainyard_api.services.platform import Platform
from trainyard_api.store.lease import is_led
from trainyard_api.store.models import utcnow
from trainyard_api.tracking import TrackingUnavailable

_PATIENCE_SECONDS = 3.0
#: The controller writes the capacity down every few seconds while the engine answers.
_CAPACITY_AGE = timedelta(seconds=30)


@dataclass(frozen=True)
class Part:
    """One part: whether it can be used, and in words why not."""

    ok: bool
    detail: str | None = None


def readiness(platform: Platform, part: str | None = None) -> dict[str, Part]:
    """Every part by name, or only one, within a few seconds even when some of them hang."""
    checks = _CHECKS if part is None else {part: _CHECKS[part]}
    pool = ThreadPoolExecutor(len(checks), thread_name_prefix="readiness")
    futures = {name: pool.submit(_guarded, check, platform) for name, check in checks.items()}
    wait(futures.values(), timeout=_PATIENCE_SECONDS)
    pool.shutdown(wait=False, cancel_futures=True)
    late = Part(False, f"no answer within {_PATIENCE_SECONDS:g} s")
    return {name: future.result() if future.done() else late for name, future in futures.items()}


def _guarded(check: Callable[[Platform], Part], platform: Platform) -> Part:
    try:
        return check(platform)
    except SQLAlchemyError as error:
        return Part(False, f"the database does not answer ({type(error).__name__})")
    except (ObjectStoreError, TrackingUnavailable) as error:
        return Part(False, str(error))


def _database(platform: Platform) -> Part:
    platform.database.ping()
    if not platform.database.is_up_to_date():
        return Part(False, "its tables are not those of this version; the controller makes them")
    return Part(True)


def _object_store(platform: Platform) -> Part:
    platform.objects.ping()
    return Part(True)


def _controller(platform: Platform) -> Part:
    return Part(True) if is_led(platform.database) else Part(False, "no controller leads")


def _engine(platform: Platform) -> Part:
    capacity = platform.repository.get_capacity()
    if capacity is None:
        return Part(False, "the controller has not seen the engine yet")
    age = utcnow() - capacity.recorded_at
    return Part(True) if age < _CAPACITY_AGE else Part(False, f"the engine was last seen {age.total_seconds():.0f} s ago")


def _mlflow(platform: Platform) -> Part:
    platform.tracking.ping()
    return Part(True)


_CHECKS: dict[str, Callable[[Platform], Part]] = {
    "database": _database,
    "object_store": _object_store,
    "controller": _controller,
    "engine": _engine,
    "mlflow": _mlflow,
}
