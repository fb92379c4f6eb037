"""A real process that the kernel kills for want of memory, in a control group of its own, and one that something else kills."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.memory_group import MEMORY_GROUP_BYTES

from trainyard_train.kept_process import KeptProcess
from trainyard_train.memory import MemoryWatch


def start(folder: Path, code: str) -> KeptProcess:
    """Start Python; it waits for the file `go` before it goes on."""
    waiting = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.02)\n"
    return KeptProcess([sys.executable, "-c", waiting + code], cwd=folder, env=os.environ, output=folder / "log")


def test_a_kill_for_want_of_memory_is_told_with_the_peak(memory_group: Path, tmp_path: Path) -> None:
    process = start(tmp_path, "held = []\nwhile True: held.append(bytearray(b'x' * 2**20))")
    watch = MemoryWatch(process.pid)
    (memory_group / "cgroup.procs").write_text(str(process.pid))
    watch.look([])  # it has moved, as a launcher may
    (tmp_path / "go").touch()
    assert process.ended.wait(60)
    report = watch.report(process.peak_bytes)
    assert (process.returncode, report.killed, report.limit) == (-signal.SIGKILL, True, MEMORY_GROUP_BYTES)
    assert str(report) == "peak 96 MiB of 96 MiB", "although nobody looked while it grew"


#: An agent, which is small: the kernel counts what a new process shared with its parent, and this one has grown.
_AGENT = """
import os, pathlib, signal, sys, time
from trainyard_train.kept_process import KeptProcess
code = "import pathlib, time; held = b'x' * (400 * 2**20); del held; pathlib.Path('held').touch(); time.sleep(1000)"
process = KeptProcess([sys.executable, "-c", code], cwd=pathlib.Path.cwd(), env=os.environ, output=pathlib.Path("log"))
while not pathlib.Path("held").exists():
    time.sleep(0.02)
os.kill(process.pid, signal.SIGKILL)
process.ended.wait()
print(process.peak_bytes)
"""


def test_a_short_peak_of_a_process_is_known_although_nobody_looked(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _AGENT], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert 400 * 2**20 < int(done.stdout) < 600 * 2**20


def test_another_kill_is_not_taken_for_want_of_memory(tmp_path: Path) -> None:
    process = start(tmp_path, "")
    watch = MemoryWatch(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    assert process.ended.wait(60)
    assert process.returncode == -signal.SIGKILL
    assert not watch.report(process.peak_bytes).killed
