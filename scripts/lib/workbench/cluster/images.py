"""Images of one static program each (`FROM scratch`), written as OCI archives without any image tool."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

_INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def write_archive(archive: Path, reference: str, program: Path) -> None:
    """An OCI archive with the image ``reference``, whose entry point is ``program``, at the root of an otherwise empty file system."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as files:
        entry = tarfile.TarInfo(program.name)
        entry.mode, entry.size = 0o755, program.stat().st_size
        with program.open("rb") as executable:
            files.addfile(entry, executable)
    content = layer.getvalue()
    config = _json(
        {
            "architecture": machine,
            "os": "linux",
            "config": {"Entrypoint": [f"/{program.name}"], "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(content)}"]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _described(_CONFIG, config),
            "layers": [_described(_LAYER, content)],
        }
    )
    named = {**_described(_MANIFEST, manifest), "annotations": {"io.containerd.image.name": reference}}
    index = _json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": [named]})
    with tarfile.open(archive, "w") as files:
        _add(files, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(files, "index.json", index)
        for blob in (content, config, manifest):
            _add(files, f"blobs/sha256/{_sha256(blob)}", blob)


def _described(kind: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{_sha256(content)}", "size": len(content)}


def _add(files: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    files.addfile(entry, io.BytesIO(content))


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
