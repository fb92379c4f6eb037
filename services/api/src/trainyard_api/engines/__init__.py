"""Engines: what runs an attempt. `open_engine` gives the one that the settings name."""

from trainyard_api.engines.base import Capacity, Engine, EngineStatus, EngineUnavailable, Phase, Submission, SubmissionRefused
from trainyard_api.objects.base import ObjectStore
from trainyard_api.settings import Settings

__all__ = ["Capacity", "Engine", "EngineStatus", "EngineUnavailable", "Phase", "Submission", "SubmissionRefused", "open_engine"]


def open_engine(settings: Settings, objects: ObjectStore) -> Engine:
    """The engine that ``settings.engine`` names. Raises ValueError for settings that it cannot work with."""
    if settings.engine == "memory":
        from trainyard_api.engines.memory import MemoryEngine

        return MemoryEngine(objects)
    if settings.engine == "kubernetes":
        from trainyard_api.engines.kubernetes import KubernetesEngine

        return KubernetesEngine.open(settings)
    from trainyard_api.engines.local import LocalEngine

    return LocalEngine(settings.ray_address, settings.read_token(settings.ray_auth_token_file))
