"""Fifty jobs at once on a real Ray head, each posted twice: all end, none is lost or doubled, and the list is right meanwhile."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.embedded.conftest import CommandLine

from trainyard import Client
from trainyard.embedded.config import PlatformConfig
from trainyard.packing import packed_file

pytestmark = [pytest.mark.platform, pytest.mark.long]

COUNT = 50
SECONDS = 1500
TAGS = {"crowd": "fifty"}


def test_fifty_jobs_at_once_all_end(trainyard: CommandLine, config: PlatformConfig, client: Client, tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import sys\nprint('job', sys.argv[1], flush=True)\nsys.exit(3 if int(sys.argv[1]) % 10 == 9 else 0)\n")
    with packed_file(script) as packed:
        code = client.upload_code(packed.path).id

    def post(number: int) -> str:
        with Client(url=config.url, token=config.api_token_file.read_text()) as each:
            parameters = {"entry": "train.py", "arguments": [str(number)], "cpus_per_worker": 1}
            return each.submit("script", parameters, code=code, tags=TAGS, name=f"crowd-{number:02d}", idempotency_key=f"crowd-{number}").id

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, [number for number in range(COUNT) for _ in "12"]))
    ids = set(answers)
    assert len(ids) == COUNT
    assert answers[::2] == answers[1::2], "the same key twice is the same job"

    deadline = time.monotonic() + SECONDS
    while True:
        jobs = list(client.list_jobs(tags=TAGS, page_size=7))
        assert sorted(job.id for job in jobs) == sorted(ids), "the list holds each job once at any moment"
        if all(job.finished_at for job in jobs):
            break
        assert time.monotonic() < deadline, [(job.name, job.state) for job in jobs if not job.finished_at]
        time.sleep(1)
    failed = {job.name for job in jobs if job.state == "FAILED"}
    assert failed == {f"crowd-{number:02d}" for number in range(9, COUNT, 10)}
    assert {job.state for job in jobs if job.name not in failed} == {"SUCCEEDED"}
    for job in jobs:
        assert [attempt.number for attempt in client.job_attempts(job.id)] == [1]
        assert client.read_log(job.id, rank="0").content.splitlines()[0] == f"job {int(job.name[-2:])}"
