"""Reading and following logs that a trainer ships in chunks."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from tests.support.api_calls import ApiClient, finish, new_job, problems, ship, sse_events, start
from tests.support.waiting import wait_for

from trainyard_api.objects.base import ObjectInfo
from trainyard_api.services.platform import Platform
from trainyard_api.store.states import JobState


@pytest.fixture
def job_id(client: ApiClient, platform: Platform) -> str:
    """A running job."""
    job_id = new_job(client)
    start(platform, job_id, workers=2)
    return job_id


def read(client: ApiClient, job_id: str, **query: Any) -> Any:
    return client.get(f"/jobs/{job_id}/logs", query_string=query).json


def test_chunks_read_as_one_log(client: ApiClient, platform: Platform, job_id: str) -> None:
    ship(platform, job_id, b"one\ntwo\nth")
    ship(platform, job_id, b"ree\nfour", offset=10)
    part = read(client, job_id)
    assert part == {
        "attempt": 1,
        "rank": "0",
        "offset": 0,
        "next_offset": 14,
        "size": 18,
        "content": "one\ntwo\nthree\n",
        "complete": False,
    }
    assert read(client, job_id, offset=14)["content"] == "four"
    assert read(client, job_id, offset=4, limit=5)["content"] == "two\n"
    assert read(client, job_id, offset=8, limit=4)["content"] == "thre"
    assert read(client, job_id, offset=-4) == {**part, "offset": 14, "next_offset": 18, "content": "four"}
    assert read(client, job_id, offset=-1000)["offset"] == 0
    assert read(client, job_id, offset=1000)["content"] == ""
    finish(platform, job_id)
    assert (read(client, job_id)["content"], read(client, job_id)["complete"]) == ("one\ntwo\nthree\nfour", True)
    assert not read(client, job_id, limit=4)["complete"]


def test_only_the_needed_chunks_are_read(client: ApiClient, platform: Platform, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        ship(platform, job_id, b"x" * 99 + b"\n", offset=100 * number)
    keys: list[str] = []
    get_bytes = platform.objects.get_bytes
    monkeypatch.setattr(platform.objects, "get_bytes", lambda key, **part: keys.append(key[-16:]) or get_bytes(key, **part))
    assert len(read(client, job_id, offset=350, limit=100)["content"]) == 50
    assert keys == ["000000000300.log", "000000000400.log"]


def test_a_long_log_is_not_listed_as_a_whole(client: ApiClient, platform: Platform, job_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3000):
        ship(platform, job_id, b"line %05d\n" % number, offset=11 * number)
    ship(platform, job_id, b"hello\n", rank="driver")
    sources = client.get(f"/jobs/{job_id}/logs/sources").json["items"]
    assert [(one["rank"], one["size"]) for one in sources] == [("0", 33_000), ("driver", 6)]

    listed: list[str] = []
    objects = type(platform.objects).list

    def counted(*arguments: object, **options: object) -> Iterator[ObjectInfo]:
        for info in objects(*arguments, **options):  # type: ignore[arg-type]
            listed.append(info.key)
            yield info

    monkeypatch.setattr(type(platform.objects), "list", counted)
    monkeypatch.setattr("trainyard_api.services.log_files.CHUNK_BYTES", 22)
    assert read(client, job_id, offset=-11)["content"] == "line 02999\n"
    assert read(client, job_id, offset=11 * 1500, limit=22)["content"] == "line 01500\nline 01501\n"
    assert len(listed) < 10


def test_a_chunk_may_be_larger_than_trainers_make_them(client: ApiClient, platform: Platform, job_id: str) -> None:
    lines = b"".join(b"line %06d\n" % number for number in range(200_000))
    ship(platform, job_id, lines)
    assert read(client, job_id, offset=-12)["content"] == "line 199999\n"
    assert read(client, job_id, offset=12 * 150_000, limit=12)["content"] == "line 150000\n"
    finish(platform, job_id)
    [piece, *_] = sse_events(client.get(f"/jobs/{job_id}/logs/stream", headers={"Last-Event-ID": f"1:{12 * 199_999}"}).text)
    assert json.loads(piece["data"])["content"] == "line 199999\n"


def test_characters_are_never_cut(client: ApiClient, platform: Platform, job_id: str) -> None:
    text = "a\u00e9\u20ac\U0001f600b"
    ship(platform, job_id, text.encode())
    finish(platform, job_id)
    for limit in (4, 5, 7):
        offset, found = 0, ""
        while not found or offset < len(text.encode()):
            part = read(client, job_id, offset=offset, limit=limit)
            found, offset = found + part["content"], part["next_offset"]
        assert found == text
    assert read(client, job_id, offset=-3)["content"] == "b"
    offset = 0
    while offset < len(text.encode()):  # less than a character at a time still comes to an end
        offset = read(client, job_id, offset=offset, limit=1)["next_offset"]


def test_a_chunk_that_was_shipped_again_and_one_that_is_lost(client: ApiClient, platform: Platform, job_id: str) -> None:
    ship(platform, job_id, b"one\ntwo\n")
    ship(platform, job_id, b"two\n", offset=4)
    ship(platform, job_id, b"\xff\xfe after a gap\n", offset=100)
    assert read(client, job_id)["content"] == "one\ntwo\n"
    part = read(client, job_id, offset=8)
    assert (part["offset"], part["content"], part["size"]) == (100, "\ufffd\ufffd after a gap\n", 115)


def test_sources_and_downloads(client: ApiClient, platform: Platform, job_id: str) -> None:
    content = bytes(range(256)) * 50
    ship(platform, job_id, content[:5000])
    ship(platform, job_id, content[5000:], offset=5000)
    ship(platform, job_id, b"hello\n", rank="driver")
    sources = client.get(f"/jobs/{job_id}/logs/sources").json["items"]
    assert sources == [{"attempt": 1, "rank": "0", "size": len(content)}, {"attempt": 1, "rank": "driver", "size": 6}]
    whole = client.get(f"/jobs/{job_id}/logs/download")
    assert (whole.data, whole.mimetype) == (content, "text/plain")
    assert whole.headers["Content-Length"] == str(len(content))
    assert client.get(f"/jobs/{job_id}/logs/download?rank=driver").data == b"hello\n"
    assert client.get(f"/jobs/{job_id}/logs/download?rank=1").data == b""


def test_logs_that_do_not_exist(client: ApiClient, job_id: str) -> None:
    problems(client.get(f"/jobs/{job_id}/logs?attempt=2"), 404)
    problems(client.get(f"/jobs/{job_id}/logs?rank=2"), 404)
    problems(client.get(f"/jobs/{job_id}/logs/stream?attempt=2"), 404)
    for query, field in (("rank=x", "rank"), ("rank=../0", "rank"), ("attempt=0", "attempt"), ("limit=0", "limit"), ("offset=x", "offset")):
        assert field in problems(client.get(f"/jobs/{job_id}/logs?{query}")), query
    waiting = new_job(client)
    assert read(client, waiting)["size"] == 0
    assert client.get(f"/jobs/{waiting}/logs/sources").json["items"] == []


class Reader:
    """Reads a stream in a thread, as a client far away does."""

    def __init__(self, app: Flask, path: str) -> None:
        self.text = ""
        self._app, self._path = app, path
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        answer = self._app.test_client().get(self._path, buffered=False)
        self.text = f"status: {answer.status_code}\n\n"
        for part in answer.iter_encoded():
            self.text += part.decode()
        answer.close()

    def wait_for(self, text: str) -> None:
        wait_for(repr(text), lambda: text in self.text)

    def events(self) -> list[dict[str, str]]:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return sse_events(self.text)


def test_a_followed_log_arrives_whole_and_once(app: Flask, client: ApiClient, platform: Platform, job_id: str) -> None:
    reader = Reader(app, f"/jobs/{job_id}/logs/stream")
    text = "one\ntwo \u20ac\nthree\U0001f600 without an end"
    content, offset = text.encode(), 0
    for end, sent in ((2, 2), (9, 8), (11, 11), (19, 17), (21, 21), (len(content), len(content))):
        ship(platform, job_id, content[offset:end], offset=offset)
        reader.wait_for(f"id: 1:{sent}\n")  # never a part of a character
        offset = end
    finish(platform, job_id, JobState.FAILED, "exit 1")
    events = reader.events()
    pieces = [json.loads(event["data"]) for event in events if event["event"] == "log"]
    assert "".join(piece["content"] for piece in pieces) == text
    assert [piece["offset"] for piece in pieces] == [0, *(int(event["id"].split(":")[1]) for event in events[:-2])]
    assert events[-1]["event"] == "end"
    assert json.loads(events[-1]["data"])["state"] == "FAILED"


def test_a_piece_that_grows_arrives_once(app: Flask, client: ApiClient, platform: Platform, job_id: str) -> None:
    reader = Reader(app, f"/jobs/{job_id}/logs/stream")
    text = "".join(f"line {number}\n" for number in range(12)).encode()
    for begin, end in ((0, 7), (0, 21), (0, 42), (42, 49), (42, len(text))):
        ship(platform, job_id, text[begin:end], offset=begin)
        reader.wait_for(f"id: 1:{end}\n")
        assert read(client, job_id, offset=-6)["content"] == text[end - 6 : end].decode()
    assert client.get(f"/jobs/{job_id}/logs/sources").json["items"] == [{"attempt": 1, "rank": "0", "size": len(text)}]
    assert client.get(f"/jobs/{job_id}/logs/download").data == text
    finish(platform, job_id)
    pieces = [json.loads(event["data"])["content"] for event in reader.events() if event["event"] == "log"]
    assert "".join(pieces).encode() == text


def test_a_stream_resumes_after_any_of_its_events(client: ApiClient, platform: Platform, job_id: str) -> None:
    content = ("0123456789" * 30_000 + "\n").encode()
    ship(platform, job_id, content)
    finish(platform, job_id)
    path = f"/jobs/{job_id}/logs/stream"
    events = sse_events(client.get(path).text)
    assert len(events) == 6
    for done in range(1, 5):
        rest = client.get(path, headers={"Last-Event-ID": events[done - 1]["id"]}).text
        assert sse_events(rest) == events[done:]
        assert sse_events(client.get(f"{path}?last_event_id={events[done - 1]['id']}").text) == events[done:]


def test_a_stream_goes_on_into_later_attempts_unless_told_otherwise(app: Flask, client: ApiClient, platform: Platform, job_id: str) -> None:
    every = Reader(app, f"/jobs/{job_id}/logs/stream")
    first = Reader(app, f"/jobs/{job_id}/logs/stream?attempt=1")
    ship(platform, job_id, b"first\n")
    every.wait_for("first")
    finish(platform, job_id, JobState.RETRYING, "exit 1")
    assert [event["event"] for event in first.events()] == ["log", "end"]
    start(platform, job_id)
    ship(platform, job_id, b"second\n", attempt=2)
    every.wait_for("id: 2:7\n")
    finish(platform, job_id)
    pieces = [json.loads(event["data"]) for event in every.events()[:-1]]
    assert [(piece["attempt"], piece["offset"], piece["content"]) for piece in pieces] == [(1, 0, "first\n"), (2, 0, "second\n")]


@pytest.mark.parametrize(
    "position", ["x", "1", "1:", "1:-1", "1:7", "1:999999999999", "2:0", "0:0", "1:1:1", "9" * 6000, "1:1\u0661", "\0"]
)
def test_forged_positions_are_refused(client: ApiClient, platform: Platform, job_id: str, position: str) -> None:
    ship(platform, job_id, b"hello\n")
    assert "last_event_id" in problems(client.get(f"/jobs/{job_id}/logs/stream", query_string={"last_event_id": position}))


def test_a_cancelled_job_that_never_started_ends_its_streams(client: ApiClient) -> None:
    job_id = new_job(client)
    client.post(f"/jobs/{job_id}/cancel")
    for stream in ("logs", "events", "metrics"):
        events = sse_events(client.get(f"/jobs/{job_id}/{stream}/stream").text)
        assert events[-1]["event"] == "end"
        assert json.loads(events[-1]["data"])["state"] == "CANCELLED"
