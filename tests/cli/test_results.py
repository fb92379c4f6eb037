"""What jobs leave behind: checkpoints, artifacts, code, models."""

import zipfile

import pytest

from trainyard import InvalidInput, NotFound
from trainyard.saving import below


def test_a_job_is_resumed_from_a_checkpoint(platform, client, trainyard):
    job = trainyard("submit", "tabular", "--keep", 3, "--best", "accuracy:max", "-p", "epochs=4").out.strip()
    assert trainyard("checkpoints", job).err == f"job {job} has no whole checkpoint\n"
    assert trainyard("resume", job).err.startswith("error: resume.job: job")
    platform.save_checkpoint(job, 10, accuracy=0.9)
    platform.save_checkpoint(job, 20, accuracy=0.8)
    lines = [line.split() for line in trainyard("checkpoints", job).out.splitlines()]
    assert [(words[0], words[1]) for words in lines[1:]] == [("20", "latest"), ("10", "best")]
    assert [(one["step"], one["best"]) for one in trainyard("checkpoints", job, "--json").json["items"]] == [(20, False), (10, True)]

    new = trainyard("resume", job, "--json").json
    assert (new["resume"], new["checkpoints"]) == ({"job": job, "step": 20}, {"keep": 3, "best_metric": "accuracy", "best_mode": "max"})
    assert new["parameters"]["epochs"] == 4
    assert platform.job(trainyard("resume", job, "--step", 10).out.strip()).resume_step == 10
    assert f"from step 20 of job {job}" in trainyard("job", new["id"]).out
    other = platform.job(trainyard("submit", "tabular", "--resume", f"{job}:10", "--best", "loss").out.strip())
    assert (other.resume_job, other.resume_step) == (job, 10)
    assert other.checkpoints == {"keep": 2, "best_metric": "loss", "best_mode": "min"}
    assert client.submit("tabular", resume=(job, None)).resume.step == 20
    missing = trainyard("resume", job, "--step", 15)
    assert (missing.code, "use one of: 20, 10" in missing.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--resume", ":3"], "error: --resume: ':3' is not JOB or JOB:STEP"),
        (["--resume", "job:last"], "error: --resume: 'job:last' is not JOB or JOB:STEP"),
        (["--best", ":max"], "error: --best: ':max' names no metric"),
    ],
)
def test_options_that_make_no_sense_are_named(platform, trainyard, words, message):
    assert trainyard("submit", "tabular", *words).err.startswith(message)


def test_a_checkpoint_is_downloaded_as_a_zip(platform, client, trainyard, tmp_path):
    job = client.submit("tabular").id
    assert trainyard("checkpoints", job, "--download", tmp_path).code == 4
    platform.save_checkpoint(job, 10, b"ten")
    platform.save_checkpoint(job, 20, b"twenty")
    done = trainyard("checkpoints", job, "--download", tmp_path)
    assert done.out.strip() == str(tmp_path / f"{job}-step-20.zip")
    assert zipfile.ZipFile(done.out.strip()).read("model.pt") == b"twenty"
    target = tmp_path / "new" / "ten.zip"
    assert trainyard("checkpoints", job, "--step", 10, "--download", target).code == 0
    assert zipfile.ZipFile(target).read("model.pt") == b"ten"
    assert trainyard("checkpoints", job, "--step", 11, "--download", tmp_path / "absent.zip").code == 4
    assert not (tmp_path / "absent.zip").exists()


