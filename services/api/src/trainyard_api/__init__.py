"""Trainyard's HTTP API, controller, engines and store."""

__version__ = "0.1.0"
