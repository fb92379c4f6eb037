"""Stores that do not do their part: the error says so, names no credentials, and leaves nothing half-written."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from tests.support.minio import Minio, minio_server
from tests.support.processes import ServerUnavailable, free_port
from tests.support.small_disk import small_disk

from trainyard_api.objects import ObjectStoreError, ObjectStoreFull, open_store
from trainyard_api.objects.files import FileStore
from trainyard_api.objects.s3 import S3Store


def s3_store(bucket: str = "bucket", **options: str) -> S3Store:
    config = Config(retries={"mode": "standard", "max_attempts": 1}, connect_timeout=2)
    return S3Store(bucket, client=boto3.client("s3", region_name="us-east-1", config=config, **options))


def every_use(store: FileStore | S3Store, folder: Path) -> dict[str, str]:
    """The message that each use of the store fails with."""
    (folder / "source").write_bytes(b"x" * 100)
    uses = {
        "put_bytes": lambda: store.put_bytes("a/b", b"x"),
        "put_file": lambda: store.put_file("a/b", folder / "source"),
        "get_bytes": lambda: store.get_bytes("a/b"),
        "get_file": lambda: store.get_file("a/b", folder / "target"),
        "list": lambda: list(store.list("a/")),
        "delete_prefix": lambda: store.delete_prefix("a/"),
        "ping": lambda: store.ping(),
    }
    messages = {}
    for name, use in uses.items():
        with pytest.raises(ObjectStoreError) as error:
            use()
        messages[name] = str(error.value)
    return messages


def test_an_unreachable_endpoint(tmp_path: Path) -> None:
    keys = {"aws_access_key_id": "the-user", "aws_secret_access_key": "the-secret"}
    store = s3_store(endpoint_url=f"http://the-user:the-secret@127.0.0.1:{free_port()}", **keys)
    for message in every_use(store, tmp_path).values():
        assert "EndpointConnectionError" in message
        assert "the-" not in message


def test_no_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert all("NoCredentialsError" in message for message in every_use(s3_store(), tmp_path).values())


def test_wrong_credentials(minio: Minio, tmp_path: Path) -> None:
    store = s3_store(endpoint_url=minio.endpoint, aws_access_key_id="stranger", aws_secret_access_key="the-secret")
    messages = every_use(store, tmp_path)
    assert messages["put_bytes"] == "S3 refused a/b: InvalidAccessKeyId"
    assert not any("the-secret" in message or "stranger" in message for message in messages.values())


def test_no_such_bucket(minio: Minio, s3_bucket_url: str, tmp_path: Path) -> None:
    messages = every_use(s3_store("missing"), tmp_path)
    assert messages["ping"] == "there is no bucket missing"
    assert messages["put_bytes"] == "S3 refused a/b: NoSuchBucket"


KEYS = {"aws_access_key_id": "trainyard-test", "aws_secret_access_key": "trainyard-test-secret"}


@contextmanager
def started_minio(folder: Path) -> Iterator[Minio]:
    """A server of its own with a bucket; a skip where there is none."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(minio_server(folder))
        except ServerUnavailable as reason:
            pytest.skip(f"MinIO: {reason}")
        client = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **KEYS)
        with suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket="bucket")
        yield server


def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    with started_minio(tmp_path / "data") as server:
        store = s3_store("bucket", endpoint_url=server.endpoint, **KEYS)
        store.put_bytes("a", b"x")
    with pytest.raises(ObjectStoreError):
        store.get_bytes("a")
    with started_minio(tmp_path / "data") as server:
        assert s3_store("bucket", endpoint_url=server.endpoint, **KEYS).get_bytes("a") == b"x"


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"not a folder")
    store = FileStore(tmp_path / "objects")
    for write in (lambda: store.put_bytes("a/b", b"x"), lambda: store.ping()):
        with pytest.raises(ObjectStoreError, match=r"cannot (write|be written)|cannot be written"):
            write()
    assert list(store.list("")) == []


def test_a_read_only_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:  # whom permissions do not stop; the kernel's own folder does
        folder = Path("/proc/sys")
        if not folder.is_dir():
            pytest.skip("root can write to every folder, and there is no /proc to stand in for a read-only one")
    else:
        folder = tmp_path / "objects"
        folder.mkdir(mode=0o500)
    store = FileStore(folder)
    with pytest.raises(ObjectStoreError, match="cannot be written"):
        store.ping()
    with pytest.raises(ObjectStoreError, match="cannot write"):
        store.put_bytes("a/b", b"x")
    with pytest.raises(ObjectStoreError, match="cannot write"):
        store.put_file("a", Path(__file__))


@contextmanager
def disk_of(folder: Path, size: str) -> Iterator[Path]:
    """A small disk; a skip where none can be mounted."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(folder, size))
        except ServerUnavailable as reason:
            pytest.skip(str(reason))
        yield disk


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    with disk_of(tmp_path / "tiny", "256k") as folder:
        yield folder


def test_a_full_minio_is_full_and_not_away(tmp_path: Path) -> None:
    (tmp_path / "small").write_bytes(b"x")
    with disk_of(tmp_path / "disk", "64m") as disk, started_minio(disk / "data") as server:
        store = s3_store("bucket", endpoint_url=server.endpoint, **KEYS)
        store.put_bytes("a", b"old")
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(2**16))
        for write in (lambda: store.put_bytes("a", b"x"), lambda: store.put_file("a", tmp_path / "small")):
            with pytest.raises(ObjectStoreFull, match="S3 has no room for a"):
                write()
        assert store.get_bytes("a") == b"old"


def test_a_full_disk_keeps_the_old_object_and_no_part_of_the_new_one(tiny_disk: Path, tmp_path: Path) -> None:
    store = FileStore(tiny_disk)
    store.put_bytes("jobs/a", b"old")
    (tmp_path / "large").write_bytes(b"x" * 1_000_000)
    for write in (lambda: store.put_bytes("jobs/a", b"x" * 1_000_000), lambda: store.put_file("jobs/a", tmp_path / "large")):
        with pytest.raises(ObjectStoreFull, match="No space left on device"):
            write()
    assert store.get_bytes("jobs/a") == b"old"
    assert [path.name for path in tiny_disk.rglob("*")] == ["jobs", "a"]


def test_a_full_disk_of_this_machine_is_told_as_one_when_an_object_is_fetched_to_it(tiny_disk: Path, tmp_path: Path) -> None:
    with started_minio(tmp_path / "data") as server:
        for store in (FileStore(tmp_path / "objects"), s3_store("bucket", endpoint_url=server.endpoint, **KEYS)):
            store.put_bytes("a", b"x" * 1_000_000)
            with pytest.raises(ObjectStoreFull):
                store.get_file("a", tiny_disk / "a")


def test_a_name_longer_than_the_file_system_takes(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(ObjectStoreError, match="File name too long"):
        store.put_bytes("x" * 300, b"")
    with pytest.raises(ObjectStoreError, match="File name too long"):
        store.get_bytes("x" * 300)


def test_a_link_in_place_of_a_folder_is_not_followed_when_deleting(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"x")
    root = tmp_path / "objects"
    root.mkdir()
    (root / "link").symlink_to(outside)
    with pytest.raises(ObjectStoreError):
        FileStore(root).delete_prefix("link/")
    assert (outside / "file").exists()


def test_the_store_of_an_url_keeps_spaces(tmp_path: Path) -> None:
    store = open_store((tmp_path / "a b").as_uri())
    store.put_bytes("x", b"1")
    assert (tmp_path / "a b" / "x").read_bytes() == b"1"
