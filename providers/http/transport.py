"""Our transport: HTTP/1.1 over asyncio and llhttp.

It finds the origin of a request, gets a connection, writes, and answers when the head is there. It
never follows a redirect, never decodes a body, and knows nothing of providers. A request is bytes
already: building httpx's objects would cost a third of one. That it fits httpx's seam all the same
is shown by `tests/http/httpx_seam.py`, through which httpx's own client uses it.
"""

import asyncio
import ssl
from collections.abc import Callable

from providers.http import faults
from providers.http.address import Address
from providers.http.connection import Connection
from providers.http.descriptors import Descriptors
from providers.http.exchange import Bounds, Exchange, Sending
from providers.http.liveness import undelivered
from providers.http.pool import CLOSED, Origin

STALE_WINDOW = 2.0
"""Seconds after which a reused connection that closes without a word is no longer taken for one
that had gone stale before the request came: the request may have been worked on since."""


class Transport:
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
        self._origins: dict[tuple[str, str, int | None], Origin] = {}
        self._descriptors = Descriptors[Connection](self._give_up_idle)
        self._closed = False

    async def exchange(
        self,
        origin: Origin,
        head: bytes,
        body: bytes,
        bounds: Bounds,
        *,
        head_only: bool = False,
        server_name: str | None = None,
        sending: Sending | None = None,
    ) -> Exchange:
        """Send a request that is bytes already; return once the head of its answer is there.

        A kept connection that turns out to be stale is replaced, once; but whoever counts what is
        sent, and gives `sending` for it, is told by `faults.StaleConnection` and asks again.

        Raises a `faults.TransportFault`: `DecodingError` for what is not HTTP, the others for an
        answer that does not come.
        """
        loop = asyncio.get_running_loop()
        total_at = None if bounds.total is None else loop.time() + bounds.total
        fresh = sending is not None and sending.fresh
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
            except (faults.NetworkError, faults.RemoteProtocolError) as error:
                stale = connection.used and exchange.silent
                late = loop.time() - exchange.sent_at > STALE_WINDOW
                if fresh or not stale or (late and not undelivered(error)):
                    raise
                if sending is not None:
                    raise faults.StaleConnection(str(error)) from error
                fresh = True
                continue
            finally:
                if sending is not None:
                    sending.sent_at = exchange.sent_at
            return exchange

    def origin(self, address: Address) -> Origin:
        """Return the pool of `address`'s origin."""
        origin = self._origins.get(address.origin)
        if origin is None:
            if self._closed:
                raise faults.ConnectError(CLOSED)
            origin = self._origins[address.origin] = Origin(
                address.host,
                address.connect_port,
                limit=self._limit,
                idle_seconds=self._idle_seconds,
                context=self._context if address.scheme == "https" else None,
                descriptors=self._descriptors,
            )
        return origin

    def _give_up_idle(self) -> bool:
        return any(origin.give_up_idle() for origin in self._origins.values())

    def known_origin(self, address: Address) -> Origin | None:
        """Return the pool of `address`'s origin if it has been used."""
        return self._origins.get(address.origin)

    async def aclose(self) -> None:
        """Close every connection, and return when their sockets are closed."""
        self._closed = True
        for origin in self._origins.values():
            origin.close()
        # asyncio closes an aborted socket in the next turn of the loop, a TLS one in the second.
        for _ in range(3):
            await asyncio.sleep(0)
        self._origins.clear()


def head_of(method: str, path: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    """Return the head of a request. Raises `LocalProtocolError` for one that would be two."""
    lines = [b"%b %b HTTP/1.1" % (method.encode("ascii"), path)]
    lines += [b"%b: %b" % field for field in fields]
    head = b"\r\n".join(lines)
    breaks = len(lines) - 1
    if head.count(b"\n") != breaks or head.count(b"\r") != breaks or b"\0" in head:
        bad = [n.decode("latin-1") for n, v in fields if any(c in n + v for c in b"\r\n\0")]
        where = f"the header {bad[0]!r}" if bad else "the URL or the method"
        raise faults.LocalProtocolError(f"{where} contains a line break or a NUL")
    return head + b"\r\n\r\n"
