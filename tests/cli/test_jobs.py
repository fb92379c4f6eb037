"""Looking at jobs and changing what becomes of them."""

from itertools import islice

import pytest

from trainyard import Conflict, NotFound, WaitTimeout


def test_jobs_are_listed_filtered_and_paged(platform, client, trainyard):
    ids = [client.submit("tabular", name=f"job-{n}", tags={"n": str(n % 2)}).id for n in range(7)]
    assert [job.id for job in client.list_jobs(page_size=3)] == ids[::-1]
    assert [job.id for job in islice(client.list_jobs(sort="name", page_size=2), 3)] == ids[:3]
    assert {job.id for job in client.list_jobs(tags={"n": "1"})} == set(ids[1::2])
    client.cancel_job(ids[0])
    platform.becomes(ids[0], "CANCELLED")
    assert [job["id"] for job in trainyard("jobs", "--state", "cancelled", "--json").json["items"]] == [ids[0]]
    shown = trainyard("jobs", "-n", 2)
    assert (ids[6] in shown.out, ids[4] in shown.out, "--limit 4" in shown.err) == (True, False, True)
    assert trainyard("jobs", "-q", "nothing like it").err == "no jobs\n"


def test_a_failed_job_shows_its_reason_rank_and_last_lines(platform, client, trainyard):
    job = client.submit("tabular", name="[bold]evil[/bold]\u2028x").id
    platform.finish(job, "ValueError: [red]no\x1b]0;title\x07", rank=1, tail=["Traceback", "  ValueError: [red]no"])
    platform.becomes(job, "FAILED")
    shown = trainyard("job", job)
    assert shown.code == 0
    assert "[bold]evil[/bold] x" in shown.out
    assert "ValueError: [red]no\n" in shown.out
    assert "last lines of rank 1:\n  Traceback\n    ValueError: [red]no\n" in shown.out
    assert "\x1b" not in shown.out
    assert "RUNNING" in shown.out
    body = trainyard("job", job, "--json").json
    assert (body["state"], body["attempts"][0]["failed_rank"]) == ("FAILED", 1)
    assert [event["name"] for event in body["events"] if event["kind"] == "state"] == ["STARTING", "RUNNING", "FAILED"]


def test_cancel_retry_clone_delete(platform, client, trainyard):
    job = trainyard("submit", "tabular", "--name", "first", "--tag", "a=1").out.strip()
    assert trainyard("cancel", job).code == 0
    platform.becomes(job, "CANCELLED")
    assert trainyard("retry", job, "--json").json["state"] == "RETRYING"
    busy = trainyard("delete", job)
    assert (busy.code, busy.err.startswith("error: job")) == (5, True)
    platform.finish(job)
    platform.becomes(job, "SUCCEEDED")
    assert trainyard("retry", job).code == 5
    new = trainyard("clone", job, "-p", "epochs=5", "--tag", "b=2", "--json").json
    assert (new["parameters"]["epochs"], new["tags"]) == (5, {"a": "1", "b": "2"})
    assert "parameters.epochs" in trainyard("clone", job, "-p", "epochs=x").err
    platform.settled(job)
    assert trainyard("delete", job).code == 0
    gone = trainyard("job", job)
    assert (gone.code, gone.err) == (4, f"error: no job with id {job}\n")


def test_the_client_waits_for_jobs_and_raises_what_happened(platform, client):
    job = client.submit("tabular").id
    with pytest.raises(WaitTimeout, match=r"after 0\.1 s"):
        client.wait_for_job(job, timeout=0.1)
    platform.finish(job)
    assert client.wait_for_job(job, poll_seconds=0.02).state == "SUCCEEDED"
    with pytest.raises(Conflict) as conflict:
        client.cancel_job(job)
    assert conflict.value.status == 409
    with pytest.raises(NotFound):
        client.get_job("../capacity")


def test_models_templates_capacity_and_open(platform, client, trainyard):
    platform.mlflow.versions = [
        {"name": "digits", "version": "3", "creation_timestamp": 1_700_000_000_000, "metrics": [{"key": "accuracy", "value": 0.98}]}
    ]
    assert "digits" in trainyard("models").out
    assert trainyard("models", "--json").json["items"][0]["metrics"] == {"accuracy": 0.98}
    assert {"tabular", "script"} <= {each["name"] for each in trainyard("templates", "--json").json["items"]}
    assert "hidden" in trainyard("templates", "tabular").out
    assert trainyard("templates", "absent").code == 4
    assert trainyard("capacity", "--json").json["cpus"] == 4
    assert trainyard("capacity").code == 0
    job = client.submit("tabular").id
    run = platform.run_id(job)
    assert trainyard("open", job).out.strip().endswith(f"/runs/{run}")
    assert trainyard("open").out.strip() == f"{platform.url}/#token={platform.token}"


def test_metrics_are_summed_up_and_followed(platform, client, trainyard):
    job = client.submit("tabular").id
    run = platform.run_id(job)
    for step, loss in enumerate([1.0, 0.5, float("nan"), 0.25]):
        platform.mlflow.measure(run, "loss", step, loss)
    [series] = trainyard("metrics", job, "--json").json["series"]
    assert (series["count"], series["values"]) == (4, [1.0, 0.5, None, 0.25])
    [line] = [line.split() for line in trainyard("metrics", job).out.splitlines() if line.startswith("loss")]
    assert line[:7] == ["loss", "4", "3", "1", "0.25", "0.25", "1"]
    platform.finish(job)
    followed = trainyard("metrics", "-f", job)
    assert followed.out.splitlines() == ["step 0  loss 1", "step 1  loss 0.5", "step 2  loss nan", "step 3  loss 0.25"]
