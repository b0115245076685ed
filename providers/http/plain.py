"""Which hosts may get a key without TLS: this machine, and those the user names."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from providers.errors import NotConfigured


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: `localhost`, 127.0.0.0/8, ::1."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)


def check_plain_http(url: str, allowed_hosts: Iterable[str]) -> None:
    """Check that a request with a secret may go to `url`. To be called before one is sent.

    `allowed_hosts` is `http.allowPlainHttp`: host names or addresses, optionally with `:port`.
    Raises `NotConfigured` for http:// to any other host that is not loopback.
    """
    host = _exposed_to(url, tuple(allowed_hosts))
    if host is None:
        return
    raise NotConfigured(
        f"a key would be sent to {host} unencrypted: use an https:// URL, or add {host!r} to "
        "http.allowPlainHttp in the user configuration"
    )


@lru_cache(64)
def _exposed_to(url: str, allowed_hosts: tuple[str, ...]) -> str | None:
    """Return the host that would get a secret in plain text, None if none would."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme.lower() != "http" or is_loopback(host):
        return None
    bracketed = f"[{host}]" if ":" in host else host
    names = {host, bracketed, f"{bracketed}:{parts.port or 80}"}
    if any(allowed.strip().lower() in names for allowed in allowed_hosts):
        return None
    return host
