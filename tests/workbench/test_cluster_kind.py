"""What the provider kind asks of the engine and of kind. (The real ones need a container engine; `./scripts/test cluster` uses them.)"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.cluster.kind import NODE_IMAGE, Kind
from workbench.errors import WorkbenchError

Answers = dict[str, str | None]


class Recorder:
    """Answers commands by their beginning (None: the command fails) and remembers them."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.commands: list[str] = []
        self.inputs: list[str] = []
        self.environments: list[dict[str, str]] = []

    def __call__(self, command: tuple[str, ...], *, input: str | None, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        text = " ".join(command)
        self.commands.append(text)
        self.environments.append(environment)
        if input is not None:
            self.inputs.append(input)
        answer = next((value for start, value in self.answers.items() if text.startswith(start)), "")
        return subprocess.CompletedProcess(command, int(answer is None), answer or "", "no such thing" if answer is None else "")

    def did(self, start: str) -> list[str]:
        return [command for command in self.commands if command.startswith(start)]


Making = Callable[[Answers], tuple[Kind, Recorder]]


@pytest.fixture
def kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    monkeypatch.setenv("TRAINYARD_CACHE", str(tmp_path))

    def make(answers: Answers) -> tuple[Kind, Recorder]:
        recorder = Recorder(answers)
        return Kind("podman", run=recorder, program="kind"), recorder

    return make


def test_up_makes_registry_and_cluster_and_shows_the_node_the_registry(kind: Making, tmp_path: Path) -> None:
    provider, recorder = kind(
        {
            "podman inspect --type=container": None,
            "podman inspect --format={{json": '{"bridge": {}}',
            "kind get nodes": "trainyard-control-plane\n",
        }
    )
    provider.up()
    [registry] = recorder.did("podman run")
    assert "--publish=127.0.0.1:5001:5000" in registry
    assert (
        f"kind create cluster --name=trainyard --image={NODE_IMAGE} --kubeconfig={tmp_path}/kind-kubeconfig --wait=180s"
        in recorder.commands
    )
    assert "podman network connect kind trainyard-registry" in recorder.commands
    assert "podman exec trainyard-control-plane mkdir -p /etc/containerd/certs.d/localhost:5001" in recorder.commands
    assert recorder.inputs == ['[host."http://trainyard-registry:5000"]\n']
    assert all(environment == {"KIND_EXPERIMENTAL_PROVIDER": "podman"} for environment in recorder.environments)


def test_a_second_up_makes_nothing_anew_and_starts_what_was_stopped(kind: Making) -> None:
    provider, recorder = kind(
        {
            "podman inspect --type=container": "exited\n",
            "podman inspect --format={{json": '{"kind": {}}',
            "kind get clusters": "trainyard\n",
            "kind get nodes": "trainyard-control-plane\n",
        }
    )
    provider.up()
    assert not recorder.did("podman run")
    assert not recorder.did("kind create")
    assert not recorder.did("podman network connect")
    assert recorder.did("podman start") == ["podman start trainyard-registry", "podman start trainyard-control-plane"]


def test_down_removes_cluster_and_registry_and_keeps_the_volume(kind: Making) -> None:
    provider, recorder = kind({"podman inspect --type=container": "running\n"})
    provider.down()
    assert recorder.did("kind delete cluster --name=trainyard")
    assert recorder.did("podman rm") == ["podman rm --force trainyard-registry"]
    assert not recorder.did("podman volume")


def test_status_tells_what_does_not_run(kind: Making) -> None:
    provider, _ = kind(
        {
            "podman inspect --type=container --format={{.State.Status}} trainyard-registry": "exited\n",
            "podman inspect --type=container": "running\n",
            "kind get clusters": "trainyard\n",
            "kind get nodes": "trainyard-control-plane\n",
            "podman exec trainyard-control-plane kubectl": None,
        }
    )
    assert provider.status() == {"trainyard-registry": "stopped", "trainyard-control-plane": "ready", "kube-apiserver": "not ready"}


def test_an_archive_and_an_image_are_loaded_each_in_its_way(kind: Making, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.touch()
    provider, recorder = kind({})
    provider.load(str(archive))
    provider.load("trainyard/api:0.1.0")
    assert recorder.commands == [
        f"kind load image-archive {archive} --name=trainyard",
        "kind load docker-image trainyard/api:0.1.0 --name=trainyard",
    ]


def test_what_the_engine_refuses_is_told(kind: Making) -> None:
    provider, _ = kind({"podman inspect --type=container": "exited", "podman start": None})
    with pytest.raises(WorkbenchError, match="podman start trainyard-registry failed: no such thing"):
        provider.up()
