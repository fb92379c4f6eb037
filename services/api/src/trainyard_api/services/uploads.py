"""Keeping uploads: checked first, then the object, then its row, so that no row points at nothing."""

import hashlib
import re
from pathlib import Path

from trainyard_api.services.code_archives import check_code_archive
from trainyard_api.services.data_files import check_data_file, data_suffix, safe_name
from trainyard_api.services.errors import TooLarge
from trainyard_api.services.platform import Platform
from trainyard_api.store.errors import NotFound
from trainyard_api.store.models import Upload, utcnow


def store_code(platform: Platform, path: Path, name: str, *, source: dict[str, str] | None = None) -> tuple[Upload, bool]:
    """Keep a code archive that lies at ``path`` and was fetched from ``source``; the upload, and whether it is new.

    Raises Invalid, TooLarge, and ObjectStoreError when it cannot be kept.
    """
    digest = _digest(platform, path)
    known = _known(platform, "code", digest, path)
    if known is not None:
        return known, False
    files = check_code_archive(path, max_unpacked_bytes=platform.settings.max_unpacked_bytes)
    shown = re.sub(r"[^\w. -]+", "_", re.split(r"[/\\]", name)[-1])[:100] or "code.zip"
    return _keep(platform, path, Upload(kind="code", id=digest, name=shown, key=f"code/{digest}.zip", files=files, source=source))


def store_dataset(platform: Platform, path: Path, name: str) -> tuple[Upload, bool]:
    """Keep a data set that lies at ``path``; the upload, and whether it is new.

    Raises Invalid, TooLarge, and ObjectStoreError when it cannot be kept.
    """
    suffix = data_suffix(name)
    digest = _digest(platform, path)
    known = _known(platform, "data", digest, path)
    if known is not None:
        return known, False
    check_data_file(path, suffix)
    kept = safe_name(name, suffix)
    return _keep(platform, path, Upload(kind="data", id=digest, name=kept, key=f"data/{digest}/{kept}", files=[kept]))


def _digest(platform: Platform, path: Path) -> str:
    """sha256 of the file, as hex. Raises TooLarge."""
    limit = platform.settings.max_upload_bytes
    if path.stat().st_size > limit:
        raise TooLarge(f"the file has {path.stat().st_size:,} bytes, at most {limit:,} are taken")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _known(platform: Platform, kind: str, digest: str, path: Path) -> Upload | None:
    """The upload of these bytes, when they were kept before; its object is put back should it have gone."""
    try:
        upload = platform.repository.get_upload(kind, digest)
    except NotFound:
        return None
    if not platform.objects.exists(upload.key):
        platform.objects.put_file(upload.key, path)
    return upload


def _keep(platform: Platform, path: Path, upload: Upload) -> tuple[Upload, bool]:
    upload.size, upload.created_at = path.stat().st_size, utcnow()
    platform.objects.put_file(upload.key, path)
    return platform.repository.add_upload(upload), True
