"""The parts of the cluster's scripts that need no cluster."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from workbench.cluster import configs, identity, images, needs, probes, providers
from workbench.cluster.__main__ import main
from workbench.cluster.components import components
from workbench.cluster.layout import Layout, free_number, must_be_usable, open_layout
from workbench.cluster.leftovers import Traces
from workbench.cluster.locks import locked
from workbench.cluster.provisioner import volume_for
from workbench.errors import WorkbenchError

NEEDED = "start Docker"


@pytest.mark.parametrize(
    ("asked", "exist", "engine", "needed", "expected"),
    [
        (None, False, "docker", NEEDED, "kind"),
        (None, False, "docker", None, "kind"),
        (None, False, None, None, "processes"),
        (None, True, "docker", None, "processes"),
        ("processes", False, "docker", None, "processes"),
        ("kind", True, "podman", None, "kind"),
    ],
)
def test_the_provider_that_was_asked_for_else_the_one_that_fits(
    asked: str | None, exist: bool, engine: str | None, needed: str | None, expected: str
) -> None:
    assert providers.chosen(asked, processes_exist=exist, engine=engine, needed=needed) == expected


def test_without_engine_and_rights_one_sentence_says_what_is_needed() -> None:
    for system, user, says in (("Darwin", 0, "on Darwin .* start Docker"), ("Linux", 1000, "or root .*sudo ./scripts/cluster up")):
        with pytest.raises(WorkbenchError, match=says):
            providers.chosen(None, processes_exist=False, engine=None, needed=needs.machine_can(system, user))
    assert needs.machine_can("Linux", 0) is None
    with pytest.raises(WorkbenchError, match="--provider kind needs"):
        providers.chosen("kind", processes_exist=False, engine=None, needed=None)


def test_missing_programs_are_named_by_their_packages() -> None:
    found: dict[str, str | None] = dict.fromkeys(needs.PROGRAMS, "/usr/bin/it")
    assert needs.missing_packages(found, cni=True) == []
    assert needs.missing_packages({**found, "ctr": None, "containerd": None, "ipset": None}, cni=False) == [
        "containerd",
        "containernetworking-plugins",
        "ipset",
    ]


def test_a_recycled_pid_is_another_process(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        known = identity.of(child.pid)
        assert known is not None
        known.save(tmp_path / "it.json")
        assert identity.load(tmp_path / "it.json") == known
        assert known.alive
        # A process that has just become another program has no command line for a moment.
        assert wait_for("its command line", lambda: known.command) == (sys.executable, "-c", "input()")
        for other in (replace(known, started=known.started - 1), replace(known, boot="another")):
            assert not other.alive
            other.end()
            assert child.poll() is None, "a signal went to a process that only has the same pid"
        known.end()
        assert not known.alive
    finally:
        child.kill()
        child.wait()
    assert child.returncode == -signal.SIGTERM
    assert identity.of(child.pid) is None
    assert identity.load(tmp_path / "none.json") is None


def test_a_zombie_does_not_run() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    known = identity.of(child.pid)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert known is None or not known.alive
    child.wait()


def test_clusters_of_one_machine_get_networks_of_their_own(tmp_path: Path) -> None:
    first = free_number(tmp_path, "")
    assert free_number(tmp_path, f"9: trainyard1    inet 198.18.{first}.1/30 scope global") == (first + 1) % 256
    with pytest.raises(WorkbenchError, match="take other clusters down"):
        free_number(tmp_path, "".join(f" 198.18.{number}.1/30" for number in range(256)))


def test_a_state_folder_of_something_else_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = Path("/" + "x" * 70)
    monkeypatch.chdir(tmp_path)
    taken = Path("taken")
    taken.mkdir()
    (taken / "thesis.tex").touch()
    with pytest.raises(WorkbenchError, match="holds other files"):
        must_be_usable(taken)
    with pytest.raises(WorkbenchError, match="too long"):
        must_be_usable(deep)
    assert open_layout(taken) is None
    (taken / "cluster.json").write_text("[]")
    with pytest.raises(WorkbenchError, match="not one of ours"):
        open_layout(taken)


def test_the_components_meet_at_the_same_addresses_and_files() -> None:
    layout = Layout(Path("/state"), 7)
    programs = {
        name: Path("/bin", name)
        for name in (
            *("docker-registry", "containerd", "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
            *("kubelet", "kube-proxy", "kube-router", "python"),
        )
    }
    made = components(layout, programs)
    commands = {name: " ".join(component.command) for name, component in made.items()}
    assert "--advertise-address=198.18.7.2" in commands["kube-apiserver"]
    assert made["kube-apiserver"].ready == "https://198.18.7.2:6443/readyz"
    for name in ("kube-apiserver", "kube-controller-manager"):
        assert "--service-cluster-ip-range=10.96.0.0/16" in commands[name]
    assert configs.kubelet(layout)["containerRuntimeEndpoint"] == "unix:///state/run/containerd.sock"
    assert 'address = "/state/run/containerd.sock"' in configs.containerd(layout, "pause", Path("/cni"), Path("/certs"), "overlayfs")
    assert [name for name, component in made.items() if not component.inside] == ["registry", "provisioner"]


def test_the_registrys_reader_serves_the_same_folder_and_takes_nothing() -> None:
    writes, reads = (configs.registry(Path("/images"), read_only=only) for only in (False, True))
    assert writes["storage"]["filesystem"] == reads["storage"]["filesystem"] == {"rootdirectory": "/images"}
    assert reads["storage"]["maintenance"]["readonly"]["enabled"]
    assert writes["http"]["addr"] == reads["http"]["addr"] == "127.0.0.1:5001", "never on the network"


def test_an_overlay_cannot_carry_another_one(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("overlay / overlay rw 0 0\n/dev/sda /var/lib ext4 rw 0 0\n")
    assert configs.snapshotter(Path("/srv/cluster"), mounts) == "native"
    assert configs.snapshotter(Path("/var/lib/cluster"), mounts) == "overlayfs"


def test_a_programs_image_is_an_oci_archive_with_the_right_digests(tmp_path: Path) -> None:
    program = tmp_path / "pause"
    program.write_bytes(b"\x7fELF")
    images.write_archive(tmp_path / "image.tar", "trainyard.dev/pause:1", program)
    with tarfile.open(tmp_path / "image.tar") as archive:
        content = {name: archive.extractfile(name).read() for name in archive.getnames()}  # type: ignore[union-attr]
    [described] = json.loads(content["index.json"])["manifests"]
    assert described["annotations"] == {"io.containerd.image.name": "trainyard.dev/pause:1"}
    for name, blob in content.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}"
    manifest = json.loads(content[f"blobs/{described['digest'].replace(':', '/')}"])
    config = json.loads(content[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_a_claims_volume_is_its_own_folder_and_reserved_for_it() -> None:
    claim = {
        "metadata": {"name": "data", "namespace": "team", "uid": "u-1", "resourceVersion": "5"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volume = volume_for(claim, {"metadata": {"name": "standard"}, "reclaimPolicy": "Delete"}, Path("/volumes"))
    assert volume["metadata"]["name"] == "pvc-u-1"
    assert volume["spec"]["local"] == {"path": "/volumes/pvc-u-1"}
    assert volume["spec"]["claimRef"]["namespace"] == "team"
    assert volume["spec"]["claimRef"]["uid"] == "u-1"


def test_every_difference_between_before_and_after_is_named() -> None:
    empty = Traces(*[frozenset[str]()] * 9)
    before = replace(empty, interfaces=frozenset({"lo", "eth0"}), settings=frozenset({"net.ipv4.ip_forward 0"}))
    after = replace(before, interfaces=frozenset({"lo", "cni0"}), settings=frozenset({"net.ipv4.ip_forward 1"}))
    assert after.since(before) == [
        "interfaces: left over: cni0",
        "interfaces: gone: eth0",
        "settings: left over: net.ipv4.ip_forward 1",
        "settings: gone: net.ipv4.ip_forward 0",
    ]
    assert before.since(before) == []


def test_whoever_waited_for_the_lock_of_a_removed_folder_gets_one_of_its_own(tmp_path: Path) -> None:
    folder, entered = tmp_path / "state", threading.Event()

    def second() -> None:
        with locked(folder):
            entered.set()
            assert (folder / "lock").exists()

    with ThreadPoolExecutor() as pool:
        with locked(folder):
            waiting = pool.submit(second)
            assert not entered.wait(0.2), "two had the lock at once"
            shutil.rmtree(folder)
        waiting.result(10)


@pytest.mark.parametrize(("flags", "count", "expected"), [(0x80, 1, True), (0x83, 0, False), (0x80, 0, False)])
def test_a_name_server_is_ready_when_it_knows_the_cluster(flags: int, count: int, expected: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, ThreadPoolExecutor() as pool:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def answer() -> bytes:
            question, sender = server.recvfrom(512)
            server.sendto(question[:3] + bytes([flags, 0, 1, 0, count, 0, 0, 0, 0]) + question[12:], sender)
            return question

        answered = pool.submit(answer)
        assert probes.resolves("127.0.0.1", port=server.getsockname()[1], seconds=10) is expected
        assert b"\x0akubernetes\x07default\x03svc\x07cluster\x05local\x00" in answered.result()


def test_commands_that_need_a_cluster_say_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRAINYARD_CLUSTER_DIR", str(tmp_path / "c"))
    assert main(["status", "--provider", "processes"]) == 1
    assert "./scripts/cluster up" in capsys.readouterr().out
    for command in (["kubeconfig"], ["load", "image"]):
        with pytest.raises(WorkbenchError, match="there is no cluster"):
            main([*command, "--provider", "processes"])
    assert main(["down", "--provider", "processes"]) == 0
    assert not (tmp_path / "c").exists()
