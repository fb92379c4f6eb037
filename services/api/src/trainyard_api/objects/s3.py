"""Objects in an S3 bucket; endpoint and credentials come from the AWS_* variables that boto3 reads."""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from trainyard_api.objects.base import (
    ObjectInfo,
    ObjectMissing,
    ObjectStore,
    ObjectStoreError,
    ObjectStoreFull,
    check_key,
    check_prefix,
    failed,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

_DELETE_BATCH = 1000
_MISSING = {"404", "NoSuchKey", "NotFound"}
#: Of MinIO, and of stores with quotas.
_FULL = {"XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "InsufficientStorage"}


class S3Store(ObjectStore):
    """One bucket and a prefix in it. The client is thread-safe and shared."""

    def __init__(self, bucket: str, prefix: str = "", *, client: "S3Client | None" = None) -> None:
        """Use the bucket, which must exist."""
        self.bucket = bucket
        self.prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self.url = f"s3://{bucket}/{self.prefix}".rstrip("/")
        config = Config(retries={"mode": "standard", "max_attempts": 4}, connect_timeout=5, read_timeout=60, max_pool_connections=32)
        self._client: S3Client = client or boto3.client("s3", config=config)

    def _key(self, key: str) -> str:
        return self.prefix + check_key(key)

    def put_bytes(self, key: str, content: bytes) -> None:
        """See ObjectStore."""
        with _translated(key):
            self._client.put_object(Bucket=self.bucket, Key=self._key(key), Body=content)

    def put_file(self, key: str, path: Path) -> None:
        """See ObjectStore; large files go up in parts."""
        with _translated(key):
            self._client.upload_file(str(path), self.bucket, self._key(key))

    def get_bytes(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """See ObjectStore."""
        if length == 0:
            return b""
        with _translated(key):
            name = self._key(key)
            if start == 0 and length is None:
                return self._client.get_object(Bucket=self.bucket, Key=name)["Body"].read()
            end = "" if length is None else str(start + length - 1)
            try:
                return self._client.get_object(Bucket=self.bucket, Key=name, Range=f"bytes={start}-{end}")["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in ("InvalidRange", "416"):
                    return b""
                raise

    def get_file(self, key: str, path: Path) -> None:
        """See ObjectStore."""
        with _translated(key):
            self._client.download_file(self.bucket, self._key(key), str(path))

    def list(self, prefix: str, *, after: str = "", limit: int | None = None) -> Iterator[ObjectInfo]:
        """See ObjectStore; folder markers, which some clients make (pyarrow, for instance), are no objects."""
        objects = ((name, size) for name, size in self._names(prefix, after, limit) if not name.endswith("/"))
        for name, size in itertools.islice(objects, limit):
            yield ObjectInfo(name.removeprefix(self.prefix), size)

    def _names(self, prefix: str, after: str = "", at_once: int | None = None) -> Iterator[tuple[str, int]]:
        """Names in the bucket with their sizes, folder markers too; so many per request, or as many as the store gives."""
        name = self.prefix + check_prefix(prefix)
        with _translated(prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket,
                Prefix=name,
                StartAfter=self.prefix + after if after else "",
                PaginationConfig={"PageSize": at_once} if at_once else {},
            )
            for page in pages:
                for item in page.get("Contents", []):
                    yield item["Key"], item["Size"]

    def delete_prefix(self, prefix: str) -> None:
        """See ObjectStore; a thousand keys per request."""
        if not prefix.endswith("/"):
            raise ValueError("delete_prefix needs a folder")
        names = [name for name, _ in self._names(prefix)]
        for start in range(0, len(names), _DELETE_BATCH):
            objects: Sequence[ObjectIdentifierTypeDef] = [{"Key": name} for name in names[start : start + _DELETE_BATCH]]
            with _translated(prefix):
                answer = self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
            if answer.get("Errors"):
                raise ObjectStoreError(f"could not delete {len(answer['Errors'])} objects below {prefix}")

    def ping(self) -> None:
        """See ObjectStore."""
        try:
            with _translated(f"bucket {self.bucket}"):
                self._client.head_bucket(Bucket=self.bucket)
        except ObjectMissing as error:
            raise ObjectStoreError(f"there is no bucket {self.bucket}") from error


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """boto3's errors as this package's; messages never hold credentials."""
    try:
        yield
    except (ClientError, S3UploadFailedError) as error:
        answer = error if isinstance(error, ClientError) else error.__context__  # boto3 says in words what S3 had answered
        if not isinstance(answer, ClientError):
            raise ObjectStoreError(f"S3 failed for {key}: {type(answer or error).__name__}") from error
        told = answer.response.get("Error", {})
        code = told.get("Code", "")
        if code in _MISSING:
            raise ObjectMissing(key) from error
        if code in _FULL or "no space left on device" in told.get("Message", ""):
            raise ObjectStoreFull(f"S3 has no room for {key}: {code}") from error
        raise ObjectStoreError(f"S3 refused {key}: {code}") from error
    except OSError as error:
        raise failed(f"S3 failed for {key}: {type(error).__name__}", error) from error
    except BotoCoreError as error:
        raise ObjectStoreError(f"S3 failed for {key}: {type(error).__name__}") from error
