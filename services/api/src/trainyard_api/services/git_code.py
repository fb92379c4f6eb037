"""Code from git: the files of one commit, packed as an upload of the same files would be."""

import posixpath
import stat
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from trainyard_api.services.code_archives import MAX_FILES
from trainyard_api.services.errors import FieldError, Invalid, TooLarge
from trainyard_api.services.git_places import GitPlace, check_place
from trainyard_api.services.git_repository import BlobReader, GitRepository, TreeEntry, fetched
from trainyard_api.services.platform import Platform
from trainyard_api.services.uploads import store_code
from trainyard_api.store.models import Upload

__all__ = ["GitPlace", "store_git_code"]

_EXECUTABLE, _LINK, _SUBMODULE = "100755", "120000", "160000"
_LONGEST_TARGET = 4096
_MOST_LINKS_IN_A_ROW = 10
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a .zip can hold


def store_git_code(platform: Platform, place: GitPlace) -> tuple[Upload, dict[str, str], bool]:
    """Keep the code that is there; the upload, its URL and commit, and whether it is new.

    Submodules are left out, and large files that LFS keeps elsewhere are the pointers that the repository holds.
    Raises Invalid, TooLarge, Unavailable, and ObjectStoreError when it cannot be kept.
    """
    settings = platform.settings
    place = replace(place, folder=(place.folder or "").rstrip("/") or None)
    server = check_place(place, settings.git_hosts)
    incoming = settings.state_dir / "incoming"
    incoming.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=incoming) as scratch:
        folder, archive = Path(scratch) / "repository", Path(scratch) / "code.zip"
        folder.mkdir()
        with fetched(place, server, folder, limit_bytes=settings.max_upload_bytes) as repository:
            _pack(repository, place.folder, archive, settings.max_unpacked_bytes)
            source = {"url": place.url, "commit": repository.commit}
        try:
            upload, is_new = store_code(platform, archive, place.name, source=source)
        except Invalid as invalid:
            raise Invalid(*(replace(error, field="url") for error in invalid.errors)) from invalid
    return upload, source, is_new


def _pack(repository: GitRepository, folder: str | None, target: Path, limit: int) -> None:
    """Write the archive: names in order, no times, so that the same files are the same bytes."""
    entries = {_name(entry): entry for entry in repository.entries(folder) if entry.mode != _SUBMODULE}
    if not entries:
        raise _refused("it holds no files", "name a folder with code in it", "folder" if folder else "url")
    with repository.reader() as reader:
        files = _without_links(entries, reader)
        if len(files) > MAX_FILES:
            raise TooLarge(f"it holds {len(files):,} files, at most {MAX_FILES:,} are taken; name a folder of it")
        if sum(entry.size for entry in files.values()) > limit:
            raise TooLarge(f"its files take more than {limit:,} bytes; name a folder of it, and put data in a data set")
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, entry in sorted(files.items()):
                info = zipfile.ZipInfo(name, _EPOCH)
                info.create_system = 3  # Unix, for the permissions
                info.compress_type = zipfile.ZIP_DEFLATED
                info.external_attr = (stat.S_IFREG | (0o755 if entry.mode == _EXECUTABLE else 0o644)) << 16
                info.file_size = entry.size
                with archive.open(info, "w") as member:
                    for piece in reader.pieces(entry):
                        member.write(piece)


def _name(entry: TreeEntry) -> str:
    try:
        return entry.name.decode()
    except UnicodeDecodeError:
        raise _refused(f"the name {entry.name[:200]!r} is not UTF-8", "rename it") from None


def _without_links(entries: dict[str, TreeEntry], reader: BlobReader) -> dict[str, TreeEntry]:
    """The files by name; a link is replaced by the file, or the files of the folder, that it leads to."""
    targets = {name: _target(name, entry, reader) for name, entry in entries.items() if entry.mode == _LINK}
    files = {name: entry for name, entry in entries.items() if name not in targets}
    below = _folders(files)
    found = dict(files)
    for link in targets:
        end = _end_of(link, targets.get)
        if end in files:
            found[link] = files[end]
        elif end in below and not f"{link}/".startswith(f"{end}/"):
            found |= {f"{link}{name.removeprefix(end)}": files[name] for name in below[end]}
        else:
            raise _refused(f"the link {link[:200]!r} leads out of it, into itself or to nothing", "remove the link")
    return found


def _target(name: str, entry: TreeEntry, reader: BlobReader) -> str:
    """Where the link leads, as a path from the top; one that begins with ".." or "/" leads out."""
    if entry.size > _LONGEST_TARGET:
        raise _refused(f"the link {name[:200]!r} is too long", "remove the link")
    content = b"".join(reader.pieces(entry)).decode(errors="replace")
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), content))


def _end_of(link: str, target: Callable[[str], str | None]) -> str:
    """Where a link leads in the end, over other links."""
    place = link
    for _ in range(_MOST_LINKS_IN_A_ROW):
        further = target(place)
        if further is None:
            return place
        place = further
    return ""


def _folders(files: dict[str, TreeEntry]) -> dict[str, list[str]]:
    """The names of the files below each folder."""
    below: dict[str, list[str]] = {}
    for name in files:
        folder = posixpath.dirname(name)
        while folder:
            below.setdefault(folder, []).append(name)
            folder = posixpath.dirname(folder)
    return below


def _refused(message: str, fix: str, field: str = "url") -> Invalid:
    return Invalid(FieldError(field, message, fix))
