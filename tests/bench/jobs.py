"""Jobs on a warm platform: submit to first optimizer step, and samples per second, against plain Ray and plain torchrun."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.pairs import Figure, alternate
from tests.support.waiting import wait_for
from trainyard import Client
from trainyard.embedded.config import PlatformConfig
from trainyard.packing import packed_file

WORKLOADS = Path(__file__).parent / "workloads"
WORKERS = min(2, os.cpu_count() or 1)
SETTLE_SECONDS = 2
_DIGITS = {"epochs": 1, "checkpoint_every": 0, "workers": WORKERS}


def open_client(config: PlatformConfig) -> Client:
    """A client of the platform that the benchmark started."""
    return Client(url=config.url, token=config.api_token_file.read_text().strip())


def ray_job(config: PlatformConfig, *arguments: str) -> None:
    """Ray's own `ray job` against the platform's head. Raises CalledProcessError."""
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(config.ray_token_file)}
    environment |= {"RAY_ADDRESS": config.ray_dashboard_url}
    command = [sys.executable, "-m", "ray.scripts.scripts", "job", *arguments]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)


def await_pool(client: Client) -> None:
    """Return when all warm clusters wait for a job, and nothing else is going on."""

    def ready() -> bool:
        warm = client.capacity().warm_clusters
        return bool(warm) and all(one.ready for one in warm)

    wait_for("a warm cluster", ready, seconds=300, every=0.5)
    time.sleep(SETTLE_SECONDS)


def first_step(pairs: int, config: PlatformConfig) -> Figure:
    """Seconds from the submission to the first optimizer step of the digits trainer; on a warm cluster where the platform has a pool."""
    with open_client(config) as client:

        def ours() -> float:
            if config.warm:
                await_pool(client)
            begun = time.time()
            job = client.submit("image-classification", parameters=_DIGITS)
            client.wait_for_job(job.id, timeout=300)
            [stamp] = [event.time for event in client.job_events(job.id) if event.name == "first_step"]
            return stamp.timestamp() - begun

        def theirs() -> float:
            from trainyard_templates import get

            template = get("image-classification")
            parameters = template.render(template.validate({"epochs": 1, "checkpoint_every": 0})).config
            with tempfile.TemporaryDirectory() as folder:
                stamp = Path(folder) / "first-step"
                argument = json.dumps({**parameters, "trainer": "image_classification", "workers": WORKERS, "stamp": str(stamp)})
                if config.warm:
                    await_pool(client)
                begun = time.time()
                ray_job(config, "submit", "--", sys.executable, str(WORKLOADS / "ray_train_ready.py"), argument)
                return float(stamp.read_text()) - begun

        first, second = alternate("submit to first step", pairs, ours, theirs)
    title, goal = ("Submit to first optimizer step, warm pool", 0.8) if config.warm else ("Submit to first optimizer step, warm", 1.15)
    return Figure(title, "s", "`ray job submit` of the same trainer, same Ray head", first, second, goal)


def throughput(pairs: int, config: PlatformConfig) -> Figure:
    """Samples per second of a plain DDP program on two processes."""
    script = WORKLOADS / "ddp_throughput.py"
    with open_client(config) as client:
        with packed_file(script) as packed:
            code = client.upload_code(packed.path)

        def ours() -> float:
            parameters = {"entry": script.name, "workers": WORKERS}
            job = client.submit("script", parameters=parameters, code=code.id)
            client.wait_for_job(job.id, timeout=600)
            return _rate(client.read_log(job.id, rank="0").content)

        def theirs() -> float:
            torchrun = [
                sys.executable,
                "-m",
                "torch.distributed.run",
                "--nproc-per-node",
                str(WORKERS),
                "--master-port",
                "0",
                "--standalone",
            ]
            return _rate(subprocess.run([*torchrun, str(script)], check=True, capture_output=True, text=True, timeout=600).stdout)

        first, second = alternate("samples per second", pairs, ours, theirs)
    return Figure(
        "Training throughput", "samples/s", f"`torchrun --nproc-per-node {WORKERS}` of the same script", first, second, 0.975, "higher"
    )


def _rate(output: str) -> float:
    found = re.search(r"samples_per_second ([0-9.]+)", output)
    if found is None:
        raise ValueError(f"no rate in the output: {output[-500:]}")
    return float(found.group(1))
