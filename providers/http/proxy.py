"""Which proxy a request goes through: `[http]` first, else the environment, as curl reads it.

`http.proxy` is for every origin; without it, HTTPS_PROXY, HTTP_PROXY and ALL_PROXY count, in lower
or upper case (lower wins, as with curl). `http.noProxy`, else NO_PROXY, lists what is reached
directly: host names (and what is below them), addresses, networks, each optionally with a port, or
`*`.

Loopback goes through a proxy only if that proxy is itself on loopback: any other could not reach
this machine's own servers, and with curl's rule a company's HTTP_PROXY would break every local one.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from providers.http.plain import is_loopback
from providers.settings import HttpSettings


class ProxyRules:
    """Immutable; a change of configuration makes new ones."""

    def __init__(self, http: HttpSettings, environ: Mapping[str, str]) -> None:
        def variable(name: str) -> str | None:
            lower = environ.get(name)
            if lower is None and not (name == "http_proxy" and "REQUEST_METHOD" in environ):
                # In a CGI, HTTP_PROXY is the request's `Proxy:` header (CVE-2016-5385).
                return environ.get(name.upper()) or None
            return lower or None

        everywhere = variable("all_proxy")
        chosen = {
            "https": http.proxy or variable("https_proxy") or everywhere,
            "http": http.proxy or variable("http_proxy") or everywhere,
        }
        self.by_scheme = {s: _with_scheme(url) for s, url in chosen.items() if url}
        self.source = "http.proxy" if http.proxy else "the environment's HTTPS_PROXY or its like"
        listed = http.no_proxy if http.no_proxy is not None else variable("no_proxy") or ""
        text = listed if isinstance(listed, str) else ",".join(listed)
        self.exceptions = [e for e in text.replace(",", " ").lower().split() if e]

    def proxy_for(self, scheme: str, host: str, port: int) -> str | None:
        """Return the URL of the proxy for this origin, or None for a direct connection."""
        proxy = self.by_scheme.get(scheme)
        if proxy is None:
            return None
        host = host.strip("[]").rstrip(".").lower()
        near = is_address(proxy) and is_loopback(urlsplit(proxy).hostname or "")
        if is_loopback(host) and not near:
            return None
        if any(_matches(exception, host, port) for exception in self.exceptions):
            return None
        return proxy


def without_password(url: str) -> str:
    """Return a proxy's URL as it may be shown."""
    if not is_address(url):
        return f"{url.partition('://')[0]}://…"  # where its password ends cannot be told
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        shown += f":{parts.port}"
    user = "***@" if parts.username or parts.password else ""
    return f"{parts.scheme}://{user}{shown}"


def is_address(url: str) -> bool:
    """Say whether a proxy's URL names a host, and a port that is one, if any."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _with_scheme(url: str) -> str:
    return url if "://" in url else f"http://{url}"


def _matches(exception: str, host: str, port: int) -> bool:
    if exception == "*":
        return True
    name = exception
    if name.startswith("["):
        name, _, wanted = name[1:].partition("]")
        wanted = wanted.removeprefix(":")
    elif name.count(":") == 1:
        name, _, wanted = name.partition(":")
    else:
        wanted = ""
    if wanted and wanted != str(port):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = name.removeprefix("*").removeprefix(".").rstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False
