"""A job shares the machine with whatever else runs on it as any process would, not after everything else."""

import os
from pathlib import Path

import pytest

from trainyard import Client
from trainyard.packing import packed_file

pytestmark = pytest.mark.platform


def test_training_is_as_nice_as_the_shell_that_started_the_platform(client: Client, tmp_path: Path) -> None:
    script = tmp_path / "nice.py"
    script.write_text("import os\nprint('nice', os.nice(0))\n")
    with packed_file(script) as packed:
        code = client.upload_code(packed.path).id
    job = client.submit("script", {"entry": script.name, "cpus_per_worker": 1}, code=code)
    assert client.wait_for_job(job.id, timeout=120).state == "SUCCEEDED"
    assert client.read_log(job.id, rank="0").content.split() == ["nice", str(os.nice(0))]
