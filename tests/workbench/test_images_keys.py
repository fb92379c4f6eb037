"""When an image is built anew, what it is called, and what is asked of the engines."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from workbench import paths
from workbench.errors import WorkbenchError
from workbench.go_tools import GoTool
from workbench.images import catalogue, dockerfile, engines, portal, registry
from workbench.images.catalogue import IMAGES, Image, named
from workbench.images.portal import Portal


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of its own with one image, ``web``, made of ``source/`` and a Go program."""
    for module in (paths, catalogue, dockerfile, engines):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr("workbench.go_tools.ROOT", tmp_path)
    for name, text in {
        "images/web/Dockerfile": "FROM debian:trixie-slim\nCOPY source /source\nCOPY --from=programs tool /tool\n",
        "source/one.py": "1",
        "source/below/two.py": "2",
        "other/three.py": "3",
        "services/api/pyproject.toml": 'version = "1.2.3"\n',
        "tool/go.mod": "module tool\n",
        "tool/go.sum": "",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def web(**changes: object) -> Image:
    return Image(**{"name": "web", "folder": "web", "tool": GoTool("tool"), **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changed", ["images/web/Dockerfile", "source/one.py", "source/below/two.py", "services/api/pyproject.toml", "tool/go.sum"]
)
def test_the_key_follows_everything_the_image_is_made_of(checkout: Path, changed: str) -> None:
    before = web().key
    assert web().key == before
    (checkout / changed).write_text((checkout / changed).read_text().replace("1", "9") + "# more\n")
    assert web().key != before


def test_the_key_follows_names_and_build_arguments(checkout: Path) -> None:
    before = web().key
    assert web(arguments=(("VARIANT", "cpu"),)).key != before
    (checkout / "source/one.py").rename(checkout / "source/renamed.py")
    assert web().key != before


def test_the_key_ignores_what_is_not_built_from(checkout: Path) -> None:
    before = web().key
    (checkout / "other/three.py").write_text("changed")
    (checkout / "source/__pycache__").mkdir()
    (checkout / "source/__pycache__/one.pyc").write_text("compiled")
    (checkout / "source/one.pyc").write_text("compiled")
    assert web().key == before


def test_something_missing_is_named(checkout: Path) -> None:
    (checkout / "images/web/Dockerfile").write_text("FROM scratch\nCOPY missing /missing\n")
    with pytest.raises(WorkbenchError, match="missing does not exist"):
        _ = web().key


def test_the_frontend_without_a_portal_says_what_it_needs(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal, "_SOURCES", checkout / "services/frontend")
    with pytest.raises(WorkbenchError, match="scripts/portal"):
        _ = Portal().key


def test_references_have_the_key_and_the_version(checkout: Path) -> None:
    image = web(tag_suffix="-cpu")
    assert image.reference == f"localhost:5001/trainyard/web:{image.key}-cpu"
    assert image.version_reference == "localhost:5001/trainyard/web:1.2.3-cpu"
    assert len(image.key) == 16


def test_names() -> None:
    assert [image.name for image in named(["api", "trainer-cuda"])] == ["api", "trainer-cuda"]
    assert {image.name for image in named([])} == set(IMAGES) - {"trainer-cuda"}
    with pytest.raises(WorkbenchError, match="no image is called 'apo'; there are api, "):
        named(["apo"])


@pytest.mark.parametrize("engine", [engines.Docker(), engines.Buildah("buildah")], ids=["docker", "buildah"])
def test_both_engines_are_told_the_same(checkout: Path, monkeypatch: pytest.MonkeyPatch, engine: engines.Engine) -> None:
    for name in engines._CA_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    image = web(arguments=(("VARIANT", "cpu"),))
    command = engine.build_command(image, {"programs": Path("/programs")})
    assert command[-1] == str(checkout), "the checkout is what is copied from"
    pairs = set(pairwise(command))
    assert {
        ("--file", str(checkout / "images/web/Dockerfile")),
        ("--tag", image.reference),
        ("--tag", image.version_reference),
        ("--build-arg", "VARIANT=cpu"),
        ("--build-context", "programs=/programs"),
        ("--label", "org.opencontainers.image.version=1.2.3"),
    } <= pairs
    assert "--secret" not in command
    monkeypatch.setenv("SSL_CERT_FILE", "/bundle.pem")
    command = engine.build_command(image, {})
    assert command[command.index("--secret") + 1] == "id=ca-bundle,src=/bundle.pem"


@pytest.mark.parametrize(("text", "size"), [("80.9 MB", 80_900_000), ("1.93 GB", 1_930_000_000), ("752 B", 752)])
def test_sizes_that_buildah_prints(text: str, size: int) -> None:
    assert engines._bytes(text) == size


@pytest.fixture
def listening() -> Iterator[str]:
    """The address of a registry that has one image of two layers."""

    class Registry(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path not in ("/v2/", "/v2/trainyard/web/manifests/key"):
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"config": {"size": 1}, "layers": [{"size": 30}, {"size": 12}]}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_registry_tells_what_a_pull_moves(listening: str) -> None:
    assert registry.answers(listening)
    assert registry.compressed_bytes(f"{listening}/trainyard/web:key") == 42
    assert registry.compressed_bytes(f"{listening}/trainyard/web:other") is None
    assert not registry.answers("127.0.0.1:1")
    assert registry.compressed_bytes("127.0.0.1:1/trainyard/web:key") is None
