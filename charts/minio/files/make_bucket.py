"""Waits for the S3 server, then makes the bucket unless it is there."""

import os
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

PATIENCE_SECONDS = 600
#: Codes of a server that is there but has not finished starting.
_STARTING = {"XMinioServerNotInitialized", "ServiceUnavailable", "SlowDown", "503"}


def main() -> None:
    """Make it. Exits with one sentence when the server does not answer in time or refuses."""
    bucket, endpoint = os.environ["BUCKET"], os.environ["AWS_ENDPOINT_URL_S3"]
    store = boto3.client("s3", config=Config(connect_timeout=3, read_timeout=10, retries={"max_attempts": 0}))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            store.create_bucket(Bucket=bucket)
            print(f"bucket {bucket} is made", flush=True)
            return
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "BucketAlreadyOwnedByYou":
                print(f"bucket {bucket} is there", flush=True)
                return
            if code not in _STARTING:
                sys.exit(f"{endpoint} refuses to make the bucket {bucket}: {code}")
            reason = code
        except BotoCoreError as error:
            reason = type(error).__name__
        if time.monotonic() > deadline:
            sys.exit(f"{endpoint} did not answer within {PATIENCE_SECONDS} s: {reason}")
        time.sleep(1)


if __name__ == "__main__":
    main()
