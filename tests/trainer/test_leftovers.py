"""What a killed agent left on its machine's disk is sent from there, and only when the agent is really gone."""

import multiprocessing
import threading
from pathlib import Path

import pytest
from tests.support.waiting import wait_for

from trainyard_templates import CheckpointPolicy, RunSpec
from trainyard_train import checkpoints, leftovers
from trainyard_train.checkpoint_queue import hand_over, take, waiting
from trainyard_train.checkpoints import CheckpointStore
from trainyard_train.environment import JobEnvironment
from trainyard_train.objects import Objects


@pytest.fixture
def env(tmp_path: Path) -> JobEnvironment:
    """The second attempt of a job."""
    return JobEnvironment("job", 2, RunSpec(kind="script", entry="train.py"), f"file://{tmp_path}/objects", tmp_path / "spool")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def content(objects: Objects, prefix: str) -> bytes:
    whole = b""
    for key in objects.list(prefix):
        assert int(Path(key).stem) == len(whole)
        whole += objects.get(key) or b""
    return whole


def test_an_earlier_attempts_rest_is_sent_and_its_folder_removed(env: JobEnvironment) -> None:
    objects, spool = Objects(env.object_store_url), env.spool_dir / "job" / "1"
    write(spool / "logs" / "rank-0.log", b"sent, and not sent\n")
    objects.put("jobs/job/attempts/1/logs/rank-0/000000000000.log", b"sent,")
    objects.put("jobs/job/attempts/1/logs/rank-0/000000000005.log", b" and ")
    write(spool / "logs" / "driver.log", b"last words\n")
    write(spool / "records" / "rank-1.jsonl", b'{"kind": "metrics"}\n')
    write(spool / "records" / "reported-before-by-rank-0.json", b"{}")

    leftovers.send_earlier_leftovers(env, objects)

    assert content(objects, "jobs/job/attempts/1/logs/rank-0") == b"sent, and not sent\n"
    assert content(objects, "jobs/job/attempts/1/logs/rank-driver") == b"last words\n"
    assert content(objects, "jobs/job/attempts/1/records/rank-1") == b'{"kind": "metrics"}\n'
    assert not spool.exists()


@pytest.mark.parametrize("state", ["waited", "was being sent", "had been sent"])
def test_a_checkpoint_that_was_left_is_resumed_from(env: JobEnvironment, tmp_path: Path, state: str) -> None:
    objects, queue = Objects(env.object_store_url), env.spool_dir / "job" / "1" / "checkpoints"
    for step in (1, 2):
        write(tmp_path / str(step) / "state.pt", b"state %d" % step)
        hand_over(queue, tmp_path / str(step), step=step, metrics={"loss": 1.0}, move=False)
        if state != "waited":
            left = take(waiting(queue)[-1])
    if state == "had been sent":
        CheckpointStore(objects, "job", 1, CheckpointPolicy()).save(2, left / "files", {"loss": 1.0})
    before = objects.get("jobs/job/checkpoints/000000000002/manifest.json")

    leftovers.send_earlier_leftovers(env, objects)

    manifest = objects.get("jobs/job/checkpoints/000000000002/manifest.json")
    assert manifest == before if before else manifest
    found = checkpoints.find(objects, "job", tmp_path / "into")
    assert found.key == "jobs/job/checkpoints/000000000002"
    assert objects.get(f"{found.key}/state.pt") == b"state 2"
    assert not queue.exists()


def hold(spool: Path, held: "threading.Event", release: "threading.Event") -> None:
    with leftovers.claim(spool, "rank-0"):
        held.set()
        release.wait(60)


def test_an_agent_that_still_sends_is_waited_for(env: JobEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    objects, spool = Objects(env.object_store_url), env.attempt_spool
    write(spool / "logs" / "rank-0.log", b"line\n")
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    agent = context.Process(target=hold, args=(spool, held, release))
    agent.start()
    try:
        assert held.wait(60)
        monkeypatch.setattr(leftovers, "PATIENCE_SECONDS", 0.3)
        leftovers.send_leftovers(env, objects)
        assert not objects.list("jobs"), "it is left to the agent"
        monkeypatch.setattr(leftovers, "PATIENCE_SECONDS", 60.0)
        sender = threading.Thread(target=leftovers.send_leftovers, args=(env, objects))
        sender.start()
        agent.kill()
        sender.join(60)
        wait_for("the log", lambda: content(objects, "jobs/job/attempts/2/logs/rank-0") == b"line\n")
    finally:
        agent.kill()
        agent.join()


def test_what_earlier_attempts_had_fetched_makes_room(env: JobEnvironment) -> None:
    first = env.spool_dir / "job" / "1"
    for name in ("code/train.py", "resume/state.pt", "checkpoints/5/files/state.pt", "records/rank-0.jsonl"):
        write(first / name, b"x")
    write(env.attempt_spool / "code" / "train.py", b"x")
    leftovers.drop_copies(env)
    assert sorted(path.name for path in first.iterdir()) == ["checkpoints", "records"]
    assert (env.attempt_spool / "code" / "train.py").exists()
