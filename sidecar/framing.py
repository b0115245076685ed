"""LSP's base protocol framing, sans-I/O: bytes in, message bodies out (LSP 3.17, "Base Protocol").

It knows nothing of JSON, but relies on one fact of it: a JSON text cannot contain a raw line break
inside a string, so a line that ends in `Content-Length: N` is never part of a valid body. That is
how it finds the next message after garbage and after a message that was too large to keep.
"""

import re
from typing import NamedTuple

MAX_FRAME = 64 * 1024 * 1024
"""Largest body, in bytes; a larger one is refused, not buffered (docs/protocol.md)."""

_MAX_LINE = 8192  # a header line longer than this is garbage; only its tail can still matter
_TAIL = 64  # longer than "Content-Length: " with 20 digits
_HEAD = 1024  # how much of a refused body is kept, to find the request's id in
_PLAIN = re.compile(rb"Content-Length: (\d{1,8})\r\n\r\n")  # as every client writes it
_LENGTH = re.compile(rb"content-length[ \t]*:[ \t]*(\d{1,20})[ \t]*\r?\n\Z", re.IGNORECASE)


class FrameError(NamedTuple):
    """Bytes that are no message: `head` is the beginning of a body over the limit, else empty."""

    message: str
    head: bytes = b""


class FrameDecoder:
    """Cuts a stream of bytes into message bodies. `feed` never raises and never waits for a fix."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = 0  # bytes at the buffer's start known to hold no line break
        self._length: int | None = None  # as announced, while still in the header
        self._body: int | None = None  # body length, once the header is complete
        self._refused: int | None = None  # length of a refused body whose head is awaited
        self._garbage = False  # told once per stretch

    @property
    def pending(self) -> bytes:
        """The bytes of a message that is not complete yet."""
        return bytes(self._buffer)

    @property
    def lacking(self) -> int:
        """How many bytes of a body are still to come; 0 where that is not known."""
        return 0 if self._body is None else self._body - len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | FrameError]:
        """Return every message that `data` completes, and an error for what was none."""
        out: list[bytes | FrameError] = []
        buffer = self._buffer
        if not buffer and self._body is self._length is self._refused is None:
            data = self._take_whole(data, out)
            if not data:
                return out
        buffer += data
        while True:
            if self._body is not None:
                if len(buffer) < self._body:
                    return out
                out.append(bytes(memoryview(buffer)[: self._body]))
                del buffer[: self._body]
                self._body = None
                self._garbage = False
                if _PLAIN.match(buffer):
                    buffer[:] = self._take_whole(bytes(buffer), out)
            elif self._refused is not None:
                if not buffer:
                    return out
                self._refuse(out)
            elif not self._header_line(out):
                return out

    def _take_whole(self, data: bytes, out: list[bytes | FrameError]) -> bytes:
        """Take messages that are there whole and begin plainly; return the rest.

        Nearly all do; line by line they would take six times longer.
        """
        at = 0
        while found := _PLAIN.match(data, at):
            body = found.end()
            end = body + int(found[1])
            if end > len(data) or end - body > self._limit:
                break
            out.append(data[body:end])
            at = end
            self._garbage = False
        return data[at:]

    def _refuse(self, out: list[bytes | FrameError]) -> None:
        """Report a body over the limit. Its bytes are then passed over like any garbage."""
        message = f"a message of {self._refused} bytes is over the limit of {self._limit}"
        out.append(FrameError(message, bytes(self._buffer[:_HEAD])))
        self._refused = None
        self._garbage = True

    def _header_line(self, out: list[bytes | FrameError]) -> bool:
        """Take one line off the buffer; return whether there was one."""
        buffer = self._buffer
        end = buffer.find(b"\n", self._searched)
        if end < 0:
            if len(buffer) > _MAX_LINE:
                del buffer[:-_TAIL]
                self._note_garbage(out)
            self._searched = len(buffer)
            return False
        line = bytes(buffer[max(0, end + 1 - _TAIL) : end + 1])
        blank = end == 0 or (end == 1 and buffer[0] == 0x0D)
        del buffer[: end + 1]
        self._searched = 0
        if blank:
            self._header_end()
        elif found := _LENGTH.search(line):
            self._length = int(found[1])
        elif self._length is None and line[:8].lower() != b"content-":
            self._note_garbage(out)
        return True

    def _header_end(self) -> None:
        length, self._length = self._length, None
        if length is None:
            return
        if length > self._limit:
            self._refused = length
        else:
            self._body = length

    def _note_garbage(self, out: list[bytes | FrameError]) -> None:
        if not self._garbage:
            self._garbage = True
            out.append(FrameError("bytes that are no message header were passed over"))


def frame(body: bytes) -> bytes:
    """Return `body` with its header."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
