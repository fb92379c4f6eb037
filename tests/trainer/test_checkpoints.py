"""Checkpoints in an object store of real files, and of a real S3 server."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trainyard_train import checkpoints
from trainyard_train.objects import Objects


@pytest.fixture(params=["file", "s3"])
def objects(request: pytest.FixtureRequest, folder: Path) -> Objects:
    """An empty object store."""
    if request.param == "s3":
        return Objects(f"{request.getfixturevalue('s3_bucket_url')}/{folder.parent.name}")
    return Objects(f"file://{str(folder).replace(' ', '%20')}/objects")


@pytest.fixture
def save(objects: Objects, tmp_path: Path) -> Callable[[int], None]:
    """Save a checkpoint of two files whose content names its step."""

    def one(step: int) -> None:
        source = tmp_path / f"saved-{step}"
        (source / "shards").mkdir(parents=True)
        (source / "state.pt").write_bytes(b"state of %d" % step)
        (source / "shards" / "0").write_bytes(b"x" * 3_000_000)
        assert checkpoints.save(objects, "job", step, source) == 3_000_000 + len(f"state of {step}")

    return one


def test_the_newest_is_restored_and_two_are_kept(objects: Objects, save: Callable[[int], None], tmp_path: Path) -> None:
    assert checkpoints.restore(objects, "job", tmp_path / "none") is None
    for step in (5, 10, 200):
        save(step)
    restored = checkpoints.restore(objects, "job", tmp_path / "into")
    assert restored is not None
    assert restored.step == 200
    assert (restored.path / "state.pt").read_bytes() == b"state of 200"
    assert (restored.path / "shards" / "0").stat().st_size == 3_000_000
    assert {key.split("/")[3] for key in objects.list("jobs/job/checkpoints")} == {"000000000010", "000000000200"}


@pytest.mark.parametrize("damage", ["no manifest", "cut manifest", "cut file", "missing file", "path outside"])
def test_a_damaged_newest_is_passed_over(objects: Objects, save: Callable[[int], None], tmp_path: Path, damage: str) -> None:
    save(1)
    save(2)
    newest = "jobs/job/checkpoints/000000000002"
    if damage == "no manifest":  # the upload was cut off: the manifest comes last
        files = {key: objects.get(key) for key in objects.list(newest) if not key.endswith("manifest.json")}
        objects.delete_folder(newest)
        for key, content in files.items():
            objects.put(key, content or b"")
    elif damage == "cut manifest":
        objects.put(f"{newest}/manifest.json", b'{"step": 2, "fil')
    elif damage == "cut file":
        objects.put(f"{newest}/state.pt", b"state")
    elif damage == "path outside":
        objects.put_json(f"{newest}/manifest.json", {"step": 2, "files": {"../../outside": "0" * 64}})
    else:
        objects.put_json(f"{newest}/manifest.json", {"step": 2, "files": {"gone.pt": "0" * 64}})

    restored = checkpoints.restore(objects, "job", tmp_path / "into")

    assert restored is not None
    assert restored.step == 1
    assert (restored.path / "state.pt").read_bytes() == b"state of 1"
    assert not (tmp_path / "outside").exists()


def test_the_ranks_of_a_machine_share_one_download(objects: Objects, save: Callable[[int], None], tmp_path: Path) -> None:
    save(3)
    first = checkpoints.restore_once(objects, "job", tmp_path / "into")
    objects.delete_folder("jobs/job/checkpoints")
    assert first is not None
    assert checkpoints.restore_once(objects, "job", tmp_path / "into") == first
    assert checkpoints.restore_once(objects, "job", tmp_path / "elsewhere") is None
    assert checkpoints.restore_once(objects, "job", tmp_path / "elsewhere") is None
