"""Server-sent events: bytes in, `(event name, data)` out, however the bytes were cut.

The rules are those of the WHATWG HTML standard, section 9.2.6 "Interpreting an event stream".
This file knows nothing of JSON, of a provider or of a socket.

Most chunks are exactly one event of one `data` line, named or not: these have a path of their own.
Bytes are searched for as numbers: `13 in chunk` is ten times as fast as `b"\\r" in chunk`.
"""

from providers.errors import Malformed

EVENT_LIMIT = 16 * 1024 * 1024
"""Bytes of one event (a larger event is `malformedStream`: docs/protocol.md, "Errors")."""

FOREIGN_LIMIT = 64 * 1024
"""Bytes kept of a body that is no event stream: enough for any error document."""

SseEvent = tuple[str, bytes]

_LF, _CR, _SPACE = 10, 13, 32
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry")
_RETRY_DIGITS = 15  # more would be 30,000 years; and int() refuses thousands of digits


class SseDecoder:
    """Decodes one event stream.

    `last_id` and `retry` (milliseconds) are what the stream last said, "" and None before that.
    `foreign` holds what came since the last event and is no field of the standard: the body of an
    answer that is no event stream at all, or a document that ends one.
    """

    __slots__ = (
        "_data",
        "_fresh",
        "_id",
        "_idle",
        "_more",
        "_more_size",
        "_name",
        "_size",
        "_skip_lf",
        "_tail",
        "_too_large",
        "foreign",
        "last_id",
        "retry",
    )

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: int | None = None
        self.foreign = bytearray()
        self._idle = False  # between two events, and nothing at all held back
        self._fresh = True  # the byte order mark may still come
        self._skip_lf = False  # the last byte was a CR: an LF now is part of the same line end
        self._tail = bytearray()  # an unfinished line; it holds no line end, so it is not searched
        self._data: bytes | None = None  # first `data` line of the unfinished event
        self._more: list[bytes] = []  # its further `data` lines
        self._more_size = 0
        self._size = 0  # bytes in all of them
        self._name = ""
        self._id: str | None = None  # becomes `last_id` with the event's empty line
        self._too_large = False

    def feed(self, chunk: bytes) -> list[SseEvent]:
        """Return the events that `chunk` completes.

        Raises `Malformed` for an event over `EVENT_LIMIT`; where events came before it in the same
        chunk they are returned, and the next call raises.
        """
        if self._idle:
            size = len(chunk)
            first = chunk.find(_LF)
            if first == size - 2:
                if (
                    chunk[:6] == b"data: "
                    and chunk[-1] == _LF
                    and _CR not in chunk
                    and size <= EVENT_LIMIT
                ):
                    return [("", chunk[6:-2])]
            elif chunk[:7] == b"event: ":
                data = first + 7
                if (
                    chunk[first + 1 : data] == b"data: "
                    and chunk.find(_LF, data) == size - 2
                    and chunk[-1] == _LF
                    and _CR not in chunk
                    and size <= EVENT_LIMIT
                ):
                    return [(chunk[7:first].decode("utf-8", "replace"), chunk[data:-2])]
        return self._feed(chunk)

    def end(self) -> list[SseEvent]:
        """Return nothing: an event without its empty line is discarded, as the standard says.

        Raises `Malformed` where the last `feed` had found an event too large.
        """
        if self._too_large:
            raise _too_large()
        tail = bytes(self._tail)
        if tail and not any(name.startswith(tail) for name in _FIELDS):
            self._field(tail)
        return []

    @property
    def unfinished(self) -> SseEvent | None:
        """The event that lacks its empty line. After `end`: what the standard discards."""
        if self._data is None:
            return None
        return self._name, b"\n".join((self._data, *self._more))

    def _feed(self, chunk: bytes) -> list[SseEvent]:
        if self._too_large:
            raise _too_large()
        out: list[SseEvent] = []
        if self._fresh:
            chunk = self._without_mark(chunk)
        if self._skip_lf and chunk:
            self._skip_lf = False
            if chunk[0] == _LF:
                chunk = chunk[1:]
        if chunk:
            self._lines(self._split(chunk), out)
        if len(self._tail) + self._size > EVENT_LIMIT:
            self._too_large = True
        self._idle = not (
            self._tail
            or self._data is not None
            or self._name
            or self._id is not None
            or self.foreign
            or self._skip_lf
            or self._fresh
            or self._too_large
        )
        if self._too_large and not out:
            raise _too_large()
        return out

    def _without_mark(self, chunk: bytes) -> bytes:
        """Return the stream's first bytes without the byte order mark; "" until that is known."""
        chunk = bytes(self._tail) + chunk
        self._tail.clear()
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._tail += chunk
            return b""
        self._fresh = False
        return chunk.removeprefix(_BOM)

    def _split(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes; keep the unfinished one."""
        if _CR in chunk:
            lines = chunk.splitlines()  # of bytes: at LF, CR and CR LF, nowhere else
            self._skip_lf = chunk[-1] == _CR
            rest = b"" if self._skip_lf or chunk[-1] == _LF else lines.pop()
        else:
            lines = chunk.split(b"\n")
            rest = lines.pop()
        if self._tail:
            if not lines:
                self._tail += rest
                return lines
            lines[0] = bytes(self._tail + lines[0])
        if rest or self._tail:
            self._tail = bytearray(rest)
        return lines

    def _lines(self, lines: list[bytes], out: list[SseEvent]) -> None:
        """Take whole lines; the frequent kinds are dealt with here, without a call."""
        data, name = self._data, self._name
        for line in lines:
            if not line:
                if self._id is not None:
                    self.last_id, self._id = self._id, None
                if data is not None:
                    if self._more:
                        data = self._joined(data)
                        if self._too_large:
                            return
                    elif len(data) > EVENT_LIMIT:
                        self._too_large = True
                        return
                    out.append((name, data))
                    data = None
                    if self.foreign:
                        self.foreign.clear()
                name = ""
            elif line[:6] == b"data: " and data is None:
                data = line[6:]
            elif line[:7] == b"event: ":
                name = line[7:].decode("utf-8", "replace")
            else:
                self._data, self._name = data, name
                self._field(line)
                data, name = self._data, self._name
        self._data, self._name = data, name
        self._size = 0 if data is None else len(data) + self._more_size

    def _joined(self, data: bytes) -> bytes:
        data = b"\n".join((data, *self._more))
        self._more.clear()
        self._more_size = 0
        if len(data) > EVENT_LIMIT:
            self._too_large = True
        return data

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        if value[:1] == b" ":
            value = value[1:]
        if field == b"data":
            if self._data is None:
                self._data = value
            else:
                self._more.append(value)
                self._more_size += len(value) + 1
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        elif field == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif field == b"retry":
            if value.isdigit() and len(value) <= _RETRY_DIGITS:
                self.retry = int(value)
        elif field and len(self.foreign) < FOREIGN_LIMIT:
            self.foreign += line[:FOREIGN_LIMIT] + b"\n"


def _too_large() -> Malformed:
    return Malformed(f"an event of the stream is larger than {EVENT_LIMIT >> 20} MiB")
