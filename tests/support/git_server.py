"""A real git server on loopback: HTTPS with a certificate of its own, and git's http-backend behind it."""

import datetime
import ipaddress
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_NAME = "localhost"


class GitServer:
    """Serves the bare repositories below a folder; ``ca_file`` is what its clients must trust."""

    def __init__(self, folder: Path) -> None:
        """Listens at once."""
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        key_file = folder / "key.pem"
        _write_certificate(self.ca_file, key_file)
        #: The paths that were asked for, in order.
        self.asked: list[str] = []
        #: What is answered in place of git, by the start of the path: status, headers.
        self.instead: dict[str, tuple[int, dict[str, str]]] = {}
        git_server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                git_server._serve(self)

            def do_POST(self) -> None:
                git_server._serve(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, key_file)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        self.host = _NAME

    def url(self, name: str) -> str:
        """Where a repository is."""
        return f"https://{_NAME}:{self._server.server_port}/{name}.git"

    def repository(self, name: str) -> "Repository":
        """A new, empty repository."""
        return Repository(self.folder / f"{name}.git", self.folder / f"{name}-work")

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        self.asked.append(request.path)
        for start, (status, headers) in self.instead.items():
            if path.startswith(start):
                request.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    request.send_header(name, value)
                request.end_headers()
                return
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True
        )  # its status says no more than its answer
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers_of = dict(line.split(": ", 1) for line in head.decode().splitlines())
        request.send_response(int(headers_of.pop("Status", "200").split()[0]))
        for name, value in {**headers_of, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)


class Repository:
    """A bare repository, and the folder that its commits are made of."""

    def __init__(self, bare: Path, work: Path) -> None:
        """Both are made."""
        self.work = work
        self._bare = bare
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(bare)], check=True, env=_environment())
        self.git("init", "--quiet", "--initial-branch=main", str(work))

    def git(self, *arguments: str) -> str:
        """What git prints, in the folder."""
        self.work.mkdir(exist_ok=True)
        argv = ["git", "-c", "protocol.file.allow=always", *arguments]
        return subprocess.run(argv, cwd=self.work, check=True, capture_output=True, text=True, env=_environment()).stdout.strip()

    def commit(self, files: dict[str, str | bytes], *, branch: str = "main") -> str:
        """Write the files, commit everything, and push it; the commit's id."""
        for name, content in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        self.git("push", "--quiet", str(self._bare), f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")

    def tag(self, name: str) -> None:
        """Give the last commit an annotated tag, and push it."""
        self.git("tag", "--annotate", "--message", name, name)
        self.git("push", "--quiet", str(self._bare), f"refs/tags/{name}")


def _environment() -> dict[str, str]:
    who = {"NAME": "tests", "EMAIL": "tests@localhost", "DATE": "2026-01-01T00:00:00Z"}
    people = {f"GIT_{role}_{name}": value for role in ("AUTHOR", "COMMITTER") for name, value in who.items()}
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **people}


def _write_certificate(certificate_file: Path, key_file: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(_NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


@contextmanager
def git_server(folder: Path) -> Iterator[GitServer]:
    """A server of repositories below the folder."""
    server = GitServer(folder)
    try:
        yield server
    finally:
        server.close()
