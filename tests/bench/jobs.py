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
_TORCHRUN = f"`torchrun --nproc-per-node {WORKERS}` of the same script"
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
    ours, theirs = _against_torchrun(WORKLOADS / "ddp_throughput.py", pairs, config)
    rates = ([one["samples_per_second"] for one in side] for side in (ours, theirs))
    note = (
        "Two ranks leave nothing over of two CPUs. Of the processor time while a job trains, its two Ray workers with their agents "
        "take 2.4 %, its driver and Ray's supervisor of that 1.4 %; 6 % are the Ray head's, MLflow's, the API's and the controller's, "
        "which run beside torchrun as well."
    )
    return Figure("Training throughput", "samples/s", _TORCHRUN, *rates, goal=0.99, better="higher", note=note)


def loading(pairs: int, config: PlatformConfig) -> list[Figure]:
    """Of a program that only loads, on two processes: seconds until the DataLoader's first batch, and samples per second."""
    ours, theirs = _against_torchrun(WORKLOADS / "loader.py", pairs, config)
    firsts = ([one["first_batch_seconds"] for one in side] for side in (ours, theirs))
    rates = ([one["samples_per_second"] for one in side] for side in (ours, theirs))
    return [
        Figure("A DataLoader's first batch", "s", _TORCHRUN, *firsts, goal=1.2),
        Figure("A DataLoader's rate", "samples/s", _TORCHRUN, *rates, goal=0.95, better="higher"),
    ]


def _against_torchrun(script: Path, pairs: int, config: PlatformConfig) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """What a program of two processes prints as ``name figure``, as a job and under torchrun, in turn."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(WORKERS), "--master-port", "0", "--standalone"]
    both: tuple[list[dict[str, float]], list[dict[str, float]]] = ([], [])
    with open_client(config) as client:
        with packed_file(script) as packed:
            code = client.upload_code(packed.path)

        def ours() -> float:
            job = client.submit("script", parameters={"entry": script.name, "workers": WORKERS}, code=code.id)
            client.wait_for_job(job.id, timeout=600)
            both[0].append(printed_figures(client.read_log(job.id, rank="0").content))
            return both[0][-1]["samples_per_second"]

        def theirs() -> float:
            done = subprocess.run([*torchrun, str(script)], check=True, capture_output=True, text=True, timeout=600)
            both[1].append(printed_figures(done.stdout))
            return both[1][-1]["samples_per_second"]

        alternate(script.stem, pairs, ours, theirs)
    return both


def printed_figures(output: str) -> dict[str, float]:
    """What a program printed as ``name figure``. Raises ValueError without samples_per_second."""
    found = {name: float(figure) for name, figure in re.findall(r"^([a-z_]+) ([0-9.]+)$", output, re.MULTILINE)}
    if "samples_per_second" not in found:
        raise ValueError(f"no rate in the output: {output[-500:]}")
    return found
