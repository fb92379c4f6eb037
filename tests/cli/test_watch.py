"""`--watch`: what is shown while a job runs, and the exit status that its end stands for."""

import os
import pty
import signal
import subprocess
import sys
import threading

import pytest
from tests.support.waiting import wait_for

from trainyard import following
from trainyard_api.engines.memory import Script


def test_a_watched_job_shows_states_log_and_metrics_as_plain_lines_on_a_pipe(platform, start_trainyard):
    process = start_trainyard("submit", "tabular", "--watch")
    job = platform.first_job().id
    platform.mlflow.measure(platform.run_id(job), "loss", 1, 0.5)
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "first\nsec")
    platform.write_log(job, "ond [bold]\x1b[31m\n")
    platform.finish(job)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    lines = out.splitlines()
    for states in (["[STARTING]", "[RUNNING]", "[SUCCEEDED]"], ["first", "second [bold]\x1b[31m"], ["[metrics] step 1  loss 0.5"]):
        assert [line for line in lines if line in states] == states
    assert f"job {job} SUCCEEDED" in err


@pytest.mark.parametrize(("failure", "code"), [("RuntimeError: no", 1), (None, 6)])
def test_a_watched_job_that_does_not_succeed_says_so_with_its_exit_status(platform, start_trainyard, failure, code):
    process = start_trainyard("submit", "tabular", "--watch")
    job = platform.first_job().id
    platform.becomes(job, "RUNNING")
    if failure:
        platform.finish(job, failure, rank=1, tail=["boom on one"])
    else:
        platform.repository.request_cancel(job)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    if failure:
        assert "reason: RuntimeError: no" in err
        assert "last lines of rank 1:\n  boom on one" in err


def test_a_retried_job_is_watched_into_its_next_attempt(platform, start_trainyard):
    process = start_trainyard("submit", "tabular", "--watch", "--retries", 1)
    job = platform.first_job().id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "one\nhalf a line")
    platform.finish(job, "broken")
    wait_for("the second attempt", lambda: platform.job(job).attempt == 2)
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "two\n", attempt=2)
    platform.finish(job)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    printed = [line for line in out.splitlines() if line in ("one", "half a line", "[attempt 2]", "two")]
    assert printed == ["one", "half a line", "[attempt 2]", "two"]


def test_json_lines(platform, trainyard):
    platform.scripts["quick"] = Script()
    done = trainyard("submit", "tabular", "--name", "quick", "--watch", "--json")
    assert done.code == 0, done.err
    kinds = {line["type"] for line in done.lines}
    assert kinds >= {"event", "end"}
    assert done.lines[-1]["job"]["state"] == "SUCCEEDED"


def test_metrics_that_cannot_be_followed_do_not_stop_the_watching(platform, client, trainyard, monkeypatch):
    monkeypatch.setattr(following, "_METRICS_PATIENCE", 0.3)
    job = client.submit("tabular").id
    platform.run_id(job)
    platform.mlflow.down = True
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "line\n")
    platform.finish(job)
    done = trainyard("job", "--watch", "--json", job)
    assert [line["log"]["content"] for line in done.lines if line["type"] == "log"] == ["line\n"]
    assert [line["type"] for line in done.lines[-2:]] == ["interrupted", "end"]
    assert done.code == 0


def test_watching_starts_at_any_time_and_shows_what_was_missed(platform, client, trainyard):
    platform.scripts["over"] = Script(failure="RuntimeError: no")
    job = client.submit("tabular", name="over").id
    platform.becomes(job, "FAILED")
    shown = trainyard("job", "--watch", job)
    assert shown.code == 1
    assert shown.out.splitlines()[-1] == "[FAILED] RuntimeError: no"


def test_ctrl_c_detaches_and_says_how_to_go_on(platform, start_trainyard):
    process = start_trainyard("submit", "tabular", "--watch")
    job = platform.first_job().id
    assert process.stdout is not None
    while "RUNNING" not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"trainyard job --watch {job}" in err
    assert f"trainyard cancel {job}" in err
    assert "Traceback" not in err
    assert platform.job(job).state == "RUNNING"


def test_on_a_terminal_colours_stay_and_other_sequences_go(platform):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainyard", "submit", "tabular", "--name", "[b]net", "--watch"],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(theirs)
    seen = bytearray()

    def read() -> None:
        try:
            while content := os.read(ours, 4096):
                seen.extend(content)
        except OSError:
            pass  # the other end is closed

    reader = threading.Thread(target=read)
    reader.start()
    job = platform.first_job().id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "\x1b[31mred\x1b[0m [bold]line\x1b]0;title\x07\x1b[2Jend\n")
    wait_for("the line", lambda: b"lineend" in seen)
    platform.finish(job)
    assert process.wait(timeout=60) == 0
    reader.join()
    os.close(ours)
    shown = seen.decode()
    assert "\x1b[31mred" in shown
    assert "[bold]lineend" in shown
    assert "[b]net" in shown
    assert "title" not in shown
    assert "\x1b[2J" not in shown
