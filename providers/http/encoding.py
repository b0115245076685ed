"""Undoing `Content-Encoding`. We ask for none, but some gateways compress unasked.

Bytes in, bytes out, no I/O. What comes out at once is bounded, so a small answer cannot fill the
memory.
"""

import zlib

STEP = 1024 * 1024  # decoded bytes handed out at once


class BadEncoding(Exception):
    """The body is not in the encoding its head says, or in one nobody asked for."""


class Decoder:
    """gzip (also several members) or deflate (with and, as some send it, without zlib's head)."""

    def __init__(self, name: str) -> None:
        self._gzip = name in ("gzip", "x-gzip")
        self._inflate = zlib.decompressobj(31) if self._gzip else None
        self._held: bytes = b""  # a deflate body's first byte, before it is known which kind it is
        self._rest: bytes = b""
        self._begun = False

    @property
    def pending(self) -> bool:
        """Whether `decode(b"")` has more to give."""
        return bool(self._rest)

    def decode(self, data: bytes) -> bytes:
        """Return up to `STEP` decoded bytes; the rest while `pending`. Raises `BadEncoding`."""
        data = self._rest + data if self._rest else data
        self._rest: bytes = b""
        self._begun = self._begun or bool(data)
        inflate = self._inflate
        if inflate is None:
            data = self._held + data
            self._held = data if len(data) < 2 else b""
            if self._held or not data:
                return b""
            # RFC 1950, 2.2: the method is 8 and the first two bytes are a multiple of 31.
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._inflate = inflate = zlib.decompressobj(15 if wrapped else -15)
        elif inflate.eof:
            if not self._gzip or not data.strip(b"\0"):
                return b""  # padding after the end is ignored, as every client does
            self._inflate = inflate = zlib.decompressobj(31)
        try:
            out = inflate.decompress(data, STEP)
        except zlib.error as error:
            raise BadEncoding("the compressed body is damaged") from error
        if not inflate.eof:
            self._rest = inflate.unconsumed_tail
        elif self._gzip and inflate.unused_data.strip(b"\0"):
            self._rest = inflate.unused_data
        return out

    def end(self) -> None:
        """Raise `BadEncoding` if the compressed body is cut short; one of no bytes is empty."""
        if self._begun and (self._inflate is None or not self._inflate.eof):
            raise BadEncoding("the compressed body is cut short")


def decoder_for(header: str) -> Decoder | None:
    """Return the decoder for a `Content-Encoding`, None for identity. Raises `BadEncoding`."""
    names = [n for n in (part.strip().lower() for part in header.split(",")) if n != "identity"]
    names = [n for n in names if n]
    if not names:
        return None
    if len(names) > 1 or names[0] not in ("gzip", "x-gzip", "deflate"):
        raise BadEncoding(f"the body is encoded as {header[:40]!r}, which nobody asked for")
    return Decoder(names[0])
