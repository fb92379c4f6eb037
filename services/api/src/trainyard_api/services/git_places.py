"""Where code is in git, checked before anything is connected: a server must not be led to what only it can reach."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from trainyard_api.services.errors import FieldError, Invalid
from trainyard_api.services.strict_json import printable
from trainyard_api.services.zip_streams import is_plain_path

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?\Z|[0-9A-Fa-f:.]{2,45}\Z", re.ASCII)
_PATH = re.compile(r"/[A-Za-z0-9/._~!$&'()*,;=@%+-]+\Z", re.ASCII)
#: What git allows in the name of a branch or tag; a "+" or "-" in front and a ":" would mean something else to it.
_REF = re.compile(r"(?![-+/.])[^\x00-\x20\x7f~^:?*\[\\]+(?<![/.])\Z")
#: Addresses below it lead through a translator to any IPv4 address.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class GitPlace:
    """A repository, a branch, tag or commit of it, and a folder in it (None: the whole)."""

    url: str
    ref: str = "HEAD"
    folder: str | None = None

    @property
    def name(self) -> str:
        """What an archive of it is called."""
        last = (self.folder or urlsplit(self.url).path.removesuffix("/").removesuffix(".git")).rpartition("/")[2]
        return f"{last or 'code'}.zip"


@dataclass(frozen=True)
class Server:
    """The host and port of a URL, and the addresses that the name had when they were checked."""

    host: str
    port: int
    addresses: tuple[str, ...]


def check_place(place: GitPlace, allowed_hosts: tuple[str, ...] | None) -> Server:
    """The server to ask. Hosts on the list may be anywhere; without a list, every public one will do.

    Raises Invalid for a place that cannot be, or one that this server must not ask.
    """
    host, port = _host_and_port(place.url)
    errors = []
    if not _REF.match(place.ref) or ".." in place.ref or "@{" in place.ref or "//" in place.ref or place.ref.endswith(".lock"):
        message = f"{printable(place.ref)!r} is no branch, tag or commit"
        errors.append(FieldError("ref", message, "give a branch, a tag or a full commit id"))
    if place.folder is not None and not is_plain_path(place.folder):
        message = f"{printable(place.folder)!r} is no folder of a repository"
        errors.append(FieldError("folder", message, "give a relative path such as examples/mnist, or null"))
    if errors:
        raise Invalid(*errors)
    return Server(host, port, _addresses(host, port, allowed_hosts))


def _host_and_port(url: str) -> tuple[str, int]:
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port or 443
    except ValueError:
        raise _refused("it is no address", "write it like https://host/team/project.git") from None
    if split.scheme != "https":
        raise _refused("only https is taken", "write it like https://host/team/project.git")
    if split.username is not None or split.password is not None:
        raise _refused(
            "it holds a user name or password, which would be kept in plain text", "leave them out; the repository must be public"
        )
    if split.query or split.fragment or "?" in url or "#" in url:
        raise _refused("it has a query or a fragment", "write it like https://host/team/project.git")
    if not _HOST.match(host) or not _PATH.match(split.path):
        raise _refused("it names no repository", "write it like https://host/team/project.git")
    return host, port


def _addresses(host: str, port: int, allowed_hosts: tuple[str, ...] | None) -> tuple[str, ...]:
    listed = allowed_hosts is not None and host in {name.lower() for name in allowed_hosts}
    if allowed_hosts is not None and not listed:
        raise _refused(f"code is not taken from {host}", f"use one of: {', '.join(allowed_hosts)}; or upload the code")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _refused(f"there is no host {host}, or its name cannot be looked up from here", "check the address") from None
    addresses = tuple(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))
    if not listed and not all(_is_public(ipaddress.ip_address(address)) for address in addresses):
        raise _refused(f"{host} is not a public host", "use a public repository, or upload the code")
    return addresses


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return True
    inner = address.ipv4_mapped or address.sixtofour
    return address not in _NAT64 and address.teredo is None and (inner is None or _is_public(inner))


def _refused(message: str, fix: str) -> Invalid:
    return Invalid(FieldError("url", message, fix))
