"""Images of a few files, pushed to the local registry over its HTTP API, so that the tests of the cluster need no image tool."""

import hashlib
import http.client
import io
import json
import platform
import tarfile
from typing import Any

from workbench.go_tools import GoTool, build

REGISTRY = "localhost:5001"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def toolbox_program() -> bytes:
    """The program that the tests run in pods."""
    return build(GoTool("tests/cluster/toolbox"))["toolbox"].read_bytes()


def layer(files: dict[str, bytes]) -> bytes:
    """A layer with these files (executable), the same bytes for the same files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size = 0o755, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def push(name: str, tag: str, layers: list[bytes], entry_point: list[str]) -> str:
    """Push an image of ``layers``; its reference. AssertionError when the registry refuses."""
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
    config = json.dumps(
        {
            "architecture": machine,
            "os": "linux",
            "config": {"Entrypoint": entry_point, "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(each) for each in layers]},
        }
    ).encode()
    for blob in [config, *layers]:
        _upload(name, blob)
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _described("application/vnd.oci.image.config.v1+json", config),
        "layers": [_described("application/vnd.oci.image.layer.v1.tar", each) for each in layers],
    }
    _call("PUT", f"/v2/{name}/manifests/{tag}", json.dumps(manifest).encode(), _MANIFEST)
    return f"{REGISTRY}/{name}:{tag}"


def delete_blob(name: str, blob: bytes) -> None:
    """Take a layer out of the registry."""
    _call("DELETE", f"/v2/{name}/blobs/{_digest(blob)}", b"", "application/octet-stream")


def _upload(name: str, blob: bytes) -> None:
    location = _call("POST", f"/v2/{name}/blobs/uploads/", b"", "application/octet-stream")
    path = location.split(REGISTRY, 1)[-1]
    _call("PUT", f"{path}{'&' if '?' in path else '?'}digest={_digest(blob)}", blob, "application/octet-stream")


def _call(method: str, path: str, body: bytes, kind: str) -> str:
    connection = http.client.HTTPConnection(REGISTRY, timeout=60)
    connection.request(method, path, body, {"Content-Type": kind})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    assert answer.status in (201, 202), f"{method} {path}: {answer.status} {text}"
    return answer.headers.get("Location", "")


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": _digest(content), "size": len(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
