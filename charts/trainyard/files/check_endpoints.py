"""Asks every endpoint of the platform through its entrance, as a client would. Exits with one line for each that answers wrongly."""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

PATIENCE_SECONDS = 180
_ENTRANCE, _API, _TOKEN = os.environ["ENTRANCE"], os.environ["API"], os.environ["TOKEN"]
_BEARER = {"Authorization": f"Bearer {_TOKEN}"}
_BASIC = {"Authorization": "Basic " + base64.b64encode(f"trainyard:{_TOKEN}".encode()).decode()}


def _ask(url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as answer:  # noqa: S310 - our own Services
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError as error:
        return 0, str(error).encode()


def _ready() -> str:
    """Empty once every part that the API depends on can be used, else what it says of those that cannot."""
    status, body = _ask(f"{_API}/readyz", {})
    if status == 200:
        return ""
    try:
        parts = json.loads(body)["parts"]
    except (ValueError, KeyError):
        return f"readyz: {status} {body[:200].decode(errors='replace')}"
    return "; ".join(f"{name}: {part['detail']}" for name, part in parts.items() if not part["ok"])


def _wrong() -> list[str]:
    checks = [
        ("/", {}, 200, b"<html"),
        ("/config.json", {}, 200, b"token"),
        ("/jobs/any", {}, 200, b"<html"),
        ("/healthz", {}, 200, b"ok"),
        ("/openapi.json", _BEARER, 200, b"openapi"),
        ("/api/v1/jobs", {}, 401, b""),
        ("/api/v1/jobs", {"Authorization": "Bearer wrong"}, 401, b""),
        *((f"/api/v1/{name}", _BEARER, 200, b"{") for name in ("jobs", "templates", "teams", "capacity", "models", "code", "datasets")),
    ]
    if os.environ["MLFLOW"] == "true":
        checks += [
            ("/mlflow/", _BASIC, 200, b"<html"),
            ("/mlflow/health", _BASIC, 200, b"OK"),
            ("/mlflow/api/2.0/mlflow/experiments/search?max_results=1", _BASIC, 200, b"{"),
            ("/mlflow/", {**_BASIC, "Origin": "http://elsewhere.example"}, 403, b""),
        ]
    if os.environ["MLFLOW_AUTH"] == "true":
        checks.append(("/mlflow/", {}, 401, b""))
    found = []
    for path, headers, wanted, text in checks:
        status, body = _ask(_ENTRANCE + path, headers)
        right = status == wanted and text in body
        print(f"{'ok   ' if right else 'WRONG'} {status} {path}", flush=True)
        if not right:
            said = body[:200].decode(errors="replace")
            found.append(f"{path} answered {status}, wanted {wanted} with {text.decode()!r} in it: {said}")
    return found


def main() -> None:
    """Wait until the platform is ready, then ask."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while trouble := _ready():
        if time.monotonic() > deadline:
            sys.exit(f"the platform is not ready after {PATIENCE_SECONDS} s: {trouble}")
        time.sleep(1)
    if wrong := _wrong():
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
