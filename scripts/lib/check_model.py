"""Loads the model that a job registered back from MLflow and lets it read the digits; exit status 1 when it does not."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import mlflow
import numpy
from sklearn.datasets import load_digits

from trainyard import Client

WANTED_ACCURACY = 0.97


def main(job_id: str) -> int:
    """Check one finished `image-classification` job on the default digits."""
    with Client() as client:
        job = client.get_job(job_id)
    if job.model is None or job.mlflow_url is None:
        print(f"job {job_id} registered no model", file=sys.stderr)
        return 1
    server = urlsplit(job.mlflow_url)
    mlflow.set_tracking_uri(f"{server.scheme}://{server.netloc}")
    model = mlflow.pyfunc.load_model(f"models:/{job.model.name}/{job.model.version}")
    images, labels = load_digits(return_X_y=True)
    answers = model.predict(images.reshape(-1, 1, 8, 8).astype(numpy.float32) / 16).argmax(axis=1)
    accuracy = float((answers == labels).mean())
    print(f"{job.model.name} version {job.model.version} reads {accuracy:.2%} of all {len(labels)} digits")
    return 0 if accuracy >= WANTED_ACCURACY else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
