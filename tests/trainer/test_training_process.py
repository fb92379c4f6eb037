"""The training process alone, without Ray: what a script finds, what is recorded, and how it exits."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trainyard_templates import RunSpec
from trainyard_train.life import LifeWatch


def run(
    folder: Path, files: dict[str, str], *, rank: int = 0, variables: dict[str, str] | None = None, **spec: Any
) -> tuple[int, str, list[dict[str, Any]]]:
    """Run a training process on ``files``; its exit code, output and records."""
    for name, content in files.items():
        (folder / "code" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "code" / name).write_text(content)
    records = folder / "records.jsonl"
    environment = os.environ | {
        "TRAINYARD_AGENT_PID": str(os.getpid()),
        "TRAINYARD_RECORDS": str(records),
        "TRAINYARD_SPEC": RunSpec(**spec).model_dump_json(),
        "RANK": str(rank),
        **(variables or {}),
    }
    command = [sys.executable, "-P", "-u", "-m", "trainyard_train.training_process"]
    done = subprocess.run(command, cwd=folder / "code", env=environment, text=True, capture_output=True, timeout=60)
    written = records.read_text().splitlines() if records.exists() else []
    return done.returncode, done.stdout + done.stderr, [json.loads(line) for line in written]


def error_of(records: list[dict[str, Any]]) -> dict[str, Any]:
    [error] = [record for record in records if record["kind"] == "error"]
    return error


def test_a_script_finds_what_python_would_give_it(tmp_path: Path) -> None:
    code, output, _ = run(
        tmp_path,
        {
            "tools/train.py": """
import sys
print("modules before the script:", sorted({"torch", "numpy", "mlflow", "ray", "pandas"} & set(sys.modules)))
import helper, pickle, os
class Local: pass
print(__name__, os.path.relpath(sys.argv[0]), sys.argv[1:], helper.NAME, os.path.basename(sys.path[0]), os.path.basename(os.getcwd()))
print(type(pickle.loads(pickle.dumps(Local()))).__module__, os.getcwd() in sys.path, "" in sys.path)
""",
            "tools/helper.py": "NAME = 'beside the script'",
            "json.py": "raise AssertionError('the working folder is not on the path')",
        },
        kind="script",
        entry="tools/train.py",
        argv=["--name", "a b", "$HOME"],
    )
    assert code == 0, output
    assert output.splitlines() == [
        "modules before the script: []",
        "__main__ tools/train.py ['--name', 'a b', '$HOME'] beside the script tools code",
        "__main__ False False",
    ]


def test_a_script_is_not_seeded_and_a_function_is(tmp_path: Path) -> None:
    draw = "import torch, random, numpy\ndef main(config=None): print(random.random(), numpy.random.rand(), torch.rand(1).item())\n"
    script = draw + "main()"
    outputs = [run(tmp_path, {"train.py": script}, kind="script", entry="train.py", seed=5)[1] for _ in range(2)]
    assert outputs[0] != outputs[1]
    outputs = [run(tmp_path, {"train.py": draw}, kind="function", entry="train:main", seed=5)[1] for _ in range(2)]
    assert outputs[0] == outputs[1] != ""


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("raise SystemExit(3)", 3), ("import sys; sys.exit()", 0), ("import sys; sys.exit('no data')", 1), ("import os; os._exit(7)", 7)],
)
def test_the_exit_code_is_the_codes_own(tmp_path: Path, code: str, exit_code: int) -> None:
    returned, output, records = run(tmp_path, {"train.py": code}, kind="script", entry="train.py")
    assert returned == exit_code
    assert not [record for record in records if record["kind"] == "error"]
    assert ("no data" in output) == ("no data" in code)


def test_the_end_keeps_pythons_promises_and_skips_the_teardown_of_the_interpreter(tmp_path: Path) -> None:
    code = """
import atexit, logging.handlers, os, sys, threading, time
sys.kept = open("kept.txt", "w"); sys.kept.write("written, never closed")
handler = logging.handlers.MemoryHandler(1000, target=logging.FileHandler("log.txt"))
logging.getLogger().addHandler(handler)
logging.getLogger().warning("remembered")
atexit.register(print, "exit handler")
def last(): time.sleep(0.2); print("thread")
threading.Thread(target=last).start()
class AbortsInTeardown:
    def __del__(self): os.abort()
sys.aborts = AbortsInTeardown()
class Proxy:
    @property
    def __class__(self): print("looked at"); return Proxy
