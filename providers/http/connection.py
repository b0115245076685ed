"""One HTTP/1.1 connection: bytes of a socket to an exchange, by llhttp, one exchange at a time.

It knows nothing of origins, pools, time or who reads. `owner` is told when the connection may carry
another exchange (`released`) and when it never will again (`lost`), each once.
"""

import asyncio
import ssl
from typing import Protocol

import httptools

from providers.http import faults
from providers.http.exchange import HIGH_WATER, Exchange

# Far above what services send (about 2 kB, 30 fields), far below what would hurt. Node allows
# 16 kB of head, nginx 32 kB of a line, curl 100 kB of a line and 300 kB in all.
HEAD_LIMIT = 64 * 1024
LINE_LIMIT = 32 * 1024
COUNT_LIMIT = 256
SLICE = 128 * 1024  # of a large request body, written at once


class Owner(Protocol):
    def released(self, connection: "Connection") -> None: ...
    def lost(self, connection: "Connection") -> None: ...


class Refused(Exception):
    """The answer is over one of the limits above, or is not an answer to a plain request."""


class Connection(asyncio.Protocol):
    """`usable`: open and without an exchange. `used`: it has carried one before this one."""

    __slots__ = (
        "_complete",
        "_exchange",
        "_extra",
        "_gone",
        "_head_size",
        "_headers",
        "_in_head",
        "_interim",
        "_keep_alive",
        "_owner",
        "_parser",
        "_quiet",
        "_sent",
        "_transport",
        "_until_close",
        "_write_paused",
        "idle_since",
        "slept_before",
        "used",
    )

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._quiet = 0  # bytes since the last one of a body: an endless head, trailer, 1xx
        self._interim = False
        self._in_head = True
        self._until_close = False
        self._keep_alive = False
        self._complete = False
        self._extra = False
        self._sent = True
        self._write_paused = False
        self._gone = False
        self.used = False
        self.idle_since = 0.0
        self.slept_before = 0.0

    @property
    def usable(self) -> bool:
        return not self._gone and self._exchange is None

    # --- the pool's and the transport's side -------------------------------------------

    async def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Write the request and wait for the head of its answer, which `exchange` then has.

        Raises `faults.TransportFault`s; the connection is gone then, as it is when cancelled.
        """
        transport = self._transport
        assert transport is not None and self._exchange is None
        self._exchange = exchange
        self._quiet = 0
        self._sent = False
        whole = len(body) <= SLICE
        exchange.start(self, "firstByte" if whole else "upload")
        try:
            if whole:
                transport.write(head + body)
                self._sent = True
            else:
                transport.write(head)
                await self._upload(exchange, transport, body)
                exchange.enter("idle" if exchange.status else "firstByte")
            while not exchange.status and not exchange.done:
                await exchange.wait()
        except BaseException:
            exchange.close()
            raise
        if exchange.error is not None and not exchange.status:
            raise exchange.error

    async def _upload(self, exchange: Exchange, transport: asyncio.Transport, body: bytes) -> None:
        """Write `body` as fast as the peer takes it; an early answer that says no ends it."""
        view = memoryview(body)
        for start in range(0, len(view), SLICE):
            while self._write_paused and not exchange.done and exchange.status < 300:
                await exchange.wait()
            if exchange.done or exchange.status >= 300:
                return
            exchange.enter("upload")
            transport.write(view[start : start + SLICE])
        self._sent = True

    def abort(self) -> None:
        """Close now; nothing is flushed, and the peer sees it at once."""
        if not self._gone:
            self._leave()
            if self._transport is not None:
                self._transport.abort()

    def shut(self) -> None:
        """Close now, and fail the exchange that it carries, if any."""
        if self._exchange is not None:
            self._exchange.close()
        self.abort()

    def resume_body(self) -> None:
        if self._transport is not None and not self._gone:
            self._transport.resume_reading()

    def _leave(self) -> None:
        self._gone = True
        self._exchange = None
        self._parser = None  # it refers to our methods: break the cycle
        self._owner.lost(self)

    # --- asyncio's side ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._gone:  # given up while connecting
            transport.abort()

    def data_received(self, data: bytes) -> None:
        exchange = self._exchange
        parser = self._parser
        if exchange is None or parser is None:
            self.abort()  # an answer that nobody asked for
            return
        size = len(data)
        self._quiet += size
        exchange.silent = False
        try:
            parser.feed_data(data)
            if self._quiet > HEAD_LIMIT:
                raise Refused("the answer's head is too large")
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, Refused) as error:
            if not self._complete:
                self._break(exchange, error)
                return
            self._extra = True
        if self._complete:
            self._finish(exchange)
            return
        exchange.size = waiting = exchange.size + size
        if waiting > HIGH_WATER:
            self._hold(exchange)

    def _hold(self, exchange: Exchange) -> None:
        if exchange.discarding:
            exchange.close()
        elif exchange.pieces and not exchange.paused and self._transport is not None:
            exchange.paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        exchange = self._exchange
        if exchange is not None and exchange.status and self._until_close and self._meant():
            self._finish(exchange)

    def _meant(self) -> bool:
        """Return whether an end of file is the peer's: over TLS, only after its close_notify."""
        assert self._transport is not None
        tls = self._transport.get_extra_info("ssl_object")
        if tls is None:
            return True
        try:
            return not tls.read(1)
        except ssl.SSLError:  # OpenSSL would still wait for more
            return False

    def connection_lost(self, exc: Exception | None) -> None:
        exchange = self._exchange
        if not self._gone:
            self._leave()
        if exchange is not None:
            error: faults.TransportFault
            if exc is None:
                error = faults.RemoteProtocolError("the connection was closed before the end")
            else:
                error = faults.ReadError(f"the connection broke: {exc}")
                error.__cause__ = exc
            exchange.fail(error)

    def pause_writing(self) -> None:
        self._write_paused = True

    def resume_writing(self) -> None:
        self._write_paused = False
        if self._exchange is not None and not self._sent:
            self._exchange.wake()

    # --- llhttp's side --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:
            self._extra = True
        self._headers = []
        self._head_size = 0
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        size = len(name) + len(value)
        self._head_size += size
        if size > LINE_LIMIT or self._head_size > HEAD_LIMIT:
            raise Refused("a header of the answer is too large")
        if self._in_head:  # afterwards these are trailers, which nobody reads
            self._headers.append((name, value))
            if len(self._headers) > COUNT_LIMIT:
                raise Refused("the answer has too many headers")

    def on_headers_complete(self) -> None:
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None or self._extra:
            return
        status = parser.get_status_code()
        if status < 200:
            if status == 101:
                raise Refused("the answer switches to another protocol, unasked")
            self._interim = True
            return
        if parser.get_http_version()[0] != "1":
            raise Refused("the answer is of an HTTP version that was not asked for")
        self._in_head = False
        self._keep_alive = parser.should_keep_alive()
        self._until_close = not self._keep_alive and _ends_by_close(self._headers)
        exchange.head(status, self._headers)
        if exchange.head_only:
            # llhttp cannot be told that no body follows; the connection is not used again.
            self._keep_alive = False
            self._complete = True

    def on_body(self, data: bytes) -> None:
        self._quiet = 0
        exchange = self._exchange
        if exchange is not None:
            exchange.pieces.append(data)
            waiter = exchange.waiter
            if waiter is not None:  # `wake`, without the call
                exchange.waiter = None
                if not waiter.done():
                    waiter.set_result(None)

    def on_message_complete(self) -> None:
        if self._interim:
            self._interim = False
        else:
            self._complete = True

    # --- the end of an answer ---------------------------------------------------------------

    def _finish(self, exchange: Exchange) -> None:
        reuse = self._keep_alive and self._sent and not self._extra
        self._exchange = None
        self._headers = []  # an idle connection keeps nothing of the last answer
        self._complete = False
        self.used = True
        if exchange.head_only:
            exchange.pieces.clear()
        if exchange.paused:
            exchange.paused = False
            self.resume_body()
        exchange.finish()
        if reuse and self._transport is not None and not self._transport.is_closing():
            self._owner.released(self)
        else:
            self.abort()

    def _break(self, exchange: Exchange, error: Exception) -> None:
        cause = error.__context__ if isinstance(error.__context__, Refused) else error
        if isinstance(cause, httptools.HttpParserUpgrade):
            cause = Refused("the answer switches to another protocol, unasked")
        said = str(cause) if isinstance(cause, Refused) else f"it is not HTTP/1.1 ({cause})"
        refused = faults.DecodingError(said)
        refused.__cause__ = cause
        exchange.fail(refused)
        self.abort()


def _ends_by_close(headers: list[tuple[bytes, bytes]]) -> bool:
    """Return whether a body with this head lasts until the peer closes (RFC 9112, 6.3)."""
    coding = length = None
    for name, value in headers:
        lowered = name.lower()
        if lowered == b"transfer-encoding":
            coding = value
        elif lowered == b"content-length":
            length = value
    if coding is not None:
        return coding.split(b",")[-1].strip().lower() != b"chunked"
    return length is None
