"""Trains a tiny model on real data through the platform's entrance and looks whether it was registered; deletes the job afterwards."""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

_ENTRANCE, _TOKEN = os.environ["ENTRANCE"], os.environ["TOKEN"]
_WORKERS, _SECONDS = int(os.environ["WORKERS"]), float(os.environ["SECONDS"])
_DONE = {"SUCCEEDED", "FAILED", "CANCELLED"}


def _call(method: str, path: str, body: dict[str, Any] | None = None, *, patience: float = 0) -> dict[str, Any]:
    """The answer; exits when there is none, after `patience` seconds where it is 409: something of the job is still being closed."""
    give_up = time.monotonic() + patience
    headers = {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{_ENTRANCE}/api/v1{path}", method=method, headers=headers, data=data)  # noqa: S310 - our own Service
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code != 409 or time.monotonic() > give_up:
                sys.exit(f"{method} {path} answered {error.code}: {error.read()[:500].decode(errors='replace')}")
            time.sleep(1)
        else:
            found: dict[str, Any] = json.loads(content) if content else {}
            return found


def main() -> None:
    """Submit, wait, look. Exits with the job's own reason when it does not succeed."""
    size = {"workers": _WORKERS, "cpus_per_worker": 0.25, "memory_gb_per_worker": 1}
    parameters = {"epochs": 2, "width": 8, "model_name": "helm-test", **size}
    job = _call("POST", "/jobs", {"template": "image-classification", "name": "helm-test", "parameters": parameters})
    print(f"job {job['id']}", flush=True)
    deadline, said = time.monotonic() + _SECONDS, ""
    while job["state"] not in _DONE:
        if time.monotonic() > deadline:
            _call("POST", f"/jobs/{job['id']}/cancel")
            sys.exit(f"the job is {job['state']} after {_SECONDS:g} s ({job['reason']}); it was cancelled")
        time.sleep(1)
        job = _call("GET", f"/jobs/{job['id']}")
        line = f"{job['state']} {job['reason'] or ''}".strip()
        if line != said:
            print(line, flush=True)
            said = line
    if job["state"] != "SUCCEEDED":
        tails = [line for attempt in _call("GET", f"/jobs/{job['id']}/attempts")["items"] for line in attempt["tail"] or []]
        sys.exit("\n".join([f"the job ended as {job['state']}: {job['reason']}", *tails]))
    if not job["model"]:
        sys.exit("the job succeeded, but no model was registered")
    print(f"registered {job['model']['name']} version {job['model']['version']}", flush=True)
    _call("DELETE", f"/jobs/{job['id']}", patience=120)


if __name__ == "__main__":
    main()
