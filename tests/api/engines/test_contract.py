"""What the controller relies on, whichever the engine."""

from tests.support.engines import Bench
from tests.support.threads import at_once
from tests.support.waiting import wait_for

from trainyard_api.engines.base import EngineStatus, Phase

UNKNOWN = {"submission_id": "ty-nobody-1"}


def ended(bench: Bench, handle: dict[str, object]) -> EngineStatus:
    def probe() -> EngineStatus | None:
        status = bench.engine.describe(handle)
        return status if status.phase.ended else None

    return wait_for("the job to end", probe, seconds=400)


def test_a_job_runs_and_succeeds(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("succeeds"))
    assert ended(bench, handle).phase is Phase.SUCCEEDED
    assert bench.engine.describe(handle).phase is Phase.SUCCEEDED


def test_a_failure_says_why(bench: Bench) -> None:
    status = ended(bench, bench.engine.submit(bench.submission("fails")))
    assert status.phase is Phase.FAILED
    assert status.message
    assert "\n" not in status.message


def test_the_submission_id_alone_is_a_handle(bench: Bench) -> None:
    submission = bench.submission("succeeds")
    handle = bench.engine.submit(submission)
    assert handle["submission_id"] == submission.submission_id
    alone = {"submission_id": submission.submission_id}
    assert ended(bench, alone).phase is Phase.SUCCEEDED
    bench.engine.delete(alone)
    assert bench.engine.describe(handle).phase is Phase.MISSING


def test_a_repeated_submission_finds_the_first(bench: Bench) -> None:
    submission = bench.submission("runs until stopped")
    handles = at_once(3, lambda _: bench.engine.submit(submission))
    handles.append(bench.engine.submit(submission))
    assert all(handle == handles[0] for handle in handles)
    bench.engine.stop(handles[0])
    assert ended(bench, handles[0]).phase is Phase.STOPPED
    assert bench.engine.submit(submission) == handles[0]
    assert bench.engine.describe(handles[0]).phase is Phase.STOPPED


def test_stop_ends_a_running_job_and_may_be_repeated(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("runs until stopped"))
    assert not bench.engine.describe(handle).phase.ended
    bench.engine.stop(handle)
    bench.engine.stop(handle)
    assert ended(bench, handle).phase is Phase.STOPPED
    bench.engine.stop(handle)
    assert bench.engine.describe(handle).phase is Phase.STOPPED


def test_stop_does_not_change_how_a_job_ended(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("succeeds"))
    ended(bench, handle)
    bench.engine.stop(handle)
    assert bench.engine.describe(handle).phase is Phase.SUCCEEDED


def test_a_deleted_job_is_missing_and_delete_may_be_repeated(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("succeeds"))
    ended(bench, handle)
    bench.engine.delete(handle)
    bench.engine.delete(handle)
    assert bench.engine.describe(handle).phase is Phase.MISSING


def test_what_is_not_forgotten_is_listed(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("runs until stopped"))
    wait_for("the job in the list", lambda: handle in bench.engine.submissions())
    bench.engine.stop(handle)
    ended(bench, handle)
    assert handle in bench.engine.submissions()
    bench.engine.delete(handle)
    assert handle not in bench.engine.submissions()


def test_a_job_that_never_was(bench: Bench) -> None:
    status = bench.engine.describe(UNKNOWN)
    assert status.phase is Phase.MISSING
    assert status.phase.ended
    assert status.message
    assert bench.engine.last_lines(UNKNOWN) == []
    bench.engine.stop(UNKNOWN)
    bench.engine.delete(UNKNOWN)


def test_last_lines_are_few_lines(bench: Bench) -> None:
    handle = bench.engine.submit(bench.submission("fails"))
    ended(bench, handle)
    lines = bench.engine.last_lines(handle, count=3)
    assert 0 < len(lines) <= 3
    assert all(line.strip() and "\n" not in line for line in lines)


def test_capacity_is_the_sum_of_the_nodes(bench: Bench) -> None:
    capacity = bench.engine.capacity()
    assert capacity.cpus > 0
    assert capacity.memory_gb > 0
    assert capacity.nodes
    for name in ("cpus", "gpus", "memory_gb"):
        assert abs(sum(node[name] for node in capacity.nodes) - getattr(capacity, name)) < 0.1
    assert set(capacity.as_dict()) == {"cpus", "gpus", "memory_gb", "nodes", "taken"}
