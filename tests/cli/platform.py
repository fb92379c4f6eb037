"""A whole platform for the client to talk to: the real API on 127.0.0.1, the real controller, an engine in memory and MLflow's edge."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.databases import opened
from tests.support.leading import HASTE
from tests.support.mlflow_stub import MlflowStub
from tests.support.waiting import wait_for
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from trainyard_api.app import create_app
from trainyard_api.controller.loop import Controller
from trainyard_api.engines.memory import MemoryEngine, Script
from trainyard_api.objects import open_store
from trainyard_api.services.platform import Platform
from trainyard_api.settings import Settings
from trainyard_api.store.database import Database
from trainyard_api.store.models import Job
from trainyard_api.store.paging import JobQuery
from trainyard_api.store.repository import Repository
from trainyard_api.store.states import JobState
from trainyard_api.tracking import Tracking

TOKEN = "a-token-of-the-tests"


class MeasuringMlflow(MlflowStub):
    """Runs with metrics, and registered models."""

    def __init__(self) -> None:
        super().__init__()
        #: run id -> key -> points
        self.metrics: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.versions: list[dict[str, Any]] = []
        #: model -> alias -> version
        self.aliases: dict[str, dict[str, str]] = {}
        #: path in the run -> content; of every run
        self.artifacts: dict[str, bytes] = {}

    def measure(self, run_id: str, key: str, step: int, value: float) -> None:
        """Log one point."""
        point = {"key": key, "step": step, "value": value, "timestamp": 1_700_000_000_000 + step}
        self.metrics.setdefault(run_id, {}).setdefault(key, []).append(point)

    def _answer(self, request: Any, body: dict[str, Any]) -> None:
        query = {key: values[0] for key, values in parse_qs(urlsplit(request.path).query).items()}
        if request.path.startswith("/get-artifact"):
            content = self.artifacts[query["path"]]
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            request.wfile.write(content)
        else:
            super()._answer(request, body or query)

    def _handle(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        series = self.metrics.get(str(body.get("run_id")), {})
        match path:
            case "runs/get":
                return 200, {"run": {"info": {}, "data": {"metrics": [points[-1] for points in series.values()]}}}
            case "metrics/get-history":
                return 200, {"metrics": series.get(body["metric_key"], [])}
            case "model-versions/search":
                return 200, {"model_versions": self.versions}
            case "registered-models/search":
                return 200, {"registered_models": [self._model(name) for name in self.aliases]}
            case "registered-models/get" if body["name"] in self.aliases:
                return 200, {"registered_model": self._model(body["name"])}
            case "registered-models/alias" if "version" in body:
                self.aliases[body["name"]][body["alias"]] = body["version"]
                return 200, {}
            case "registered-models/alias":
                del self.aliases[body["name"]][body["alias"]]
                return 200, {}
            case "artifacts/list":
                return 200, {"files": self._folder(body.get("path", ""))}
        return super()._handle(path, body)

    def _model(self, name: str) -> dict[str, Any]:
        return {"name": name, "aliases": [{"alias": alias, "version": version} for alias, version in self.aliases[name].items()]}

    def _folder(self, path: str) -> list[dict[str, Any]]:
        top = f"{path}/" if path else ""
        inside = sorted(name.removeprefix(top) for name in self.artifacts if name.startswith(top))
        folders = {name.partition("/")[0] for name in inside if "/" in name}
        files = [{"path": f"{top}{name}", "file_size": len(self.artifacts[f"{top}{name}"])} for name in inside if "/" not in name]
        return [*({"path": f"{top}{name}", "is_dir": True} for name in sorted(folders)), *files]


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        pass


class _Server(ThreadedWSGIServer):
    """A server whose connections can be cut."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that went away are no news."""

    def cut(self) -> None:
        """Close what is open."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Served:
    """The platform. Jobs run until a test ends them, unless their name is in ``scripts``."""

    def __init__(self, folder: Path, database: Database, mlflow: MeasuringMlflow, **more: Any) -> None:
        token_file = folder / "api-token"
        token_file.write_text(TOKEN + "\n")
        self.state_dir, self.mlflow = folder, mlflow
        settings = Settings(
            state_dir=folder,
            mlflow_url=mlflow.url,
            engine="memory",
            poll_seconds=0.02,
            lease_seconds=5,
            api_token_file=token_file,
            **more,
        )
        self.repository = Repository(database)
        self.objects = open_store(settings.object_store)
        self.scripts: dict[str, Script] = {}
        self.engine = MemoryEngine(self.objects, script=lambda it: self.scripts.get(self.job(it.job_id).name, Script(seconds=None)))
        self._platform = Platform(settings, database, self.repository, self.objects, Tracking(mlflow.url, timeout_seconds=5))
        self._controller = Controller(
            settings, database, self.objects, self.engine, Tracking(mlflow.url, timeout_seconds=5), "tests", patience=HASTE
        )
        self._stop = threading.Event()
        self._leading = threading.Thread(target=self._controller.run, args=(self._stop,))
        self._app = create_app(settings, platform=self._platform)
        self._port = 0
        self.token = TOKEN

    @property
    def url(self) -> str:
        """The API's; it stays over restarts."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Answer, and lead."""
        self.serve()
        self._leading.start()
        wait_for("the first round", self.repository.get_capacity)

    def serve(self) -> None:
        """Answer, on the same port every time."""
        self._server = _Server("127.0.0.1", self._port, self._app, _QuietHandler)
        self._port = self._server.server_port
        self._serving = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._serving.start()

    def stop_serving(self) -> None:
        """Stop to answer, and cut every connection, as a killed process does."""
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()
        self._server.cut()

    def close(self) -> None:
        """Stop both."""
        self._stop.set()
        self.stop_serving()
        self._leading.join()

    def job(self, job_id: str) -> Job:
        """The job now."""
        return self.repository.get_job(job_id)

    def becomes(self, job_id: str, state: str) -> Job:
        """The job, as soon as it is in the state."""
        return wait_for(f"job {job_id} to become {state}", lambda: (job := self.job(job_id)).state is JobState(state) and job)

    def write_log(self, job_id: str, text: str | bytes, *, attempt: int = 1, rank: str = "0") -> None:
        """More of a rank's log, as the trainer ships it."""
        prefix = f"jobs/{job_id}/attempts/{attempt}/logs/rank-{rank}/"
        offset = sum(info.size for info in self.objects.list(prefix))
        self.objects.put_bytes(f"{prefix}{offset:012d}.log", text.encode() if isinstance(text, str) else text)

    def save_checkpoint(self, job_id: str, step: int, content: bytes = b"weights", **metrics: float) -> None:
        """A checkpoint of one file, as the trainer saves it."""
        prefix = f"jobs/{job_id}/checkpoints/{step:012d}"
        files = {"model.pt": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}}
        manifest = {"step": step, "time": 1_790_000_000.0, "attempt": 1, "files": files, "metrics": metrics}
        self.objects.put_bytes(f"{prefix}/model.pt", content)
        self.objects.put_bytes(f"{prefix}/manifest.json", json.dumps(manifest).encode())

    def finish(self, job_id: str, failure: str | None = None, *, rank: int = 0, tail: list[str] | None = None) -> None:
        """End the running attempt; with a failure, of this rank."""
        attempt = self.becomes(job_id, "RUNNING").attempt
        if failure is not None:
            result = {"outcome": "failed", "reason": failure, "failed_rank": rank, "tail": tail or [failure]}
            self.objects.put_bytes(f"jobs/{job_id}/attempts/{attempt}/result.json", json.dumps(result).encode())
        self.engine.finish(f"ty-{job_id}-{attempt}", failure, writes_result=failure is None)

    def run_id(self, job_id: str) -> str:
        """The job's MLflow run, as soon as there is one."""
        return wait_for("the run", lambda: self.job(job_id).mlflow_run_id)

    def settled(self, job_id: str) -> None:
        """Wait until the job may be deleted."""
        wait_for("the job to settle", lambda: self.job(job_id).settled_at)

    def first_job(self) -> Job:
        """The only job, as soon as there is one."""
        return wait_for("a job", lambda: self.repository.list_jobs(JobQuery()).items)[0]


@contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """A platform of its own below the folder, with these settings beside its own."""
    mlflow = MeasuringMlflow()
    try:
        with opened(f"sqlite:///{folder}/trainyard.db") as database:
            platform = Served(folder, database, mlflow, **settings)
            platform.start()
            try:
                yield platform
            finally:
                platform.close()
    finally:
        mlflow.close()
