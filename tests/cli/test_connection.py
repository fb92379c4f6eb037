"""Which server is asked, with which token, and what is said when it does not answer."""

import json

import httpx
import pytest
from tests.cli.proxy import cuttable_line

from trainyard import ApiError, Client, InvalidInput, ServerFailed, ServerUnreachable
from trainyard.connection import connect


def test_the_url_comes_from_the_option_then_the_environment_then_the_running_platform(tmp_path):
    environment = {"TRAINYARD_STATE_DIR": str(tmp_path)}
    assert connect(environ=environment).url == "http://127.0.0.1:8700"
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "platform.json").write_text(json.dumps({"url": "http://127.0.0.1:9999"}))
    assert connect(environ=environment).url == "http://127.0.0.1:9999"
    environment["TRAINYARD_URL"] = "http://yard.example/"
    assert connect(environ=environment).url == "http://yard.example"
    assert connect("https://other.example", environ=environment).url == "https://other.example"
    with pytest.raises(InvalidInput, match="not a server's URL"):
        connect("127.0.0.1:8700", environ=environment)


def test_the_platforms_token_is_shown_to_this_machine_only_and_never_printed(tmp_path):
    (tmp_path / "api-token").write_text("of-this-machine\n")
    environment = {"TRAINYARD_STATE_DIR": str(tmp_path)}
    local = connect("http://localhost:1", environ=environment)
    assert local.token == "of-this-machine"
    assert "of-this-machine" not in repr(local)
    assert connect("http://yard.example", environ=environment).token is None
    (tmp_path / "named").write_text("named")
    environment["TRAINYARD_TOKEN_FILE"] = str(tmp_path / "named")
    assert connect("http://yard.example", environ=environment).token == "named"
    assert connect("http://yard.example", environ={**environment, "TRAINYARD_TOKEN": "given"}).token == "given"
    with pytest.raises(InvalidInput, match="TRAINYARD_TOKEN_FILE"):
        connect(environ={"TRAINYARD_TOKEN_FILE": str(tmp_path / "absent")})


def test_a_wrong_token_is_refused_with_advice(platform, trainyard, monkeypatch):
    monkeypatch.setenv("TRAINYARD_TOKEN", "wrong")
    refused = trainyard("jobs")
    assert (refused.code, "TRAINYARD_TOKEN" in refused.err, "wrong" in refused.err) == (2, True, False)


def test_no_server_is_one_sentence(trainyard, monkeypatch, tmp_path):
    monkeypatch.setenv("TRAINYARD_STATE_DIR", str(tmp_path))
    url = "http://127.0.0.1:9"
    for words in (["jobs"], ["logs", "-f", "x"], ["submit", "tabular"]):
        done = trainyard(*words, "--url", url)
        assert (done.code, done.out) == (3, "")
        assert done.err == f"error: no Trainyard answers at {url}; start it with `trainyard up`\n"


def test_a_submission_whose_answer_is_lost_is_sent_again_and_makes_one_job(platform, client):
    with cuttable_line(platform.url) as line, Client(line.url, platform.token) as through:
        line.cuts, line.cut_after = 3, 10
        job = through.submit("tabular", name="once")
        assert line.connections >= 4
    assert [each.id for each in client.list_jobs()] == [job.id]


def test_what_may_not_be_repeated_is_not():
    calls = []

    def lose(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        raise httpx.ReadError("gone")

    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(lose)) as client, pytest.raises(ServerUnreachable):
        client.cancel_job("j")
    assert calls == ["POST"]


def test_a_server_that_is_busy_is_asked_again():
    answers = iter([httpx.Response(503), httpx.Response(200, json={"items": []})])
    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(lambda _: next(answers))) as client:
        assert client.list_templates() == []


@pytest.mark.parametrize(
    ("response", "kind", "message"),
    [
        (httpx.Response(200, html="<h1>hello</h1>"), ServerFailed, "not what Trainyard's API sends"),
        (httpx.Response(200, json={"items": [{"name": 1}]}), ServerFailed, "cannot read"),
        (httpx.Response(500, text="oops"), ServerFailed, "500 Internal Server Error"),
        (httpx.Response(302, headers={"location": "http://elsewhere"}), ServerFailed, "302 Found"),
        (httpx.Response(413, json={"detail": "too large"}), ApiError, "too large"),
        (httpx.Response(422, json={"errors": ["strange", {"field": "a", "message": "b"}]}), ApiError, "^a: b$"),
    ],
)
def test_answers_that_trainyard_does_not_give(response, kind, message):
    client = Client("http://127.0.0.1:1", transport=httpx.MockTransport(lambda _: response))
    with client, pytest.raises(kind, match=message):
        client.list_templates()


def test_a_stream_that_is_something_else_is_not_waited_for():
    client = Client("http://127.0.0.1:1", transport=httpx.MockTransport(lambda _: httpx.Response(200, html="<p>")))
    with client, pytest.raises(ServerFailed, match="not what Trainyard's API sends"):
        next(client.stream_logs("j"))


def test_a_stream_gives_up_when_its_server_does_not_come_back():
    answers = iter([httpx.Response(200, headers={"content-type": "text/event-stream"}, text="retry: 1\n\n")])

    def answer(_: httpx.Request) -> httpx.Response:
        try:
            return next(answers)
        except StopIteration:
            raise httpx.ConnectError("refused") from None

    client = Client("http://127.0.0.1:1", patience=0.3, transport=httpx.MockTransport(answer))
    with client, pytest.raises(ServerUnreachable, match="broke and did not come back"):
        next(client.stream_logs("j"))
