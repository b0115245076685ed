"""Requests through a proxy: httpx's own transport, behind the same answers as the direct path.

The only user of httpx, and imported by the first such request: without a proxy none of httpx,
httpcore and anyio is in memory. Correctness matters more here than microseconds. It knows nothing
of how a proxy is chosen, and lets no exception of httpx out.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any

from providers.extras import install_command
from providers.http import faults
from providers.http.address import Address
from providers.http.exchange import Bounds, Phase, Sending
from providers.http.lean_httpx import httpx
from providers.http.liveness import SLEEP_SECONDS, slept, socket_options
from providers.http.proxy import is_address
from providers.http.response import Fault, HttpRequest, HttpResponse, header_mapping

SOCKS_MISSING = "a SOCKS proxy needs the extra `socks`. Run: {command}"
SOCKS_BROKEN = "it broke off the SOCKS5 handshake; is its username or password wrong?"
SCHEMES = (
    "a proxy's address begins with http://, https://, socks5:// or socks5h:// and names a host"
)


class ProxiedTransports:
    """One of httpx's transports per proxy."""

    def __init__(
        self,
        *,
        context: Callable[[], ssl.SSLContext],
        max_connections: int,
        idle_seconds: float,
    ) -> None:
        self._context = context
        self._limits = httpx.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=idle_seconds,
        )
        self._transports: dict[str, httpx.AsyncHTTPTransport] = {}
        self._former: list[httpx.AsyncHTTPTransport] = []
        self._slept_before = slept()
        self._counts: dict[tuple[str, str, int | None], list[int]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def send(
        self,
        proxy: str,
        request: HttpRequest,
        fields: list[tuple[bytes, bytes]],
        address: Address,
        bounds: Bounds,
        fault: Fault,
        sending: Sending | None = None,
    ) -> "ProxiedResponse":
        """Send through `proxy` and return once the head is there.

        Raises a `faults.TransportFault`, and `faults.BadProxy` for a proxy that cannot be used.
        """
        loop = asyncio.get_running_loop()
        watch = _Watch(loop, bounds)
        try:
            message = httpx.Request(
                request.method, request.url, headers=fields, content=request.body
            )
            message.extensions = {"trace": watch.trace, "timeout": {}}
            transport = self._transport(proxy)
            async with watch.timeout:
                response = await transport.handle_async_request(message)
        except TimeoutError as error:
            raise watch.expired() from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _ours(error) from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "socksio":  # which httpcore lets out
                raise
            raise faults.ProxyError(SOCKS_BROKEN) from error
        finally:
            if sending is not None and watch.sent_at:
                sending.sent_at = watch.sent_at
        if response.status_code == 407 and address.scheme == "http":
            await response.aclose()
            raise faults.ProxyError("407 Proxy Authentication Required")
        self._count(address, opened=watch.opened)
        return ProxiedResponse(response, watch, self._dispose, fault)

    def connections(self, address: Address) -> tuple[int, int]:
        """Return how many connections were opened for this origin, and requests without one."""
        opened, reused = self._counts.get(address.origin, (0, 0))
        return opened, reused

    def _count(self, address: Address, *, opened: bool) -> None:
        counts = self._counts.setdefault(address.origin, [0, 0])
        counts[0 if opened else 1] += 1

    def _transport(self, proxy: str) -> httpx.AsyncHTTPTransport:
        if slept() - self._slept_before > SLEEP_SECONDS:
            # What was kept from before a sleep is dead. Answers that are being read end as they
            # may, and what then is left is closed after the next one.
            self._slept_before = slept()
            for former in self._former:
                self._close_later(former.aclose())
            self._former = list(self._transports.values())
            self._transports.clear()
        transport = self._transports.get(proxy)
        if transport is None:
            context = self._context()
            tls_to_proxy = context if proxy.startswith("https:") else None
            if not is_address(proxy):
                raise faults.BadProxy(SCHEMES)
            try:
                transport = httpx.AsyncHTTPTransport(
                    verify=context,
                    trust_env=False,
                    limits=self._limits,
                    socket_options=socket_options(),
                    proxy=httpx.Proxy(proxy, ssl_context=tls_to_proxy),
                )
            except ImportError:
                raise faults.BadProxy(
                    SOCKS_MISSING.format(command=install_command("socks"))
                ) from None
            except (ValueError, httpx.InvalidURL):
                raise faults.BadProxy(SCHEMES) from None
            self._transports[proxy] = transport
        return transport

    def _dispose(self, response: httpx.Response, body: AsyncIterator[bytes]) -> None:
        """Close in the background, as httpx cannot otherwise; `aclose` waits for it."""
        self._close_later(_close(response, body))

    def _close_later(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Close everything, also what is being closed."""
        while self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)
        for transport in (*self._transports.values(), *self._former):
            await transport.aclose()
        self._transports.clear()
        self._former.clear()


class _Watch:
    """The bounds of one proxied request, moved along by what httpcore traces."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bounds: Bounds) -> None:
        self._loop = loop
        self._bounds = bounds
        self._total_at = None if bounds.total is None else loop.time() + bounds.total
        self._phase: Phase | None = None  # None: connecting
        self._own = False
        self.opened = False
        self.sent_at = 0.0
        self.timeout = asyncio.timeout_at(self._due(bounds.connect))

    def _due(self, bound: float | None) -> float | None:
        if bound is None:
            return self._total_at
        due = self._loop.time() + bound
        return due if self._total_at is None else min(due, self._total_at)

    async def trace(self, event: str, info: Mapping[str, object]) -> None:
        if event.endswith(".connect_tcp.started"):  # "connection", or "socks5"
            self.opened = True
        elif event == "http11.send_request_headers.started":
            self._own = getattr(info["request"], "method", b"") != b"CONNECT"
            if self._own:
                self.sent_at = self._loop.time()
                self._phase = "firstByte"
                self.timeout.reschedule(self._due(self._bounds.first_byte))
        elif event == "http11.send_request_body.complete" and self._own:
            self.timeout.reschedule(self._due(self._bounds.first_byte))

    def between_chunks(self) -> asyncio.Timeout:
        self._phase = "idle"
        return asyncio.timeout_at(self._due(self._bounds.idle))

    def expired(self) -> faults.TransportFault:
        """Return which bound it was that has passed."""
        if self._total_at is not None and self._loop.time() >= self._total_at:
            return faults.TotalTimeout("the whole request took too long")
        if self._phase is None:
            return faults.ConnectTimeout("connecting through the proxy took too long")
        return faults.ReadTimeout("no answer in time")


class ProxiedResponse(HttpResponse):
    """An answer that came through a proxy."""

    __slots__ = ("_body", "_closed", "_dispose", "_ended", "_response", "_watch")

    def __init__(
        self,
        response: httpx.Response,
        watch: _Watch,
        dispose: Callable[[httpx.Response, AsyncIterator[bytes]], None],
        fault: Fault,
    ) -> None:
        now = asyncio.get_running_loop().time()
        headers = header_mapping(response.headers.raw)
        super().__init__(response.status_code, headers, watch.sent_at, now, fault)
        self._response = response
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self._body = response.stream.__aiter__()
        self._watch = watch
        self._dispose = dispose
        self._closed = False
        self._ended = False
        self.prepare()

    async def receive(self) -> bytes:
        decoder = self._decoder
        try:
            while True:
                if decoder is not None and decoder.pending:
                    data = decoder.decode(b"")
                elif self._ended or self._closed:
                    if decoder is not None and self._ended:
                        decoder.end()
                    return b""
                else:
                    data = await self._next()
                    if decoder is not None:
                        data = decoder.decode(data)
                if data:
                    return data
        except asyncio.CancelledError:
            self.close()
            raise
        except Exception as error:
            self.close()
            raise self._fault(error) from error

    async def _next(self) -> bytes:
        try:
            async with self._watch.between_chunks():
                return await anext(self._body)
        except StopAsyncIteration:
            self._ended = self._closed = True
            await self._response.aclose()  # gives the connection back
            return b""
        except TimeoutError as error:
            raise self._watch.expired() from error
        except httpx.HTTPError as error:
            raise _ours(error) from error

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._dispose(self._response, self._body)

    def finish(self) -> None:
        self.close()


async def _close(response: httpx.Response, body: AsyncIterator[bytes]) -> None:
    aclose = getattr(body, "aclose", None)
    if aclose is not None:
        await aclose()
    await response.aclose()


_KINDS: dict[type[BaseException], type[faults.TransportFault]] = {
    httpx.ConnectTimeout: faults.ConnectTimeout,
    httpx.PoolTimeout: faults.PoolTimeout,
    httpx.WriteTimeout: faults.WriteTimeout,
    httpx.ReadTimeout: faults.ReadTimeout,
    httpx.ConnectError: faults.ConnectError,
    httpx.NetworkError: faults.NetworkError,
    httpx.ProxyError: faults.ProxyError,
    httpx.RemoteProtocolError: faults.RemoteProtocolError,
    httpx.LocalProtocolError: faults.LocalProtocolError,
    httpx.DecodingError: faults.DecodingError,
    httpx.UnsupportedProtocol: faults.InvalidURL,
    httpx.InvalidURL: faults.InvalidURL,
}


def _ours(error: Exception) -> faults.TransportFault:
    """Return the fault of ours that one of httpx's errors stands for."""
    kinds = (_KINDS[kind] for kind in type(error).__mro__ if kind in _KINDS)
    return next(kinds, faults.TransportFault)(str(error))
