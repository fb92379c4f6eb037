"""Whether something answers: from this machine, or from inside the node's network (``python -m workbench.cluster.probes KIND TARGET``)."""

import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from workbench.paths import ROOT

#: A question for the address of `kubernetes.default.svc.cluster.local` (RFC 1035).
_QUESTION = (
    b"\x2a\x2a\x01\x00\x00\x01"
    + bytes(6)
    + b"".join(bytes([len(label)]) + label for label in (b"kubernetes", b"default", b"svc", b"cluster", b"local", b""))
    + b"\x00\x01\x00\x01"
)


def answers(url: str, authority: Path | None = None, *, seconds: float = 3) -> bool:
    """Whether the URL answers with success, asked directly whatever proxies the environment names."""
    context = ssl.create_default_context(cafile=authority) if authority is not None and url.startswith("https:") else None
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=seconds) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def resolves(server: str, *, port: int = 53, seconds: float = 1) -> bool:
    """Whether the name server knows the API server's Service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(seconds)
        try:
            asking.sendto(_QUESTION, (server, port))
            reply = asking.recv(512)
        except OSError:
            return False
    failed, found = reply[3] & 0x0F, int.from_bytes(reply[6:8], "big")
    return not failed and found > 0


def inside(pid: int, kind: str, target: str) -> bool:
    """The answer of this module's command in the network of the process ``pid``."""
    command = ["nsenter", f"--target={pid}", "--net", sys.executable, "-m", "workbench.cluster.probes", kind, target]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts" / "lib")}
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


if __name__ == "__main__":
    _kind, _target = sys.argv[1:]
    sys.exit(not (resolves(_target) if _kind == "dns" else answers(_target)))
