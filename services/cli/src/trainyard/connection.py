"""Which server to talk to, and the token to show it: from options, TRAINYARD_* variables and the embedded platform's state folder."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from trainyard.errors import InvalidInput

DEFAULT_URL = "http://127.0.0.1:8700"


@dataclass(frozen=True)
class Connection:
    """A base URL without a trailing slash, and the bearer token if there is one."""

    url: str
    token: str | None

    @property
    def loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.url)

    @property
    def portal_url(self) -> str:
        """The portal, signed in: a browser keeps what follows the # to itself, and the portal takes it out of the address."""
        return f"{self.url}/#token={quote(self.token, safe='')}" if self.token else self.url

    def __repr__(self) -> str:
        return f"Connection(url={self.url!r}, token={'set' if self.token else None})"


def connect(url: str | None = None, token: str | None = None, environ: Mapping[str, str] = os.environ) -> Connection:
    """The connection that a user means.

    URL: the argument, TRAINYARD_URL, the running embedded platform's own, then the default. Token: the argument, TRAINYARD_TOKEN, the file
    TRAINYARD_TOKEN_FILE, then the embedded platform's file, which is shown to servers on this machine only.

    Raises:
        InvalidInput: the URL or the token cannot be used, or the token file that was named cannot be read.
    """
    state = state_dir(environ)
    resolved = _checked_url(url or environ.get("TRAINYARD_URL") or _platform_url(state) or DEFAULT_URL)
    if token is None:
        token = environ.get("TRAINYARD_TOKEN") or _token_from_file(environ.get("TRAINYARD_TOKEN_FILE"), state, resolved)
    if token is not None and not (token.isascii() and token.isprintable()):
        raise InvalidInput("token", "it holds characters that no HTTP header can carry", "copy it again, in one line")
    return Connection(resolved, token or None)


def state_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The embedded platform's folder."""
    return Path(environ.get("TRAINYARD_STATE_DIR") or "~/.trainyard").expanduser().absolute()


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _checked_url(url: str) -> str:
    try:
        split = urlsplit(url)
        usable = split.scheme in ("http", "https") and split.hostname and split.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidInput("url", f"{url!r} is not a server's URL", f"write it like {DEFAULT_URL} (--url or TRAINYARD_URL)")
    return url.rstrip("/")


def _platform_url(state: Path) -> str | None:
    """Where the embedded platform says it listens; None when it has not said so."""
    try:
        found = json.loads((state / "run" / "platform.json").read_text())
    except (OSError, ValueError):
        return None
    url = found.get("url") if isinstance(found, dict) else None
    return url if isinstance(url, str) else None


def _token_from_file(named: str | None, state: Path, url: str) -> str | None:
    if named:
        try:
            return Path(named).expanduser().read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput("TRAINYARD_TOKEN_FILE", f"{named} cannot be read: {error}", "name a readable file, or unset it") from None
    if not is_loopback(url):
        return None
    try:
        return (state / "api-token").read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
