"""The HTTP client of every provider: the only user of the transports, the only mapper of errors.

It adds what every request has, chooses between our transport and a proxy, bounds the time, and
turns every foreign exception into one of `providers.errors` by one table. It follows no redirect
and knows no provider.

Bounds, in seconds (`TimeoutSettings`): `connect` is name lookup, TCP and TLS. `firstByte` is from
the request written to the answer's head, and between two slices of a large request taken. `idle` is
between two reads of the body while somebody waits for it. `total` is everything from the call,
waiting for a free connection included: that wait has no bound of its own, because a busy pool is
our own doing and no failure of the service.
"""

import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from providers.errors import (
    ConnectFailed,
    Disconnected,
    Malformed,
    NotConfigured,
    ProviderError,
    TimedOut,
)
from providers.http import faults
from providers.http.address import Address, parse
from providers.http.encoding import BadEncoding
from providers.http.exchange import Bounds, Sending
from providers.http.proxy import ProxyRules, without_password
from providers.http.response import DirectResponse, Fault, HttpRequest, HttpResponse
from providers.http.tls import BadBundle, explain, shared_context
from providers.http.transport import Transport, head_of
from providers.settings import HttpSettings, TimeoutSettings

if TYPE_CHECKING:
    from providers.http.proxied import ProxiedTransports

__all__ = ["HttpClient", "HttpDescription", "HttpRequest", "HttpResponse"]

USER_AGENT = b"ai-sidecar"
_URLS_KEPT = 64
_HEADS_KEPT = 64
_BODILESS = ("GET", "HEAD")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2


class HttpDescription(msgspec.Struct):
    """What `doctor` shows. Proxies by scheme, without their passwords; `ca` is a file or a name."""

    proxies: dict[str, str]
    proxy_source: str
    no_proxy: list[str]
    ca: str


class HttpClient:
    """One per process; belongs to the event loop it is first used in."""

    def __init__(
        self, http: HttpSettings, timeouts: TimeoutSettings, *, environ: Mapping[str, str]
    ) -> None:
        bundle = os.path.expanduser(http.ca_bundle) if http.ca_bundle else None
        self._http = http
        self._timeouts = timeouts
        self._bundle = bundle
        self._environ = environ
        self._rules = ProxyRules(http, environ)
        self._transport = Transport(
            context=lambda: shared_context(bundle),
            max_connections_per_origin=http.max_connections_per_origin,
            idle_seconds=http.idle_seconds,
        )
        self._proxied: ProxiedTransports | None = None
        self._places: dict[str, _Place] = {}
        self._heads: dict[object, bytes] = {}
        self._bounds = Bounds(
            connect=timeouts.connect,
            pool=None,
            write=timeouts.first_byte,
            first_byte=timeouts.first_byte,
            idle=timeouts.idle,
            total=timeouts.total,
        )

    async def send(
        self,
        request: HttpRequest,
        *,
        total: float | None = None,
        first_byte: float | None = None,
        connect: float | None = None,
        sending: Sending | None = None,
    ) -> HttpResponse:
        """Send `request` and return its answer as soon as the head is there, whatever its status.

        `total`, `first_byte` and `connect` (seconds) replace the configured bounds. Raises
        `ConnectFailed`, `TimedOut`, `Disconnected`, `Malformed` (the answer is not HTTP), and
        `NotConfigured` for a URL, header, proxy or CA file that cannot be used. With `sending`,
        which is told when it is sent, a `Disconnected` may be `stale`; without, such a request is
        sent again here.
        """
        bounds = self._bounds
        if first_byte or connect or (total and total != bounds.total):
            wait = first_byte or bounds.first_byte
            bounds = Bounds(
                connect=connect or bounds.connect,
                pool=None,
                write=wait,
                first_byte=wait,
                idle=bounds.idle,
                total=total or bounds.total,
            )
        place = None
        try:
            place = self._place(request.url)
            if place.proxy is not None:
                fault = _Asked(place.host, place.shown_proxy, bounds, answered=True).fault
                fields = _fields(request, place)
                return await self._proxied_transports().send(
                    place.proxy, request, fields, place.address, bounds, fault, sending
                )
            exchange = await self._transport.exchange(
                self._transport.origin(place.address),
                self._head(request, place),
                request.body,
                bounds,
                head_only=request.method == "HEAD",
                sending=sending,
            )
        except ProviderError:
            raise
        except Exception as error:
            host, proxy = (place.host, place.shown_proxy) if place else ("the server", None)
            raise _Asked(host, proxy, bounds).fault(error) from error
        if bounds is self._bounds:
            return DirectResponse(exchange, place.fault)
        fault = _Asked(place.host, place.shown_proxy, bounds, answered=True).fault
        return DirectResponse(exchange, fault)

    def connections(self, origin_or_url: str) -> tuple[int, int]:
        """Return how many connections to this origin were opened, how many requests reused one."""
        address = self._place(origin_or_url).address
        opened = reused = 0
        if self._proxied is not None:
            opened, reused = self._proxied.connections(address)
        direct = self._transport.known_origin(address)
        if direct is not None:
            return opened + direct.opened, reused + direct.reused
        return opened, reused

    def keep_warm(self, url: str, seconds: float) -> None:
        """Keep a connection to `url`'s origin for `seconds` after each use; not through a proxy."""
        address = self._place(url).address
        if self._proxy(address) is None:
            self._transport.origin(address).keep_warm(seconds)

    def describe(self) -> HttpDescription:
        """Return the proxies and the CA in use."""
        rules = self._rules
        named = self._environ.get("SSL_CERT_FILE") or self._environ.get("SSL_CERT_DIR")
        ca = self._bundle or named or "the operating system's"
        return HttpDescription(
            proxies={s: without_password(p) for s, p in rules.by_scheme.items()},
            proxy_source=rules.source if rules.by_scheme else "none",
            no_proxy=rules.exceptions,
            ca=ca,
        )

    async def aclose(self) -> None:
        """Close every connection, those in use too."""
        await self._transport.aclose()
        if self._proxied is not None:
            await self._proxied.aclose()

    def _place(self, text: str) -> "_Place":
        place = self._places.get(text)
        if place is None:
            address = parse(text)
            proxy = self._proxy(address)
            shown = None if proxy is None else without_password(proxy)
            if len(self._places) >= _URLS_KEPT:
                self._places.clear()
            host = _host(address)
            fault = _Asked(host, shown, self._bounds, answered=True).fault
            place = self._places[text] = _Place(address, host, proxy, shown, fault)
        return place

    def _head(self, request: HttpRequest, place: "_Place") -> bytes:
        """Return the head of a request. Where requests follow each other, most of it is the same:
        checking and joining it anew would be a twelfth of what a request costs before it is sent.
        """
        key = (request.method, request.url, request.keep_alive, *request.headers.items())
        head = self._heads.get(key)
        if head is None:
            fields = _fields(request, place)
            if len(self._heads) >= _HEADS_KEPT:
                self._heads.clear()
            head = head_of(request.method, place.address.target, fields).removesuffix(b"\r\n")
            self._heads[key] = head
        if request.body or request.method not in _BODILESS:
            return b"%bContent-Length: %d\r\n\r\n" % (head, len(request.body))
        return head + b"\r\n"

    def _proxy(self, address: Address) -> str | None:
        if not self._rules.by_scheme:
            return None
        return self._rules.proxy_for(address.scheme, address.host, address.connect_port)

    def _proxied_transports(self) -> "ProxiedTransports":
        """Return the way through proxies. httpx is imported here, by who has a proxy."""
        if self._proxied is None:
            from providers.http.proxied import ProxiedTransports

            self._proxied = ProxiedTransports(
                context=lambda: shared_context(self._bundle),
                max_connections=self._http.max_connections_per_origin,
                idle_seconds=self._http.idle_seconds,
            )
        return self._proxied


