"""Prometheus: requests by route, and jobs by state. With PROMETHEUS_MULTIPROC_DIR set, one answer covers all processes."""

import logging
import os
import time
from collections.abc import Iterable

from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from trainyard_api.store.repository import Repository

log = logging.getLogger(__name__)

_KEY = "trainyard.instrumentation"


class Instruments:
    """The figures of one app."""

    def __init__(self) -> None:
        """Make them in a registry of their own."""
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "trainyard_http_requests", "Requests by route, method and status", ["route", "method", "status"], registry=self.registry
        )
        self.latency = Histogram(
            "trainyard_http_request_duration_seconds",
            "Seconds until the answer began",
            ["route", "method"],
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
            registry=self.registry,
        )


class _Jobs(Collector):
    """Counts jobs when asked; nothing while the database does not answer."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily("trainyard_jobs", "Jobs by state", labels=["state"])
        try:
            counts = self._repository.count_by_state()
        except SQLAlchemyError as error:
            log.warning("jobs cannot be counted for Prometheus: %s", type(error).__name__)
            return
        for state, count in counts.items():
            gauge.add_metric([state.value], count)
        yield gauge


def register(app: Flask) -> None:
    """Count the app's requests."""
    app.extensions[_KEY] = Instruments()
    app.before_request(_begin)
    app.after_request(_count)


def exposition(repository: Repository) -> bytes:
    """Everything in Prometheus's text format."""
    registry: CollectorRegistry = current_app.extensions[_KEY].registry
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    jobs = CollectorRegistry()
    jobs.register(_Jobs(repository))
    return generate_latest(registry) + generate_latest(jobs)


def _begin() -> None:
    g.began = time.perf_counter()


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    method = request.method if request.url_rule else "any"
    instruments: Instruments = current_app.extensions[_KEY]
    instruments.requests.labels(route, method, str(response.status_code)).inc()
    if "began" in g:
        instruments.latency.labels(route, method).observe(time.perf_counter() - g.began)
    return response
