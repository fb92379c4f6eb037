"""Questions to the local registry."""

import json
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

_MANIFESTS = ", ".join(
    ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"),
)


def answers(registry: str) -> bool:
    """Whether a registry listens there."""
    try:
        with urlopen(f"http://{registry}/v2/", timeout=5):
            return True
    except (OSError, HTTPException):
        return False


def compressed_bytes(reference: str) -> int | None:
    """What a pull of the whole image moves: its layers as they lie in the registry. None when it is not there."""
    registry, _, path = reference.partition("/")
    repository, _, tag = path.rpartition(":")
    request = Request(f"http://{registry}/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFESTS})
    try:
        with urlopen(request, timeout=5) as answer:
            manifest: dict[str, Any] = json.load(answer)
    except (URLError, OSError, HTTPException):
        return None
    return sum(int(layer["size"]) for layer in manifest["layers"])
