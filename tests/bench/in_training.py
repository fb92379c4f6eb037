"""What checkpoints and tracking cost a training: blocks of equally many steps in one job, with and without, in turn."""

from __future__ import annotations

import contextlib
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from unittest import mock

import boto3

from tests.bench.by_hand import fresh_platform
from tests.bench.jobs import WORKLOADS, open_client
from tests.bench.pairs import Figure
from tests.support.minio import running_minio
from trainyard.embedded.config import PlatformConfig
from trainyard.packing import packed_file

_BUCKET, _PEERS_BUCKET = "trainyard", "peer"
#: Steps in a block: about ten seconds of those with checkpoints, six of those with metrics.
_CHECKPOINT_STEPS, _TRACKING_STEPS = 60, 400


@contextlib.contextmanager
def platform_on_minio() -> Iterator[tuple[PlatformConfig, str]]:
    """A platform whose objects are in a MinIO, and how a program reaches that by itself, as JSON."""
    with running_minio() as store:
        variables = {**store.environment, "TRAINYARD_OBJECT_STORE_URL": f"s3://{_BUCKET}"}
        with mock.patch.dict(os.environ, variables):
            client = boto3.client("s3")
            for bucket in (_BUCKET, _PEERS_BUCKET):
                client.create_bucket(Bucket=bucket)
            own = {
                "bucket": _PEERS_BUCKET,
                "endpoint_url": store.endpoint,
                "region_name": store.environment["AWS_REGION"],
                "aws_access_key_id": store.environment["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": store.environment["AWS_SECRET_ACCESS_KEY"],
            }
            with fresh_platform() as config:
                yield config, json.dumps(own)


def _blocks(config: PlatformConfig, program: str, *arguments: object) -> dict[str, list[list[float]]]:
    """The blocks that a job of one rank printed, by kind: each block's figures."""
    with open_client(config) as client:
        with packed_file(WORKLOADS / program) as packed:
            code = client.upload_code(packed.path)
        parameters = {"entry": program, "arguments": [str(one) for one in arguments], "workers": 1}
        job = client.submit("script", parameters, code=code.id)
        done = client.wait_for_job(job.id, timeout=1800)
        log = b"".join(client.download_log(job.id, rank="0")).decode()
        assert done.state == "SUCCEEDED", f"{done.reason}: {log[-1000:]}"
    found: dict[str, list[list[float]]] = defaultdict(list)
    for line in log.splitlines():
        word, *rest = line.split()
        if word == "block":
            found[rest[0]].append([float(one) for one in rest[1:]])
    return found


def checkpoints(both: tuple[PlatformConfig, str], pairs: int) -> list[Figure]:
    """Seconds that a checkpoint of 200 MB holds up the training, and seconds of a block with one checkpoint."""
    config, store = both
    found = _blocks(config, "checkpoint_blocks.py", pairs, _CHECKPOINT_STEPS, store)
    blocked = {kind: [block[1] for block in blocks] for kind, blocks in found.items()}
    whole = {kind: [block[0] for block in blocks] for kind, blocks in found.items()}
    return [
        Figure(
            "A checkpoint of 200 MB holds up the training",
            "s",
            "`torch.save` and an upload to the same MinIO, in the same job",
            blocked["reported"],
            blocked["synchronous"],
            goal=0.10,
        ),
        Figure(
            f"{_CHECKPOINT_STEPS} steps with a checkpoint of 200 MB",
            "s",
            "the same steps of the same job without one",
            whole["reported"],
            whole["none"],
            goal=1.03,
            note="The MinIO that it is sent to runs on the same two CPUs.",
        ),
    ]


def tracking(both: tuple[PlatformConfig, str], pairs: int) -> list[Figure]:
    """Seconds of a block of steps with ten metrics in each, and what of it the training's own thread spends on them."""
    found = _blocks(both[0], "tracking_blocks.py", 2 * pairs, _TRACKING_STEPS)
    ours, theirs = ([block[0] for block in found[kind]] for kind in ("tracked", "plain"))
    without = [whole - reporting for whole, reporting in found["tracked"]]
    title = f"{_TRACKING_STEPS} steps with ten metrics in each"
    note = "Blocks of the same steps differ by several percent on this machine; the row below holds what the training waits for."
    own = "A call with ten metrics takes 0.02 ms by itself, and 0.17 ms after a step, which leaves none of it in the processor's caches."
    peer = "the same blocks less the calls of `report`"
    return [
        Figure(title, "s", "the same steps of the same job without", ours, theirs, goal=1.005, note=note),
        Figure(f"{title}, without what runs beside the training", "s", peer, ours, without, goal=1.005, note=own),
    ]
