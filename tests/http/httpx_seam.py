"""Our transport behind httpx's own seam, so that httpx's client can try it."""

from collections.abc import AsyncIterator, Awaitable
from typing import TypeVar

import httpx

from providers.http import faults
from providers.http.address import parse
from providers.http.exchange import Bounds, Exchange
from providers.http.tls import shared_context
from providers.http.transport import Transport, head_of

T = TypeVar("T")


def own_transport() -> httpx.AsyncBaseTransport:
    """Return a transport of ours that httpx's client can use."""
    return HttpxSeam(Transport(context=lambda: shared_context(None)))


class HttpxSeam(httpx.AsyncBaseTransport):
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        exchange = await told_by_httpx(self._exchange(request, body))
        return httpx.Response(
            exchange.status, headers=exchange.headers, stream=AnswerStream(exchange)
        )

    async def _exchange(self, request: httpx.Request, body: bytes) -> Exchange:
        given = request.extensions["timeout"]
        bounds = Bounds(
            connect=given["connect"],
            pool=given["pool"],
            write=given["write"],
            first_byte=given["read"],
            idle=given["read"],
            total=None,
        )
        address = parse(str(request.url))
        raw = request.headers.raw
        fields = [field for field in raw if field[0].lower() != b"transfer-encoding"]
        if len(fields) < len(raw):
            fields.append((b"Content-Length", b"%d" % len(body)))
        head = head_of(request.method, address.target, fields)
        return await self._transport.exchange(
            self._transport.origin(address),
            head,
            body,
            bounds,
            head_only=request.method == "HEAD",
        )

    async def aclose(self) -> None:
        await self._transport.aclose()


class AnswerStream(httpx.AsyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await told_by_httpx(self._exchange.receive()):
            yield data

    async def aclose(self) -> None:
        self._exchange.close()


async def told_by_httpx(work: Awaitable[T]) -> T:
    """Raise httpx's error of the same name in place of ours."""
    try:
        return await work
    except faults.InvalidURL as error:
        raise httpx.UnsupportedProtocol(str(error)) from error
    except faults.TransportFault as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
