"""Sending code and data with a progress bar; and what `--data` may name."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trainyard.commands.output import console, say
from trainyard.errors import InvalidInput

if TYPE_CHECKING:
    from trainyard.client import Client
    from trainyard.models import Upload

_BAR_FROM_BYTES = 2 * 1024**2
_UPLOAD_ID = re.compile(r"[0-9a-f]{64}")


@contextmanager
def progress(path: Path) -> Iterator[Callable[[int], None]]:
    """A callback for the client's uploads that moves a bar on the terminal; one line where there is none, nothing for small files."""
    from trainyard.packing import human_bytes

    size = path.stat().st_size
    if size < _BAR_FROM_BYTES:
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        say(f"uploading {path.name} ({human_bytes(size)}) ...")
        yield lambda _: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.text import Text

    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        bar.console.print(Text(path.name, style="dim"))
        task = bar.add_task("", total=size)
        yield lambda sent: bar.update(task, completed=sent)


def upload_data(client: Client, path: Path) -> Upload:
    """Upload a data file, or a folder as a .zip. Raises InvalidInput when it cannot be read or packed."""
    from trainyard.packing import DATA_LIMIT_BYTES, packed_folder

    if path.is_dir():
        with packed_folder(path, limit_bytes=DATA_LIMIT_BYTES, field_name="data") as packed:
            for note in packed.notes:
                say(note)
            with progress(packed.path) as on_read:
                return client.upload_dataset(packed.path, on_read=on_read)
    if not path.is_file():
        fix = "give an id from `trainyard data list`, or a path that is there"
        raise InvalidInput("data", f"{path} is neither a file nor a folder", fix)
    with progress(path) as on_read:
        return client.upload_dataset(path, on_read=on_read)


def data_id(client: Client, data: str | None) -> str | None:
    """The id that `--data` means: itself, or of the file that it names, uploaded."""
    if data is None or (_UPLOAD_ID.fullmatch(data) and not Path(data).exists()):
        return data
    return upload_data(client, Path(data)).id
