"""The few calls to the API server that need no library."""

import http.client
import json
import ssl
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from workbench.cluster.layout import Layout


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


class Api:
    """The API server, as one of the clients whose certificates lie in ``pki/``. Every call may raise OSError and ApiError."""

    def __init__(self, layout: Layout, client: str) -> None:
        self._server = urlsplit(layout.server)
        self._context = ssl.create_default_context(cafile=f"{layout.pki}/ca.crt")
        self._context.load_cert_chain(f"{layout.pki}/{client}.crt", f"{layout.pki}/{client}.key")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON."""
        with self._answer(method, path, body, seconds=10) as answer:
            return json.loads(answer.read())

    def watch(self, path: str, *, version: str, seconds: int) -> Iterator[dict[str, Any]]:
        """Events after ``version``, until there was none for ``seconds``."""
        query = f"?watch=1&resourceVersion={quote(version)}&timeoutSeconds={seconds}"
        with self._answer("GET", path + query, None, seconds=seconds + 10) as answer:
            for line in answer:
                yield json.loads(line)

    def _answer(self, method: str, path: str, body: dict[str, Any] | None, *, seconds: float) -> http.client.HTTPResponse:
        host, port = self._server.hostname or "", self._server.port
        connection = http.client.HTTPSConnection(host, port, timeout=seconds, context=self._context)
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json", "Connection": "close"})
        answer = connection.getresponse()
        if answer.status >= 300:
            raise ApiError(answer.status, answer.read().decode(errors="replace")[:500])
        return answer
