"""Trainyard's client: `from trainyard import Client` talks to a running platform; the `trainyard` command is built on it.

Importing this package is light; httpx and pydantic load with the first name that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainyard.client import Client
    from trainyard.errors import ApiError, Conflict, InvalidInput, NotFound, ServerFailed, ServerUnreachable, TrainyardError, WaitTimeout

__version__ = "0.1.0"

_HOMES = {
    "Client": "trainyard.client",
    **dict.fromkeys(
        ("ApiError", "Conflict", "InvalidInput", "NotFound", "ServerFailed", "ServerUnreachable", "TrainyardError", "WaitTimeout"),
        "trainyard.errors",
    ),
}

__all__ = [
    "ApiError",
    "Client",
    "Conflict",
    "InvalidInput",
    "NotFound",
    "ServerFailed",
    "ServerUnreachable",
    "TrainyardError",
    "WaitTimeout",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
