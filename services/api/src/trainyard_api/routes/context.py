"""The platform of the app that handles the current request."""

from typing import cast

from flask import Flask, current_app

from trainyard_api.services.platform import Platform

_KEY = "trainyard"


def attach(app: Flask, platform: Platform) -> None:
    """Let the app's requests work on this platform."""
    app.extensions[_KEY] = platform


def platform() -> Platform:
    """What the current request works on."""
    return cast(Platform, current_app.extensions[_KEY])
