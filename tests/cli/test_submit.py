"""`submit`: what the words on the command line become."""

import io
import os
import zipfile
from pathlib import Path

import pytest
from tests.cli.platform import Served


def archive(platform: Served, code: str) -> zipfile.ZipFile:
    """The stored code."""
    return zipfile.ZipFile(io.BytesIO(platform.objects.get_bytes(f"code/{code}.zip")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "package").mkdir(parents=True)
    (folder / "train.py").write_text("print('train')\n")
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "steps.py").write_text("def train(config): ...\n")
    return folder


def test_a_template_gets_typed_parameters_and_the_job_its_fields(platform, trainyard):
    done = trainyard(
        *("submit", "tabular", "-p", "epochs=3", "-p", "hidden=[64,32]", "-p", "learning_rate=1e-2", "-p", "target=007"),
        *("--workers", 2, "--name", "x", "--tag", "team=a=b", "--retries", 1, "--deadline", "1h30m"),
    )
    assert done.code == 0, done.err
    job = platform.job(done.out.strip())
    assert {key: job.parameters[key] for key in ("epochs", "hidden", "learning_rate", "target", "workers")} == {
        "epochs": 3,
        "hidden": [64, 32],
        "learning_rate": 0.01,
        "target": "007",
        "workers": 2,
    }
    assert (job.name, job.tags, job.retries, job.deadline_seconds) == ("x", {"team": "a=b"}, 1, 5400)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tabular", "-p", "epochs=many"], "error: parameters.epochs: 'many' is not a whole number (fix: -p epochs=3)"),
        (["tabular", "-p", "epochs=0"], "error: parameters.epochs: input should be greater than or equal to 1 (fix: use at least 1)"),
        (["tabular", "-p", "epoch=1"], "error: parameters.epoch: template 'tabular' has no such parameter (fix: did you mean 'epochs'?)"),
        (["tabular", "-p", "optimizer=adamm"], "error: parameters.optimizer: 'adamm' is none of adamw, adam, sgd (fix: -p optimizer=adam"),
        (["tabular", "-p", "hidden=[64,"], "error: parameters.hidden: '[64,' is not a list (fix: -p hidden=[64,32])"),
        (["tabular", "-p", "epochs"], "error: -p: 'epochs' is not key=value (fix: write -p key=value)"),
        (["tabuler"], "error: template: there is no template and no folder 'tabuler' (fix: did you mean 'tabular'?)"),
        (["./nowhere"], "error: target: there is no ./nowhere (fix: give the path of a folder or .py file"),
        (["tabular", "--deadline", "soon"], "error: deadline: 'soon' is not a duration (fix: write it like 90s, 10m, 1h30m or 2d)"),
        (["tabular", "--data", "absent.csv"], "error: data: absent.csv is neither a file nor a folder (fix:"),
        (["tabular", "--entry", "a.py"], "error: target: --entry goes with code of your own, and 'tabular' is a template (fix:"),
        (["tabular", "--", "--lr", "1"], "error: target: arguments after -- goes with code of your own"),
    ],
)
def test_refused_words_name_the_field_and_the_fix_and_make_no_job(platform, trainyard, words, message):
    done = trainyard("submit", *words)
    assert done.code == 2
    assert message in done.err
    assert trainyard("jobs", "--json").json == {"items": []}


def test_a_folder_is_packed_without_what_does_not_belong_and_runs_with_its_arguments(platform, trainyard, project, tmp_path):
    (project / ".git").mkdir()
    (project / ".git" / "config").write_text("x")
    (project / "__pycache__").mkdir()
    (project / "__pycache__" / "train.pyc").write_text("x")
    (project / "big.bin").write_text("x")
    (project / "runs").mkdir()
    (project / "runs" / "keep.txt").write_text("x")
    (tmp_path / "secret").write_text("s")
    (project / "outside").symlink_to(tmp_path / "secret")
    (project / "same.py").symlink_to(project / "train.py")
    (project / ".trainyardignore").write_text("*.bin\n/runs/*\n!keep.txt\n")
    done = trainyard("submit", project, "--workers", 2, "--json", "--", "--lr", "0.1", "--name", "two words")
    assert done.code == 0, done.err
    assert "left out, links out of the folder, into themselves or to nothing: outside" in done.err
    job = done.json
    assert job["template"] == "script"
    assert (job["parameters"]["entry"], job["parameters"]["arguments"]) == ("train.py", ["--lr", "0.1", "--name", "two words"])
    with archive(platform, job["code"]) as code:
        assert code.namelist() == [".trainyardignore", "package/__init__.py", "package/steps.py", "runs/keep.txt", "same.py", "train.py"]
        assert code.read("same.py") == b"print('train')\n"


def test_the_same_files_are_the_same_upload_whenever_they_were_written(platform, trainyard, project):
    first = trainyard("submit", project, "--json").json
    for path in project.rglob("*"):
        os.utime(path, (1, 1_000_000_000))
    assert trainyard("submit", project, "--json").json["code"] == first["code"]


def test_a_single_file_and_a_function(platform, trainyard, project):
    single = trainyard("submit", project / "train.py", "--json").json
    assert (single["template"], single["parameters"]["entry"]) == ("script", "train.py")
    called = trainyard(
        *("submit", project, "--function", "package.steps:train", "-c", "lr=0.1", "-c", "name=net", "-p", "env.MODE=fast", "--json")
    ).json
    assert (called["template"], called["parameters"]["entry"]) == ("function", "package.steps:train")
    assert called["parameters"]["config"] == {"lr": 0.1, "name": "net"}
    assert called["parameters"]["env"] == {"MODE": "fast"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--entry", "trian.py"], "error: entry: the code has no file 'trian.py' (fix: did you mean 'train.py'?)"),
        (["--function", "package.absent:train"], "error: function: the code has no module 'package.absent' (package/absent.py)"),
        (["--function", "train.py"], "error: function: 'train.py' is not module:function"),
        (["-c", "lr=1"], "error: -c: config belongs to a function"),
    ],
)
def test_a_wrong_entry_is_refused_before_anything_is_sent(platform, trainyard, project, words, message):
    done = trainyard("submit", project, *words)
    assert (done.code, message in done.err) == (2, True), done.err
    assert platform.repository.list_uploads("code") == []


def test_data_is_an_id_or_a_file_or_a_folder(platform, trainyard, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    uploaded = trainyard("data", "upload", table)
    assert uploaded.code == 0, uploaded.err
    [listed] = trainyard("data", "list", "--json").json["items"]
    assert (listed["id"], listed["name"]) == (uploaded.out.strip(), "table.csv")
    for data in (uploaded.out.strip(), table):
        assert trainyard("submit", "tabular", "--data", data, "--json").json["data"] == listed["id"]
    images = tmp_path / "images"
    (images / "cat").mkdir(parents=True)
    (images / "cat" / "1.png").write_bytes(b"png")
    job = trainyard("submit", "image-classification", "--data", images, "--json")
    assert job.code == 0, job.err
    assert len(platform.repository.list_uploads("data")) == 2


def test_one_key_makes_one_job(platform, trainyard):
    words = ("submit", "tabular", "--idempotency-key", "k1", "--json")
    assert trainyard(*words).json["id"] == trainyard(*words).json["id"]
    other = trainyard(*words, "--name", "another")
    assert other.code == 2
    assert "Idempotency-Key" in other.err
    assert len(trainyard("jobs", "--json").json["items"]) == 1