sys.proxy = Proxy()
"""
    returned, output, _ = run(tmp_path, {"train.py": code}, kind="script", entry="train.py")
    assert (returned, output) == (0, "thread\nexit handler\n")
    assert (tmp_path / "code" / "kept.txt").read_text() == "written, never closed"
    assert (tmp_path / "code" / "log.txt").read_text() == "remembered\n"


def test_an_exception_is_recorded_and_shown_from_the_users_frame_on(tmp_path: Path) -> None:
    code, output, records = run(tmp_path, {"train.py": "def f():\n  raise ValueError('bad\\ndata')\nf()"}, kind="script", entry="train.py")
    assert code == 1
    error = error_of(records)
    assert (error["type"], error["message"], error["victim"]) == ("ValueError", "bad\ndata", False)
    assert output.splitlines()[1].strip().endswith('train.py", line 3, in <module>')
    assert "training_process" not in output


@pytest.mark.parametrize(
    ("files", "entry", "kind", "message"),
    [
        ({"train.py": "import nowhere"}, "train:main", "ModuleNotFoundError", "No module named 'nowhere'"),
        ({"other.py": ""}, "train:main", "ModuleNotFoundError", "No module named 'train'"),
        ({"train.py": "main = 3"}, "train:main", "AttributeError", "train has no function 'main'"),
    ],
)
def test_a_function_that_is_not_there_is_named(tmp_path: Path, files: dict[str, str], entry: str, kind: str, message: str) -> None:
    code, _, records = run(tmp_path, files, kind="function", entry=entry)
    error = error_of(records)
    assert (code, error["type"], error["message"]) == (1, kind, message)


def test_the_first_and_last_steps_are_stamped_once(tmp_path: Path) -> None:
    code = """
import torch
import torch.distributed as dist
dist.init_process_group("gloo", init_method="file://" + STORE, rank=0, world_size=1)
model = torch.nn.Linear(1, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(3):
    model(torch.ones(1, 1)).sum().backward()
    optimizer.step()
import time; time.sleep(0.2)
"""
    files = {"train.py": f"STORE = {str(tmp_path / 'store')!r}\n{code}"}
    returned, output, records = run(tmp_path, files, kind="script", entry="train.py")
    assert returned == 0, output
    stages = {record["name"]: record["detail"].get("at", record["time"]) for record in records if record["kind"] == "stage"}
    assert sorted(stages, key=lambda name: stages[name])[-2:] == ["first_step", "last_step"]
    assert set(stages) == {"train_function_entered", "process_group_formed", "first_step", "last_step"}
    assert len(records) == 4

    (tmp_path / "other").mkdir()
    _, _, records = run(tmp_path / "other", {"train.py": "import torch"}, rank=1, kind="script", entry="train.py")
    assert records == [], "the timeline is rank 0's"


@pytest.mark.parametrize("rank", [0, 1])
def test_every_ranks_steps_and_reports_count_as_progress(tmp_path: Path, rank: int) -> None:
    code = """
import torch
import trainyard_train as ty
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([weight], lr=0.1)
for step in range(3):
    weight.sum().backward()
    optimizer.step()
for step in range(2):
    ty.report({"loss": 1.0}, step=step)
"""
    counters = tmp_path / "life"
    LifeWatch.prepare(counters)
    variables = {"TRAINYARD_LIFE": str(counters), "TRAINYARD_STACKS": str(tmp_path / "stacks")}
    returned, output, _ = run(tmp_path, {"train.py": code}, rank=rank, variables=variables, kind="script", entry="train.py")
    assert returned == 0, output
    beats, progress = struct.unpack("QQ", counters.read_bytes())
    assert beats >= 1
    assert progress == 5


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("raise ValueError('x')", "user"),
        ("raise MemoryError", "out_of_memory"),
        ("import torch; raise torch.OutOfMemoryError('CUDA out of memory.')", "out_of_memory"),
        ("raise RuntimeError('[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can\\'t allocate memory')", "out_of_memory"),
        ("raise ConnectionError('Connection reset by peer')", "infrastructure"),
        ("import trainyard_train; raise trainyard_train.ModelNotLogged('MLflow is away')", "infrastructure"),
    ],
)
def test_an_exception_tells_whose_failure_it_is(tmp_path: Path, code: str, failure: str) -> None:
    _, _, records = run(tmp_path, {"train.py": code}, kind="script", entry="train.py")
    assert error_of(records)["failure"] == failure
