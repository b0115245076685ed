"""What a request is for the client's users, and the answer they read.

`HttpResponse` is what everybody codes to; this file's own one reads our transport's buffer without
a layer in between, because its `receive` runs once per token.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping

import msgspec

from providers.errors import Malformed, ProviderError
from providers.http.encoding import BadEncoding, Decoder, decoder_for
from providers.http.exchange import Exchange

READ_LIMIT = 32 * 1024 * 1024
"""Bytes of a whole answer: a few times the largest real one (base64 images)."""

Fault = Callable[[Exception], ProviderError]


class HttpRequest(msgspec.Struct):
    """`keep_alive` False: the connection is closed after the answer (`Connection: close`)."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes = b""
    keep_alive: bool = True

    def __repr__(self) -> str:
        """Headers, body and query may be secret."""
        return f"HttpRequest({self.method} …)"


class HttpResponse(ABC):
    """The head of an answer, and its body to be read. Close it in a `finally`.

    `headers` have lower-case names; repeated ones are joined with ", ". `sent_at` (the request's
    first byte was handed to the socket) and `first_byte_at` (the answer's head was there) are
    seconds of the loop's clock.
    """

    __slots__ = ("_decoder", "_fault", "first_byte_at", "headers", "sent_at", "status")

    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        sent_at: float,
        first_byte_at: float,
        fault: Fault,
    ) -> None:
        self.status = status
        self.headers = headers
        self.sent_at = sent_at
        self.first_byte_at = first_byte_at
        self._fault = fault
        self._decoder: Decoder | None = None

    def prepare(self) -> None:
        """Make ready to undo the body's encoding. Raises `Malformed` for an unknown one."""
        coding = self.headers.get("content-encoding")
        if coding is not None:
            try:
                self._decoder = decoder_for(coding)
            except BadEncoding as error:
                self.close()
                raise self._fault(error) from error

    @abstractmethod
    async def receive(self) -> bytes:
        """Return everything that has arrived since the last call, decoded; b"" at the clean end.

        Raises `TimedOut` (phase idle or total), `Disconnected` when the answer is cut short,
        `Malformed` when it is not HTTP or damaged. Cancelled, it closes the connection.
        """

    @abstractmethod
    def close(self) -> None:
        """Drop the rest. A connection whose answer is not whole is closed at once. Idempotent."""

    @abstractmethod
    def finish(self) -> None:
        """Drop the rest, which is nothing but the end of the framing.

        For readers that know the end of an answer before HTTP does: the connection is kept if the
        rest is here at once (in a quarter of a second), and closed otherwise. Idempotent.
        """

    async def read(self, limit: int = READ_LIMIT) -> bytes:
        """Return the whole rest, at most `limit` bytes. Raises as `receive`, and `Malformed` over
        the limit.
        """
        parts: list[bytes] = []
        size = 0
        while data := await self.receive():
            parts.append(data)
            size += len(data)
            if size > limit:
                self.close()
                raise Malformed(f"the answer is larger than {limit} bytes")
        return parts[0] if len(parts) == 1 else b"".join(parts)


class DirectResponse(HttpResponse):
    """An answer on a connection of our own transport."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange, fault: Fault) -> None:
        super().__init__(
            exchange.status,
            header_mapping(exchange.headers),
            exchange.sent_at,
            exchange.first_byte_at,
            fault,
        )
        self._exchange = exchange
        exchange.headers.clear()  # said twice, they would be kept as long as a stream lasts
        self.prepare()

    async def receive(self) -> bytes:
        exchange = self._exchange
        try:
            if self._decoder is not None:
                return await self._decoded(self._decoder)
            while not exchange.pieces:
                if exchange.done:
                    if exchange.error is not None:
                        raise exchange.error
                    return b""
                await exchange.wait()
            return exchange.take()
        except asyncio.CancelledError:
            exchange.close()
            raise
        except Exception as error:
            exchange.close()
            raise self._fault(error) from error

    async def _decoded(self, decoder: Decoder) -> bytes:
        while True:
            data = decoder.decode(b"" if decoder.pending else await self._exchange.receive())
            if data:
                return data
            if self._exchange.whole and not decoder.pending:
                decoder.end()
                return b""

    def close(self) -> None:
        self._exchange.close()

    def finish(self) -> None:
        self._exchange.linger()


def header_mapping(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by lower-case name, repeated ones joined as RFC 9110, 5.3 says."""
    headers: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