class _Place(NamedTuple):
    """What is the same for every request to one URL; `fault` under the configured bounds."""

    address: Address
    host: str
    proxy: str | None
    shown_proxy: str | None
    fault: Fault


def _fields(request: HttpRequest, place: _Place) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    for name, value in request.headers.items():
        if not _NAME.fullmatch(name):
            raise NotConfigured("the name of a header is not one")
        try:
            headers.append((name.encode("ascii"), value.encode()))
        except UnicodeError:
            raise NotConfigured(f"the value of the header {name!r} is not text") from None
    names = {name.lower() for name, _ in headers}
    if b"host" not in names:
        headers.insert(0, (b"Host", place.address.netloc))
    if b"user-agent" not in names:
        headers.append((b"User-Agent", USER_AGENT))
    if b"accept" not in names:
        headers.append((b"Accept", b"*/*"))
    if b"accept-encoding" not in names:
        headers.append((b"Accept-Encoding", b"identity"))
    if not request.keep_alive:
        headers.append((b"Connection", b"close"))
    return headers


def _host(address: Address) -> str:
    """Return the host as a message names it: with its port, if that is not the usual one."""
    return address.netloc.decode("ascii")


# --- Foreign exceptions --------------------------------------------------------------


class _Asked(NamedTuple):
    """What a message about a failed request may say; never a URL's path or query."""

    host: str
    proxy: str | None
    bounds: Bounds
    answered: bool = False

    def fault(self, error: Exception) -> ProviderError:
        """Return the error of ours that `error` stands for; one of ours stays itself."""
        if isinstance(error, ProviderError):
            return error
        for kind in type(error).__mro__:
            make = _FAULTS.get(kind)
            if make is not None:
                return make(self, error)
        raise error


