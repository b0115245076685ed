"""Our transport, behind httpx's own seam: HTTP/1.1 over asyncio and llhttp.

It finds the origin of a request, gets a connection, writes, and answers when the head is there. It
never follows a redirect, never decodes a body, and knows nothing of providers. `exchange` is the
same without httpx's request and response, for a reader that wants no layer in between.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable

from providers.http.connection import Connection
from providers.http.descriptors import Descriptors
from providers.http.exchange import Bounds, Exchange
from providers.http.lean_httpx import httpx
from providers.http.pool import CLOSED, Origin

STALE_WINDOW = 2.0
"""Seconds after which a reused connection that closes without a word is no longer taken for one
that had gone stale before the request came: the request may have been worked on since."""

_PORTS = {"http": 80, "https": 443}


class Transport(httpx.AsyncBaseTransport):
    """Belongs to the loop it is first used in. `context` is called at the first TLS connection."""

    def __init__(
        self,
        *,
        context: Callable[[], ssl.SSLContext],
        max_connections_per_origin: int = 1000,
        idle_seconds: float = 60.0,
    ) -> None:
        self._context = context
        self._limit = max_connections_per_origin
        self._idle_seconds = idle_seconds
        self._origins: dict[tuple[str, bytes, int | None], Origin] = {}
        self._descriptors = Descriptors[Connection](self._give_up_idle)
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and return once the head of the answer is there.

        Raises `httpx.TransportError`s, `httpx.DecodingError` for what is not HTTP, and
        `httpx.LocalProtocolError` for a header that would be another.
        """
        bounds = Bounds.of(request.extensions.get("timeout") or {})
        body = await request.aread()
        exchange = await self.exchange(
            self.origin(request.url),
            _head(request, body),
            body,
            bounds,
            head_only=request.method == "HEAD",
            server_name=request.extensions.get("sni_hostname"),
        )
        return httpx.Response(
            exchange.status,
            headers=exchange.headers,
            stream=AnswerStream(exchange),
            extensions={"http_version": b"HTTP/1.1"},
        )

    async def exchange(
        self,
        origin: Origin,
        head: bytes,
        body: bytes,
        bounds: Bounds,
        *,
        head_only: bool = False,
        server_name: str | None = None,
    ) -> Exchange:
        """Send a request that is bytes already; return once the head of its answer is there.

        The way of every request of ours: building `httpx.Request` and `Response` costs a third of
        one. Raises as `handle_async_request`.
        """
        loop = asyncio.get_running_loop()
        total_at = None if bounds.total is None else loop.time() + bounds.total
        fresh = False
        while True:
            connection = None if fresh else origin.idle_connection()
            if connection is None:
                until = total_at
                if bounds.pool is not None:
                    pool_at = loop.time() + bounds.pool
                    until = pool_at if until is None else min(until, pool_at)
                connection = await origin.acquire(
                    fresh=fresh, server_name=server_name, wait=until, connect=bounds.connect
                )
            exchange = Exchange(loop, bounds, total_at, head_only=head_only)
            try:
                await connection.send(exchange, head, body)
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                stale = connection.used and exchange.silent
                if fresh or not stale or loop.time() - exchange.sent_at > STALE_WINDOW:
                    raise
                fresh = True
                continue
            return exchange

    def origin(self, url: httpx.URL) -> Origin:
        """Return the pool of `url`'s origin. Raises `httpx.UnsupportedProtocol`."""
        key = (url.scheme, url.raw_host, url.port)
        origin = self._origins.get(key)
        if origin is None:
            if self._closed:
                raise httpx.ConnectError(CLOSED)
            if url.scheme not in _PORTS or not url.raw_host:
                raise httpx.UnsupportedProtocol("the URL must begin with http:// or https://")
            if url.port is not None and not 0 < url.port < 65536:
                raise httpx.UnsupportedProtocol("the URL's port is not one")
            origin = self._origins[key] = Origin(
                url.raw_host.decode("ascii"),
                url.port or _PORTS[url.scheme],
                limit=self._limit,
                idle_seconds=self._idle_seconds,
                context=self._context if url.scheme == "https" else None,
                descriptors=self._descriptors,
            )
        return origin

    def _give_up_idle(self) -> bool:
        return any(origin.give_up_idle() for origin in self._origins.values())

    def known_origin(self, url: httpx.URL) -> Origin | None:
        """Return the pool of `url`'s origin if it has been used."""
        return self._origins.get((url.scheme, url.raw_host, url.port))

    async def aclose(self) -> None:
        """Close every connection, and return when their sockets are closed."""
        self._closed = True
        for origin in self._origins.values():
            origin.close()
        # asyncio closes an aborted socket in the next turn of the loop, a TLS one in the second.
        for _ in range(3):
            await asyncio.sleep(0)
        self._origins.clear()


class AnswerStream(httpx.AsyncByteStream):
    """The answer's body as httpx wants it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._exchange.receive():
            yield data

    async def aclose(self) -> None:
        self._exchange.close()


def _head(request: httpx.Request, body: bytes) -> bytes:
    """Return the head of an httpx request; its body is whole by now, so it has a length."""
    raw = request.headers.raw
    fields = [field for field in raw if field[0].lower() != b"transfer-encoding"]
    if len(fields) < len(raw):
        fields.append((b"Content-Length", b"%d" % len(body)))
    return head_of(request.method, request.url.raw_path, fields)


def head_of(method: str, path: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request. Raises `httpx.LocalProtocolError` for one that would be two."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path)]
    lines += [b"%b: %b" % field for field in fields]
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        bad = [n.decode("latin-1") for n, v in fields if any(c in n + v for c in b"\r\n\0")]
        where = f"the header {bad[0]!r}" if bad else "the URL or the method"
        raise httpx.LocalProtocolError(f"{where} contains a line break or a NUL")
    return head + b"\r\n\r\n"
