"""A stand-in for MLflow's REST API at the controller's edge, in this process: runs, their status, tags, parameters and metrics."""

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Run:
    """One run as MLflow would keep it."""

    name: str
    tags: dict[str, str]
    status: str = "RUNNING"
    ended: bool = False
    params: dict[str, str] = field(default_factory=dict)
    #: (key, step, value, timestamp), each once.
    metrics: dict[tuple[str, int, Any, int], None] = field(default_factory=dict)


class MlflowStub:
    """Runs by id. ``down``: every answer is 503; ``refuses``: runs of these names are refused; ``breaks``: answered with 500."""

    def __init__(self) -> None:
        """Start to listen on 127.0.0.1."""
        self.runs: dict[str, Run] = {}
        self.down = False
        self.refuses: set[str] = set()
        self.breaks: set[str] = set()
        self.fails_params_once = False
        #: The next request to make a run is carried out after the one that follows it.
        self.answers_late = False
        self._late: Run | None = None
        self._experiment = False
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stub._answer(self, dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                stub._answer(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def do_DELETE(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def of(self, job_id: str) -> list[Run]:
        """The runs of one job."""
        return [run for run in self.runs.values() if run.tags.get("trainyard.job_id") == job_id]

    def _answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        status, answer = (503, {}) if self.down else self._handle(request.path.split("?")[0].removeprefix("/api/2.0/mlflow/"), body)
        content = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _keep(self, run: Run) -> str:
        run_id = f"run-{len(self.runs)}"
        self.runs[run_id] = run
        return run_id

    def _handle(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs.get(str(body.get("run_id")))
        match path:
            case "/health":
                return 200, {}
            case "experiments/get-by-name":
                return (200, {"experiment": {"experiment_id": "1"}}) if self._experiment else (404, {})
            case "experiments/create":
                self._experiment = True
                return 200, {"experiment_id": "1"}
            case "runs/search":
                [job_id] = re.findall("= '(.*)'", body["filter"])
                found = [run_id for run_id, kept in self.runs.items() if kept.tags.get("trainyard.job_id") == job_id]
                metrics = {run_id: [_metric(*row) for row in self.runs[run_id].metrics] for run_id in found}
                return 200, {"runs": [{"info": {"run_id": run_id}, "data": {"metrics": metrics[run_id]}} for run_id in found]}
            case "runs/create":
                if body["run_name"] in self.refuses | self.breaks:
                    return (400 if body["run_name"] in self.refuses else 500), {}
                made = Run(body["run_name"], {tag["key"]: tag["value"] for tag in body["tags"]})
                if self.answers_late:  # and nobody has waited
                    self.answers_late, self._late = False, made
                    return 503, {}
                run_id = self._keep(made)
                if self._late is not None:
                    self._late = self._keep(self._late) and None
                return 200, {"run": {"info": {"run_id": run_id}}}
            case _ if run is None:
                return 404, {}
            case "runs/log-batch":
                if self.fails_params_once:
                    self.fails_params_once = False
                    return 503, {}
                if any(row["key"] == "refused" for row in body["params"]):
                    return 400, {}
                run.params |= {row["key"]: row["value"] for row in body["params"]}
                rows = body.get("metrics", [])
                run.metrics |= {(row["key"], row["step"], row["value"], row["timestamp"]): None for row in rows}
            case "runs/get":
                latest = {key: _metric(key, step, value, time) for key, step, value, time in sorted(run.metrics, key=lambda row: row[1])}
                return 200, {"run": {"info": {}, "data": {"metrics": list(latest.values())}}}
            case "metrics/get-history":
                return 200, {"metrics": [_metric(*row) for row in run.metrics if row[0] == body["metric_key"]]}
            case "runs/update":
                run.status, run.ended = body["status"], "end_time" in body
            case "runs/delete":
                self.runs = {run_id: kept for run_id, kept in self.runs.items() if kept is not run}
            case "runs/set-tag":
                run.tags[body["key"]] = body["value"]
        return 200, {}


def _metric(key: str, step: int, value: Any, timestamp: int) -> dict[str, Any]:
    return {"key": key, "step": step, "value": value, "timestamp": timestamp}