def test_artifacts_are_listed_and_downloaded(platform, client, trainyard, tmp_path):
    job = client.submit("tabular").id
    assert trainyard("artifacts", job).err == "no files\n"
    platform.run_id(job)
    platform.mlflow.artifacts = {"notes.txt": b"notes", "model/weights.bin": b"w" * 2048, "model/deep/page.html": b"<p>"}
    assert [line.split() for line in trainyard("artifacts", job).out.splitlines()[1:]] == [["model/"], ["notes.txt", "5", "B"]]
    assert [one["path"] for one in trainyard("artifacts", job, "model", "--json").json["items"]] == ["model/deep", "model/weights.bin"]
    assert trainyard("artifacts", job, "model/weights.bin", "--download", tmp_path).out.strip() == str(tmp_path / "weights.bin")
    whole = tmp_path / "whole"
    assert trainyard("artifacts", job, "--download", whole).code == 0
    found = {path.relative_to(whole).as_posix(): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert found == platform.mlflow.artifacts
    trainyard("artifacts", job, "model/", "--download", tmp_path / "part")
    assert (tmp_path / "part" / "deep" / "page.html").read_bytes() == b"<p>"
    assert trainyard("artifacts", job, "absent", "--download", tmp_path / "x").code == 4
    assert "is no path inside of the run" in trainyard("artifacts", job, "../x").err


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a\\b", "C:/x", ""])
def test_a_server_cannot_name_a_place_outside_of_the_folder(tmp_path, name):
    with pytest.raises(InvalidInput):
        below(tmp_path, name)


def test_a_download_that_breaks_off_leaves_nothing(platform, client, trainyard, tmp_path):
    job = client.submit("tabular").id
    platform.save_checkpoint(job, 10, b"saved")
    platform.objects.put_bytes(f"jobs/{job}/checkpoints/000000000010/model.pt", b"other")
    target = tmp_path / "target"
    target.mkdir()
    done = trainyard("checkpoints", job, "--download", target)
    assert done.code == 3, done.err
    assert [*target.iterdir()] == []


def test_the_code_of_a_job_comes_back(platform, client, trainyard, tmp_path):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "train.py").write_text("print(1)")
    job = trainyard("submit", tmp_path / "project", "--entry", "train.py").out.strip()
    shown = trainyard("code", job)
    assert shown.out.splitlines()[0].startswith(platform.job(job).code)
    assert shown.out.splitlines()[-1] == "  train.py"
    saved = trainyard("code", job, "--download", tmp_path).out.strip()
    assert zipfile.ZipFile(saved).read("train.py") == b"print(1)"
    plain = client.submit("tabular").id
    assert "runs the code of its template" in trainyard("code", plain).err
    data = tmp_path / "t.csv"
    data.write_text("a,b\n")
    upload = client.upload_dataset(data)
    assert b"".join(client.download_dataset(upload.id)) == b"a,b\n"


def test_aliases_lead_to_versions(platform, client, trainyard):
    versions = [{"name": "digits", "version": number, "creation_timestamp": 1_700_000_000_000} for number in ("1", "2")]
    platform.mlflow.versions, platform.mlflow.aliases = versions, {"digits": {}}
    assert trainyard("alias", "digits", "champion", "2").out == "digits@champion is version 2\n"
    assert client.get_model("digits").aliases == {"champion": "2"}
    shown = [line.split()[:3] for line in trainyard("models", "--name", "digits").out.splitlines()[1:]]
    assert sorted(words[:2] for words in shown) == [["digits", "1"], ["digits", "2"]]
    assert ["digits", "2", "champion"] in shown
    assert trainyard("alias", "digits", "champion", "--remove").code == 0
    assert client.get_model("digits").aliases == {}
    assert trainyard("alias", "digits", "champion", "--remove").code == 4
    assert trainyard("alias", "digits", "latest", "1").code == 2
    assert "give a version or --remove" in trainyard("alias", "digits", "champion").err
    with pytest.raises(NotFound):
        client.get_model("absent")


def test_jobs_of_the_last_time_and_a_preview(platform, client, trainyard):
    job = client.submit("tabular").id
    assert [one["id"] for one in trainyard("jobs", "--since", "1h", "--json").json["items"]] == [job]
    created = client.get_job(job).created_at
    assert [*client.list_jobs(created_after=created)] == []
    assert [one.id for one in client.list_jobs(created_before=created.replace(year=2999))] == [job]
    assert trainyard("jobs", "--since", "9999999999d").code == 0
    assert client.preview_job("tabular", {"cpus_per_worker": 100}).verdict == "never"
    assert len([*client.list_jobs()]) == 1


def test_stack_dumps_of_a_hung_job(platform, client):
    job = client.submit("tabular").id
    platform.becomes(job, "RUNNING")
    platform.objects.put_bytes(f"jobs/{job}/attempts/1/stacks/rank-1.txt", b"File train.py, line 3")
    [stack] = client.list_stacks(job)
    assert (stack.attempt, stack.rank, stack.content) == (1, 1, "File train.py, line 3")
