"""Charts as their project publishes them in a Helm repository."""

import hashlib
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

from workbench.charts.sources import UpstreamChart
from workbench.paths import cache

_SECONDS = 20


class NotPublished(Exception):
    """The archive cannot be had, or is not the one that is pinned; the message says which."""


def fetch(chart: UpstreamChart) -> Path:
    """The published archive of ``chart``, kept in the cache; only one with the pinned digest is ever taken. Raises NotPublished."""
    if chart.archive_digest is None:
        raise NotPublished(f"the digest of {chart.name} {chart.version} is not known")
    kept = cache() / "charts" / f"{chart.name}-{chart.version}.tgz"
    if not kept.exists() or _digest(kept.read_bytes()) != chart.archive_digest:
        content = _download(chart)
        if _digest(content) != chart.archive_digest:
            raise NotPublished(f"the archive there has SHA-256 {_digest(content)}, not the pinned {chart.archive_digest}; it was not used")
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as partial:
            partial.write(content)
        Path(partial.name).replace(kept)
    return kept


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _download(chart: UpstreamChart) -> bytes:
    base = chart.repository.rstrip("/") + "/"
    try:
        index = yaml.safe_load(_get(f"{base}index.yaml"))
        entries = [entry for entry in index["entries"][chart.name] if entry["version"] == chart.version]
        return _get(urllib.parse.urljoin(base, entries[0]["urls"][0]))
    except OSError as error:
        raise NotPublished(f"{base} cannot be reached: {error}") from error
    except (yaml.YAMLError, KeyError, IndexError, TypeError) as error:
        raise NotPublished(f"{base}index.yaml does not list {chart.name} {chart.version}") from error


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        content: bytes = answer.read()
    return content
