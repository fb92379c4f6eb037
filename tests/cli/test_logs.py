"""`logs`: whole, the end, and followed, over cut lines."""

import json

from tests.cli.proxy import cuttable_line
from tests.support.waiting import wait_for

from trainyard import Client
from trainyard.models import LogChunk


def test_the_whole_log_byte_for_byte_and_its_last_lines(platform, client, trainyard):
    job = client.submit("tabular", {"workers": 2}).id
    platform.becomes(job, "RUNNING")
    lines = [f"line {number} ü\u2028" for number in range(3000)]
    platform.write_log(job, "\n".join(lines) + "\n")
    platform.write_log(job, "of one\n", rank="1")
    assert trainyard("logs", job).out == "\n".join(lines) + "\n"
    assert trainyard("logs", job, "--rank", 1).out == "of one\n"
    assert trainyard("logs", job, "--tail", 1500).out == "\n".join(lines[-1500:]) + "\n"
    assert trainyard("logs", job, "-n", 0).out == ""
    part = trainyard("logs", job, "--json").json
    assert (part["content"], part["offset"], part["rank"]) == ("\n".join(lines) + "\n", 0, "0")
    assert trainyard("logs", job, "--rank", 7).code == 4
    assert "rank" in trainyard("logs", job, "--rank", "x").err


def test_bytes_that_are_no_text_come_through_a_pipe(platform, client, start_trainyard, tmp_path):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, b"\xff\x00\x1b[2J\r\n")
    target = tmp_path / "log"
    process = start_trainyard("logs", job)
    with target.open("wb") as file:
        assert process.stdout is not None
        file.write(process.stdout.buffer.read())
    assert target.read_bytes() == b"\xff\x00\x1b[2J\r\n"


def test_a_job_of_which_no_rank_wrote_shows_the_drivers_log(platform, client, trainyard):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "cannot start\n", rank="driver")
    shown = trainyard("logs", job)
    assert (shown.out, "driver" in shown.err) == ("cannot start\n", True)


def test_a_followed_log_goes_on_after_the_last_lines_and_ends_with_the_job(platform, client, start_trainyard):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "1\n2\n3\n")
    process = start_trainyard("logs", "-f", "--tail", 2, job)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["2\n", "3\n"]
    platform.write_log(job, "4\n")
    assert process.stdout.readline() == "4\n"
    platform.write_log(job, "5\n")
    platform.finish(job)
    out, err = process.communicate(timeout=30)
    assert (out, process.returncode, err) == ("5\n", 0, f"job {job} SUCCEEDED\n")


def test_a_reader_that_goes_away_ends_the_command_quietly(platform, client, start_trainyard):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "1\n")
    process = start_trainyard("logs", "-f", job)
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    process.stdout.close()
    process.stdout = None
    platform.write_log(job, "2\n")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (141, "")


def test_no_line_is_lost_or_repeated_when_the_connection_is_cut_again_and_again(platform, client):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    sent = ""
    with cuttable_line(platform.url) as line, Client(line.url, platform.token, patience=20) as through:
        line.cuts, line.cut_after = 12, 700
        stream = through.stream_logs(job)
        received = ""
        for number in range(40):
            text = f"line {number} of the log, with a tail {'x' * 20}\n"
            platform.write_log(job, text)
            sent += text
            while len(received) < len(sent):
                chunk = next(stream)
                assert isinstance(chunk, LogChunk)
                received += chunk.content
        platform.finish(job)
        rest = list(stream)
    assert received == sent
    assert len(rest) == 1
    assert line.connections >= 12
    assert line.cuts == 0


def test_a_follower_outlives_a_server_that_goes_away_for_a_while(platform, client, start_trainyard):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.write_log(job, "before\n")
    process = start_trainyard("logs", "-f", "--json", job)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["content"] == "before\n"
    platform.stop_serving()
    platform.write_log(job, "meanwhile\n")
    platform.serve()
    assert json.loads(process.stdout.readline())["content"] == "meanwhile\n"
    platform.finish(job)
    wait_for("the follower's end", lambda: process.poll() is not None)
    assert process.returncode == 0
