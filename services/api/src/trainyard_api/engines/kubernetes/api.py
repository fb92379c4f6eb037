"""The Kubernetes API as plain JSON: the official client's connection and credentials, without its models."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_PAGE = 500

Object = dict[str, Any]


class ApiError(Exception):
    """The API server refused; ``status`` is the HTTP status, ``reason`` Kubernetes' own word for it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason

    @property
    def gone(self) -> bool:
        """Whether a watch must start over with a new list."""
        return self.status == 410 or self.reason in ("Expired", "Gone")


class ApiUnreachable(Exception):
    """The API server does not answer now."""


def connect() -> client.ApiClient:
    """A client for the cluster that this process runs in, or of the kubeconfig. Raises ValueError when there is neither."""
    settings = client.Configuration()
    try:
        kubeconfig = os.environ.get("KUBECONFIG")
        if kubeconfig is None and _SERVICE_ACCOUNT_TOKEN.exists():
            config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(kubeconfig, client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise ValueError(
            f"no Kubernetes cluster is configured ({error}); set KUBECONFIG, or run in a pod with a service account"
        ) from error
    settings.retries = False  # who calls knows what may be tried again
    settings.keep_alive = True
    settings.connection_pool_maxsize = 64
    return client.ApiClient(settings)


class KubeApi:
    """Requests by path. Thread-safe; every method may raise ApiError and ApiUnreachable."""

    def __init__(self, connection: client.ApiClient) -> None:
        """Use this connection; nothing is sent before the first call."""
        self._client = connection

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._client.configuration.host)

    def get(self, path: str) -> Object:
        """One object."""
        return self._json("GET", path)

    def create(self, path: str, body: Object) -> Object:
        """Create an object; a field that the server does not know is an error."""
        return self._json("POST", path, {"fieldValidation": "Strict"}, body)

    def merge(self, path: str, patch: Object) -> Object:
        """Change an object by a JSON merge patch."""
        return self._json("PATCH", path, {"fieldValidation": "Strict"}, patch, "application/merge-patch+json")

    def delete(self, path: str) -> Object:
        """Delete an object, and what it owns after it."""
        return self._json("DELETE", path, {"propagationPolicy": "Background"})

    def list(self, path: str, query: dict[str, str], trim: Callable[[Object], Object]) -> tuple[list[Object], str]:
        """What ``trim`` keeps of every object as it is now, and the resource version to watch from."""
        items: list[Object] = []
        following: str | None = None
        while True:
            page = self._json("GET", path, {**query, "limit": str(_PAGE), **({"continue": following} if following else {})})
            items += map(trim, page.get("items") or [])
            following = page["metadata"].get("continue") or None
            if following is None:
                return items, str(page["metadata"]["resourceVersion"])

    def watch(self, path: str, query: dict[str, str], *, seconds: int) -> Watch:
        """Changes from the query's resource version on, for at most ``seconds``."""
        asked = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}
        return Watch(self._send("GET", path, asked, timeout=(5, seconds + 10)))

    def _json(
        self, method: str, path: str, query: dict[str, str] | None = None, body: Object | None = None, kind: str | None = None
    ) -> Object:
        response = self._send(method, path, query, body, kind)
        try:
            found: Object = json.loads(response.data)
        except (ValueError, urllib3.exceptions.HTTPError) as error:
            raise ApiUnreachable(f"what the Kubernetes API at {self.host} answers cannot be read: {error}") from error
        return found

    def _send(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Object | None = None,
        kind: str | None = None,
        timeout: tuple[float, float] = (5, 30),
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "Content-Type": kind or "application/json"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = f"{self.host}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            response: urllib3.BaseHTTPResponse = self._client.call_api(method, url, headers, body, _request_timeout=timeout).response
            if response.status < 400:
                return response
            problem = response.data
        except (urllib3.exceptions.HTTPError, client.ApiException, OSError) as error:
            raise ApiUnreachable(f"the Kubernetes API at {self.host} does not answer: {error}") from error
        raise _error(response.status, problem)


class Watch:
    """An open watch: its events, until the server ends it. Raises ApiUnreachable while iterating."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Object]:
        """Each event as ``{"type", "object"}``."""
        rest = b""
        try:
            for chunk in self._response.stream(amt=None, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise ApiUnreachable(f"the watch broke off: {error}") from error

    def close(self) -> None:
        """End it, also from another thread."""
        try:
            self._response.shutdown()
        except (OSError, ValueError, RuntimeError, AttributeError):
            self._response.close()


def _error(status: int, content: bytes) -> Exception:
    try:
        answer = json.loads(content)
        reason, message = str(answer.get("reason") or ""), str(answer.get("message") or "")
    except (ValueError, AttributeError):
        reason, message = "", content.decode(errors="replace")[:300]
    if status in (429, 500, 502, 503, 504):
        return ApiUnreachable(f"the Kubernetes API answered {status}: {message[:300]}")
    return ApiError(status, reason, message or f"the Kubernetes API answered {status}")
