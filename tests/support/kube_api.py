"""A small Kubernetes API server over real HTTP: lists with pages, watches with bookmarks and expiry, create, merge patch, delete."""

from __future__ import annotations

import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes import client

from trainyard_api.engines.kubernetes.api import KubeApi

Object = dict[str, Any]


@dataclass
class KubeServer:
    """The state, which tests change as Kubernetes' controllers would."""

    #: By collection path of a namespace or of the cluster, then by name.
    collections: dict[str, dict[str, Object]] = field(default_factory=dict)
    history: list[tuple[int, str, str, Object]] = field(default_factory=list)
    version: int = 100
    #: Versions up to this one are forgotten.
    compacted: int = 0
    #: Collections that are refused with 403.
    forbidden: set[str] = field(default_factory=set)
    #: Requests answered: method and path.
    requests: list[tuple[str, str]] = field(default_factory=list)
    #: Objects with this key in ``spec`` are refused with 422.
    unknown_field: str = ""
    changed: threading.Condition = field(default_factory=threading.Condition)
    #: Grows whenever all open watches are to break off.
    cut: int = 0
    down: bool = False
    page: int = 2
    url: str = ""

    def api(self) -> KubeApi:
        """A connection to it."""
        settings = client.Configuration(host=self.url)
        settings.retries = False
        settings.connection_pool_maxsize = 64
        return KubeApi(client.ApiClient(settings))

    def put(self, path: str, name: str, namespace: str = "", **content: Any) -> Object:
        """Make or change an object; top-level fields are replaced."""
        with self.changed:
            known = self.collections.setdefault(path, {}).get(name)
            self.version += 1
            made = {"metadata": {"name": name, "uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}, **(known or {})}
            if namespace:
                made["metadata"]["namespace"] = namespace
            metadata = {**made["metadata"], **content.pop("metadata", {}), "resourceVersion": str(self.version)}
            made = json.loads(json.dumps({**made, **content, "metadata": metadata}))
            self.collections[path][name] = made
            self._record("MODIFIED" if known else "ADDED", path, made)
            return made

    def remove(self, path: str, name: str) -> None:
        """Delete an object."""
        with self.changed:
            gone = self.collections[path].pop(name)
            self.version += 1
            gone["metadata"]["resourceVersion"] = str(self.version)
            self._record("DELETED", path, gone)

    def compact(self) -> None:
        """Forget all history, as etcd does by and by; open watches go on."""
        with self.changed:
            self.version += 1
            self.compacted = self.version

    def break_watches(self) -> None:
        """Break every open watch off."""
        with self.changed:
            self.cut += 1
            self.changed.notify_all()

    def _record(self, kind: str, path: str, item: Object) -> None:
        self.history.append((self.version, kind, path, item))
        self.changed.notify_all()

    def lists(self, path: str) -> int:
        """How often the collection was listed from its start."""
        return sum(1 for method, asked in self.requests if method == "LIST" and asked == path)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        state, split = self.server.state, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(split.query).items()}
        if self._refused(split.path):
            return
        if query.get("watch"):
            self._watch(split.path, query)
            return
        parent, _, name = split.path.rpartition("/")
        if _is_collection(split.path):
            self._list(split.path, query)
        elif name in state.collections.get(parent, {}):
            self._answer(200, state.collections[parent][name])
        else:
            self._status(404, "NotFound", f"{name} not found")

    def _list(self, path: str, query: dict[str, str]) -> None:
        state = self.server.state
        start = int(query.get("continue") or 0)
        if not start:
            state.requests.append(("LIST", path))
        with state.changed:
            items = [item for item in state.collections.get(path, {}).values() if _selected(item, query)]
            page = items[start : start + state.page]
            metadata = {"resourceVersion": str(state.version)}
            if start + state.page < len(items):
                metadata["continue"] = str(start + state.page)
        self._answer(200, {"kind": "List", "metadata": metadata, "items": page})

    def _watch(self, path: str, query: dict[str, str]) -> None:
        state, seen = self.server.state, int(query["resourceVersion"])
        state.requests.append(("WATCH", path))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if seen < state.compacted:
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            self._chunk({"type": "ERROR", "object": status})
            self.wfile.write(b"0\r\n\r\n")
            return
        self._chunk({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(seen)}}})
        with state.changed:
            cut = state.cut
            while state.cut == cut and not state.down:
                for version, kind, where, item in list(state.history):
                    if version > seen and where == path and _selected(item, query):
                        self._chunk({"type": kind, "object": item})
                    seen = max(seen, version)
                if not state.changed.wait(timeout=float(query.get("timeoutSeconds", 60))):
                    self.wfile.write(b"0\r\n\r\n")
                    return
        self._hang_up()

    def do_POST(self) -> None:
        state, path, body = self.server.state, urlsplit(self.path).path, self._body()
        state.requests.append(("POST", path))
        name = body["metadata"]["name"]
        if self._refused(path):
            return
        if name in state.collections.get(path, {}):
            self._status(409, "AlreadyExists", f"{name} already exists")
        elif state.unknown_field and state.unknown_field in body.get("spec", {}):
            self._status(422, "Invalid", f'strict decoding error: unknown field "spec.{state.unknown_field}"')
        else:
            namespace = path.split("/namespaces/")[1].split("/")[0] if "/namespaces/" in path else ""
            self._answer(201, state.put(path, name, namespace, **body))

    def do_PATCH(self) -> None:
        state, path, body = self.server.state, urlsplit(self.path).path, self._body()
        parent, _, name = path.rpartition("/")
        state.requests.append(("PATCH", path))
        if self._refused(path):
            return
        if name not in state.collections.get(parent, {}):
            self._status(404, "NotFound", f"{name} not found")
            return
        self._answer(200, state.put(parent, name, **_merged(state.collections[parent][name], body)))

    def do_DELETE(self) -> None:
        state, path = self.server.state, urlsplit(self.path).path
        parent, _, name = path.rpartition("/")
        state.requests.append(("DELETE", path))
        if self._refused(path):
            return
        if name not in state.collections.get(parent, {}):
            self._status(404, "NotFound", f"{name} not found")
            return
        if state.collections[parent][name]["metadata"].get("finalizers"):
            state.put(parent, name, metadata={"deletionTimestamp": "2026-01-01T00:01:00Z"})
        else:
            state.remove(parent, name)
        self._answer(200, {"kind": "Status", "status": "Success"})

    def _body(self) -> Object:
        found: Object = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return found

    def _refused(self, path: str) -> bool:
        if self.server.state.down:
            self._hang_up()
            return True
        if path in self.server.state.forbidden:
            self._status(403, "Forbidden", f"cannot list {path}")
            return True
        return False

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _status(self, code: int, reason: str, message: str) -> None:
        self._answer(code, {"kind": "Status", "code": code, "reason": reason, "message": message})

    def _answer(self, code: int, body: Object) -> None:
        content = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunk(self, event: Object) -> None:
        line = json.dumps(event).encode() + b"\n"
        self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        self.wfile.flush()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: KubeServer

    def handle_error(self, *_: Any) -> None:
        """Connections that break are part of the tests."""


def _is_collection(path: str) -> bool:
    """Whether a path ends with a kind: /api/v1[/namespaces/X]/KIND or /apis/GROUP/VERSION[/namespaces/X]/KIND."""
    parts = path.strip("/").split("/")[2 if path.startswith("/api/") else 3 :]
    return len(parts) == (3 if parts[0] == "namespaces" else 1)


def _selected(item: Object, query: dict[str, str]) -> bool:
    labels = item["metadata"].get("labels") or {}
    for word in filter(None, query.get("labelSelector", "").split(",")):
        name, equals, value = word.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _merged(old: Any, patch: Any) -> Any:
    """A JSON merge patch."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(old) if isinstance(old, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


@contextmanager
def kube_server() -> Iterator[KubeServer]:
    """A server on 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    state = KubeServer(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.state = state
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.break_watches()
        server.shutdown()
        server.server_close()
