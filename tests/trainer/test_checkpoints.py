"""Checkpoints in an object store of real files, and of a real S3 server."""

import errno
import json
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from trainyard_templates import CheckpointPolicy
from trainyard_train import checkpoint_queue, checkpoints
from trainyard_train.checkpoint_queue import hand_over
from trainyard_train.checkpoint_uploader import CheckpointUploader
from trainyard_train.checkpoints import CheckpointStore, DamagedCheckpoint
from trainyard_train.logs import Remarks
from trainyard_train.objects import Objects

Save = Callable[..., CheckpointStore]


@pytest.fixture(params=["file", "s3"])
def objects(request: pytest.FixtureRequest, folder: Path) -> Objects:
    """An empty object store."""
    if request.param == "s3":
        return Objects(f"{request.getfixturevalue('s3_bucket_url')}/{folder.parent.name}")
    return Objects(f"file://{str(folder).replace(' ', '%20')}/objects")


@pytest.fixture
def local(folder: Path) -> Objects:
    """An empty object store of files."""
    return Objects(f"file://{str(folder).replace(' ', '%20')}/objects")


def save(objects: Objects, tmp_path: Path, step: int, metrics: Mapping[str, float] | None = None, *, attempt: int = 1, **policy) -> None:
    """Save a checkpoint of two files whose content names its step, as a new attempt's agent."""
    source = tmp_path / f"saved-{attempt}-{step}"
    (source / "shards").mkdir(parents=True)
    (source / "state.pt").write_bytes(b"state of %d" % step)
    (source / "shards" / "0").write_bytes(b"x" * 3_000_000)
    size = CheckpointStore(objects, "job", attempt, CheckpointPolicy(**policy)).save(step, source, metrics or {})
    assert size == 3_000_000 + len(f"state of {step}")


def steps(objects: Objects) -> set[int]:
    return {int(key.split("/")[3]) for key in objects.list("jobs/job/checkpoints")}


def key(step: int) -> str:
    return f"jobs/job/checkpoints/{step:012d}"


def test_the_newest_is_restored_and_two_are_kept(objects: Objects, tmp_path: Path) -> None:
    assert checkpoints.find(objects, "job", tmp_path / "none") == checkpoints.Found(None)
    for step in (5, 10, 200):
        save(objects, tmp_path, step, {"loss": step / 2, "odd": math.nan}, attempt=3)
    found = checkpoints.find(objects, "job", tmp_path / "into")
    assert (found.key, found.damaged) == (key(200), {})
    path = checkpoints.fetch_once(objects, key(200), tmp_path / "into")
    assert (path / "state.pt").read_bytes() == b"state of 200"
    assert (path / "shards" / "0").stat().st_size == 3_000_000
    assert steps(objects) == {10, 200}
    manifest = objects.get_json(f"{key(200)}/manifest.json")
    assert (manifest["step"], manifest["attempt"], manifest["metrics"]) == (200, 3, {"loss": 100.0})
    assert manifest["files"]["state.pt"]["size"] == 12
    assert set(manifest) == {"step", "time", "attempt", "files", "metrics"}


@pytest.mark.parametrize(("mode", "kept"), [("min", {20, 50}), ("max", {30, 50})])
def test_the_best_is_kept_beside_the_newest(local: Objects, tmp_path: Path, mode: str, kept: set[int]) -> None:
    for step, loss in ((10, 2.0), (20, 0.5), (30, 3.0), (40, 1.0)):
        save(local, tmp_path, step, {"loss": loss}, keep=1, best_metric="loss", best_mode=mode)
    save(local, tmp_path, 50, keep=1, best_metric="loss", best_mode=mode)
    assert steps(local) == kept


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("cut manifest", "its manifest cannot be read"),
        ("cut file", "state.pt has 5 bytes instead of 10"),
        ("changed file", "state.pt has another content than was saved"),
        ("missing file", "shards/0 is missing"),
        ("path outside", 'its manifest names "../../outside", which is outside of it'),
    ],
)
def test_a_damaged_newest_is_passed_over(objects: Objects, tmp_path: Path, damage: str, why: str) -> None:
    save(objects, tmp_path, 1)
    save(objects, tmp_path, 2)
    manifest = objects.get_json(f"{key(2)}/manifest.json")
    if damage == "cut manifest":
        objects.put(f"{key(2)}/manifest.json", b'{"step": 2, "fil')
    elif damage == "cut file":
        objects.put(f"{key(2)}/state.pt", b"state")
    elif damage == "changed file":
        objects.put(f"{key(2)}/state.pt", b"STATE OF 2")
    elif damage == "missing file":
        objects.delete_folder(key(2))
        objects.put_json(f"{key(2)}/manifest.json", manifest)
    else:
        manifest["files"] = {"../../outside": manifest["files"]["state.pt"]}
        objects.put_json(f"{key(2)}/manifest.json", manifest)

    assert checkpoints.find(objects, "job", tmp_path / "into") == checkpoints.Found(key(1), {2: why})
    assert not (tmp_path / "outside").exists()
    with pytest.raises(DamagedCheckpoint):
        checkpoints.fetch_once(objects, key(2), tmp_path / "again")

    # The attempt that went back to step 1 keeps what it saves, although a damaged one has a higher step.
    save(objects, tmp_path, 3, attempt=2, keep=1)
    assert steps(objects) == {3}


