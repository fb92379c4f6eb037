"""Where things lie: this checkout, and the cache outside it that checkouts share."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def cache() -> Path:
    """The folder that outlives checkouts: TRAINYARD_CACHE, else ~/.cache/trainyard."""
    return Path(os.environ.get("TRAINYARD_CACHE") or Path.home() / ".cache" / "trainyard")


def digest(files: Iterable[Path], *extra: str) -> str:
    """Sixteen hexadecimal digits over the names (below the checkout) and contents of ``files``, and ``extra``."""
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    for text in extra:
        total.update(f"\0{text}".encode())
    return total.hexdigest()[:16]