def _connect_failed(asked: _Asked, error: Exception) -> ProviderError:
    target = f"{asked.host} (through the proxy {asked.proxy})" if asked.proxy else asked.host
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            distrusted = isinstance(cause, ssl.SSLCertVerificationError)
            cut = isinstance(cause, ssl.SSLEOFError)  # the handshake was, like a reset
            said = explain(cause, target)
            return ConnectFailed(said, at_once=cut, retryable=not distrusted)
        if isinstance(cause, socket.gaierror):
            return ConnectFailed(f"the name of {target} cannot be resolved", at_once=False)
        if isinstance(cause, OSError):
            return ConnectFailed(f"cannot connect to {target}: {_reason(cause)}")
    return ConnectFailed(f"cannot connect to {target}: {error}")


def _causes(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and len(found) < 10:
        found.append(at)
        at = at.__cause__ or at.__context__
    return found


def _reason(error: OSError) -> str:
    if error.errno is None:
        return str(error) or "no reason given"
    said = os.strerror(error.errno)  # asyncio's own text only names the address again
    return str(error) if said.startswith("Unknown error") else said  # Windows' socket errors


def _read_timeout(asked: _Asked, _: Exception) -> ProviderError:
    if asked.answered:
        said = f"{asked.host} sent nothing for {asked.bounds.idle:g} s (timeouts.idle)"
        return TimedOut(said, phase="idle")
    said = f"{asked.host} did not answer within {asked.bounds.first_byte:g} s (timeouts.firstByte)"
    return TimedOut(said, phase="firstByte")


def _connect_timeout(asked: _Asked, _: Exception) -> ProviderError:
    bound = asked.bounds.connect
    said = f"connecting to {asked.host} took longer than {bound:g} s (timeouts.connect)"
    return TimedOut(said, phase="connect")


def _write_timeout(asked: _Asked, _: Exception) -> ProviderError:
    bound = asked.bounds.write
    said = f"{asked.host} stopped taking the request for {bound:g} s (timeouts.firstByte)"
    return TimedOut(said, phase="firstByte")


def _total_timeout(asked: _Asked, _: Exception) -> ProviderError:
    said = f"the request to {asked.host} took longer than {asked.bounds.total:.3g} s in all"
    return TimedOut(said, phase="total")


def _pool_timeout(asked: _Asked, error: Exception) -> ProviderError:
    bound = asked.bounds.total
    said = f"no free connection to {asked.host} in {bound:g} s: {error}"
    return TimedOut(said, phase="total")


def _disconnected(asked: _Asked, _: Exception) -> ProviderError:
    when = "in the middle of its answer" if asked.answered else "before it answered"
    return Disconnected(f"{asked.host} closed the connection {when}")


def _stale(asked: _Asked, _: Exception) -> ProviderError:
    said = f"{asked.host} closed a connection that had been kept from an earlier request"
    return Disconnected(said, stale=True)


def _protocol(asked: _Asked, error: Exception) -> ProviderError:
    said = str(error)
    if any(word in said for word in ("closed", "disconnect")):
        return _disconnected(asked, error)
    return Malformed(f"the answer of {asked.host} is not HTTP/1.1: {said[:200]}")


def _malformed(asked: _Asked, error: Exception) -> ProviderError:
    return Malformed(f"{asked.host}: {error}")


_WANTS_PASSWORD = ("407", "401", "username", "USERNAME")
"""In what httpcore says of a proxy. tinyproxy answers 401 to a password that is wrong."""


def _proxy_failed(asked: _Asked, error: Exception) -> ProviderError:
    said = str(error)
    if any(word in said for word in _WANTS_PASSWORD):
        return ConnectFailed(
            f"the proxy {asked.proxy} wants another user and password than it was given ({said}): "
            "write them into http.proxy, before its host, as in USER:PASSWORD@HOST",
            at_once=False,
        )
    return ConnectFailed(f"the proxy {asked.proxy} refused to connect to {asked.host}: {said}")


def _bad_proxy(asked: _Asked, error: Exception) -> ProviderError:
    return NotConfigured(f"the proxy {asked.proxy} cannot be used: {error}")


def _not_configured(asked: _Asked, error: Exception) -> ProviderError:
    return NotConfigured(f"{asked.host}: {error}")


def _bad_url(asked: _Asked, _: Exception) -> ProviderError:
    return NotConfigured("the URL is not one (baseUrl must be like https://host/path)")


_FAULTS: dict[type[BaseException], Callable[[_Asked, Exception], ProviderError]] = {
    faults.ConnectTimeout: _connect_timeout,
    faults.PoolTimeout: _pool_timeout,
    faults.WriteTimeout: _write_timeout,
    faults.ReadTimeout: _read_timeout,
    faults.TotalTimeout: _total_timeout,
    faults.ConnectError: _connect_failed,
    faults.ProxyError: _proxy_failed,
    faults.StaleConnection: _stale,
    faults.NetworkError: _disconnected,
    faults.RemoteProtocolError: _protocol,
    faults.LocalProtocolError: _not_configured,
    faults.InvalidURL: _bad_url,
    faults.DecodingError: _malformed,
    BadEncoding: _malformed,
    BadBundle: _not_configured,
    faults.BadProxy: _bad_proxy,
    OSError: _disconnected,
}
