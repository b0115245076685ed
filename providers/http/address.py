"""A URL as a request needs it: the origin to connect to and the target to ask for.

Follows RFC 3986 as far as HTTP does (RFC 9110, 4.2): scheme and host in lower case, a host of other
letters by IDNA 2008, whatever may not stand in a target percent-encoded, a fragment and a user name
dropped, `.` and `..` resolved (RFC 3986, 5.2.4): what a server or a gateway makes of those, or lets
pass, nobody knows. `tests/http/test_address.py` holds it against httpx's reading.
"""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from providers.http.faults import InvalidURL

PORTS = {"http": 80, "https": 443}
_IN_PATH = "/:@!$&'()*+,;=-._~%"
_IN_QUERY = _IN_PATH + "?"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[0-9a-z._~!$&'()*+,;=%-]+")
_LONGEST = 65536


class Address(NamedTuple):
    """`host` without brackets, `port` None for the scheme's own, `target` is path and query."""

    scheme: str
    host: str
    port: int | None
    target: bytes

    @property
    def netloc(self) -> bytes:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (host if self.port is None else f"{host}:{self.port}").encode("ascii")

    @property
    def connect_port(self) -> int:
        """The port to connect to."""
        return PORTS[self.scheme] if self.port is None else self.port

    @property
    def origin(self) -> tuple[str, str, int | None]:
        """What two URLs share whose requests may share a connection."""
        return self[:3]


def parse(url: str) -> Address:
    """Return where `url` points. Raises `InvalidURL`, whose message does not repeat it."""
    if len(url) > _LONGEST or _CONTROL.search(url):
        raise InvalidURL("the URL is too long or contains control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = _ascii(parts.hostname or "")
    except ValueError as error:
        raise InvalidURL("the URL cannot be parsed") from error
    scheme = parts.scheme.lower()
    if scheme not in PORTS or not host:
        raise InvalidURL("the URL must begin with http:// or https:// and a host")
    if port == 0:
        raise InvalidURL("the URL's port is not one")
    path = _without_dots(parts.path) if "/." in parts.path else parts.path
    target = quote(path or "/", safe=_IN_PATH)
    if parts.query:
        target += "?" + quote(parts.query, safe=_IN_QUERY)
    return Address(scheme, host, None if port == PORTS[scheme] else port, target.encode("ascii"))


def _without_dots(path: str) -> str:
    """Resolve the segments `.` and `..`; above the top there is nothing to go up to."""
    segments = path.split("/")
    kept: list[str] = []
    for segment in segments:
        if segment not in (".", ".."):
            kept.append(segment)
        elif segment == ".." and len(kept) > 1:
            kept.pop()
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept)


def _ascii(host: str) -> str:
    """Return a host as it is looked up. Raises `ValueError`."""
    if ":" in host:
        ipaddress.IPv6Address(host.partition("%")[0])
        host.encode("ascii")  # a scope's name
        return host
    if not host.isascii():
        import idna  # for those few only: its tables take a megabyte

        host = idna.encode(host).decode("ascii")
    if host and not _HOST.fullmatch(host):
        raise ValueError("not a host")
    return host