def test_an_upload_that_was_cut_off_is_not_seen_and_does_not_stay(local: Objects, tmp_path: Path) -> None:
    save(local, tmp_path, 1)
    local.put(f"{key(2)}/state.pt", b"half")
    assert checkpoints.find(local, "job", tmp_path / "into") == checkpoints.Found(key(1))
    save(local, tmp_path, 3)
    assert steps(local) == {1, 3}


def test_an_upload_that_fails_half_way_leaves_nothing_to_resume_from(
    local: Objects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(local, tmp_path, 1)
    put_file = local.put_file

    def put_all_but_the_last(key: str, source: Path) -> None:
        if key.endswith("state.pt"):
            raise OSError("the connection is lost")
        put_file(key, source)

    monkeypatch.setattr(local, "put_file", put_all_but_the_last)
    with pytest.raises(OSError, match="the connection is lost"):
        save(local, tmp_path, 2)
    assert steps(local) == {1, 2}
    assert checkpoints.find(local, "job", tmp_path / "into") == checkpoints.Found(key(1))


def test_a_step_that_is_saved_again_is_no_mixture(local: Objects, tmp_path: Path) -> None:
    save(local, tmp_path, 1)
    local.put(f"{key(1)}/of the first attempt", b"")
    save(local, tmp_path, 1, attempt=2)
    assert not local.get(f"{key(1)}/of the first attempt")
    assert checkpoints.find(local, "job", tmp_path / "into").key == key(1)


def test_the_ranks_of_a_machine_share_one_download(objects: Objects, tmp_path: Path) -> None:
    save(objects, tmp_path, 3)
    first = checkpoints.fetch_once(objects, key(3), tmp_path / "into")
    objects.delete_folder("jobs/job/checkpoints")
    assert checkpoints.fetch_once(objects, key(3), tmp_path / "into") == first
    with pytest.raises(DamagedCheckpoint, match="its manifest cannot be read"):
        checkpoints.fetch_once(objects, key(3), tmp_path / "elsewhere")


class Refusing(CheckpointStore):
    """A store that refuses until it is told to take."""

    takes = False
    asked = 0

    def save(self, step: int, folder: Path, metrics: Mapping[str, float]) -> int:
        self.asked += 1
        if not self.takes:
            raise OSError("full")
        return super().save(step, folder, metrics)


def test_of_those_that_wait_the_newest_is_sent_and_the_disk_holds_no_more_than_two(local: Objects, tmp_path: Path) -> None:
    queue, source, log = tmp_path / "queue", tmp_path / "state", tmp_path / "log"
    source.mkdir()
    store = Refusing(local, "job", 1, CheckpointPolicy())
    saved: list[tuple[int, int]] = []
    uploader = CheckpointUploader(
        queue, store, settled=lambda _: True, saved=lambda step, size, _: saved.append((step, size)), remarks=Remarks(log)
    )
    for step in range(1, 30):
        (source / "state.pt").write_text(f"state {step}")
        hand_over(queue, source, step=step, metrics={"loss": step}, move=False)
        assert len([one for one in queue.iterdir() if one.suffix != ".gone"]) <= 2, "one is being sent, one waits"
    wait_for("the store to be asked", lambda: store.asked)
    wait_for("the complaint", lambda: "the object store refuses a checkpoint: full; training goes on" in log.read_text())
    store.takes = True
    assert uploader.close(10)
    assert saved[-1] == (29, 8)
    assert list(queue.iterdir()) == [], "no copy stays"
    assert local.get(f"{key(29)}/state.pt") == b"state 29"
    assert "checkpoints: everything is sent again" in log.read_text()


def test_a_folder_that_is_given_up_is_moved_and_another_copied(tmp_path: Path) -> None:
    given, kept = tmp_path / "given", tmp_path / "kept"
    for folder in (given, kept):
        folder.mkdir()
        (folder / "state.pt").write_text("saved")
    inode = (given / "state.pt").stat().st_ino
    hand_over(tmp_path / "a", given, step=1, metrics={}, move=True)
    hand_over(tmp_path / "b", kept, step=1, metrics={"loss": 1.0}, move=False)
    (kept / "state.pt").write_text("written to in place, as a caller may")
    [moved], [copied] = (list((tmp_path / name).iterdir()) for name in "ab")
    assert not given.exists()
    assert (moved / "files" / "state.pt").stat().st_ino == inode
    assert (copied / "files" / "state.pt").read_text() == "saved"
    assert json.loads((copied / "about.json").read_text()) == {"step": 1, "metrics": {"loss": 1.0}}


def test_a_disk_that_is_full_keeps_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "state"
    source.mkdir()
    for name in ("a", "b"):
        (source / name).write_text("saved")
    hand_over(tmp_path / "queue", source, step=1, metrics={}, move=False)

    def copy_one(original: str, target: str) -> str:
        if target.endswith("b"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return shutil.copyfile(original, target)

    monkeypatch.setattr(checkpoint_queue, "_clone_or_copy", copy_one)
    with pytest.raises(OSError, match="No space left"):
        hand_over(tmp_path / "queue", source, step=2, metrics={}, move=False)
    [left] = (tmp_path / "queue").iterdir()
    assert json.loads((left / "about.json").read_text())["step"] == 1
