"""`application/vnd.amazon.eventstream`: bytes in, `(event type, payload)` out, however cut.

Source: AWS, "Amazon Transcribe/Smithy event stream encoding". A message is

    total length | headers length | crc32 of those two | headers | payload | crc32

with u32 in big-endian order, the last checksum over everything before it. This file knows the
framing and the three kinds of message; not Bedrock.
"""

from binascii import crc32
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

import msgspec

from providers.errors import Malformed

MESSAGE_LIMIT = 16 * 1024 * 1024
"""Bytes of one message (a larger event is `malformedStream`: docs/protocol.md, "Errors")."""

HEADERS_LIMIT = 128 * 1024
"""Bytes of one message's headers (the encoding's own limit)."""

EXCEPTION_MARK = "!"
"""Stands before the type of what is no event: `!throttlingException`."""

HeaderValue = bool | int | bytes | str
EventFrame = tuple[str, bytes]

_PRELUDE = 12
_MOST_FIRST = MESSAGE_LIMIT >> 24  # the first byte of a length that is not over the limit
_LEAST = 16  # an empty message: prelude and checksum
_CACHED_HEADERS = 64  # a service has a dozen event types; whoever sends more is not cached

_prelude = Struct("!III").unpack_from
_u32 = Struct("!I").unpack_from
_numbers = {2: Struct("!b"), 3: Struct("!h"), 4: Struct("!i"), 5: Struct("!q"), 8: Struct("!q")}
_lengths = Struct("!H").unpack_from
_BYTES, _TEXT, _UUID = 6, 7, 9


class Message(NamedTuple):
    """Headers by name (a timestamp in milliseconds, a UUID as its 16 bytes) and the payload."""

    headers: dict[str, HeaderValue]
    payload: bytes


class EventStreamDecoder:
    """Decodes one event stream.

    A service's exception comes as `!` and its type, with its payload; an error of the stream
    itself as `!` and its code, with its text as `{"message": …}`.
    """

    __slots__ = ("_buffer", "_failed", "_types")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._failed: Malformed | None = None
        self._types: dict[
            bytes, str
        ] = {}  # headers as sent -> event type: they repeat all the time

    def feed(self, chunk: bytes) -> list[EventFrame]:
        """Return the messages that `chunk` completes.

        Raises `Malformed` for a bad checksum, a bad length or bad headers; where messages came
        before it in the same chunk they are returned, and the next call raises.
        """
        if self._failed is not None:
            raise self._failed
        data: bytes | bytearray = chunk
        if self._buffer:
            self._buffer += chunk
            if not self._has_message():
                return []
            data = bytes(self._buffer)
            self._buffer.clear()
        out: list[EventFrame] = []
        try:
            at = self._messages(data, out)
        except Malformed as error:
            self._failed = error
            if not out:
                raise
            return out
        if at < len(data):
            self._buffer += memoryview(data)[at:]
        return out

    def deferred(self) -> Malformed | None:
        """Return what the next `feed` would raise: it came after messages that were returned."""
        return self._failed

    def end(self) -> list[EventFrame]:
        """Return nothing: a message that is cut short says nothing.

        Raises what `feed` found, and `Malformed` for a rest that no message begins with.
        """
        if self._failed is None and self._buffer and self._buffer[0] > _MOST_FIRST:
            self._failed = Malformed("the answer is not an event stream")
        if self._failed is not None:
            raise self._failed
        return []

    def _has_message(self) -> bool:
        """Whether the buffer holds a whole message; a wrong length is found before it is filled."""
        size = len(self._buffer)
        try:
            return size >= _PRELUDE and size >= check_prelude(self._buffer)[0]
        except Malformed as error:
            self._failed = error
            raise

    def _messages(self, data: bytes, out: list[EventFrame]) -> int:
        """Append every whole message of `data`; return where the first unfinished one begins."""
        view = memoryview(data)
        size, at = len(data), 0
        while size - at >= _PRELUDE:
            total, headers = check_prelude(view, at)
            end = at + total
            if end > size:
                break
            if crc32(view[at : end - 4]) != _u32(data, end - 4)[0]:
                raise Malformed("the event stream's message checksum does not match")
            start = at + _PRELUDE
            self._message(data[start : start + headers], data[start + headers : end - 4], out)
            at = end
        return at

    def _message(self, head: bytes, payload: bytes, out: list[EventFrame]) -> None:
        kind = self._types.get(head)
        if kind is None:
            headers = parse_headers(head)
            kind = event_type(headers)
            if headers.get(":message-type") == "error":
                payload = _error_payload(headers, payload)
            elif len(self._types) < _CACHED_HEADERS:
                self._types[head] = kind
        out.append((kind, payload))


def check_prelude(data: memoryview | bytes | bytearray, at: int = 0) -> tuple[int, int]:
    """Return (total length, headers length) of the message that begins at `at`."""
    total, headers, checksum = _prelude(data, at)
    if crc32(data[at : at + 8]) != checksum:
        raise Malformed("the event stream's prelude checksum does not match")
    if total > MESSAGE_LIMIT:
        raise Malformed(f"an event of {total} bytes: more than {MESSAGE_LIMIT} are not read")
    if total < _LEAST or headers > total - _LEAST or headers > HEADERS_LIMIT:
        raise Malformed("the event stream's lengths contradict each other")
    return total, headers


def parse_message(data: bytes) -> Message:
    """Return the one message that `data` is. Raises `Malformed` if it is not one, and whole."""
    if len(data) < _LEAST:
        raise Malformed("the event stream's message is cut short")
    total, headers = check_prelude(data)
    if total != len(data):
        raise Malformed("the event stream's message has another length than it says")
    if crc32(data[:-4]) != _u32(data, total - 4)[0]:
        raise Malformed("the event stream's message checksum does not match")
    end = _PRELUDE + headers
    return Message(parse_headers(data[_PRELUDE:end]), data[end:-4])


def parse_headers(data: bytes) -> dict[str, HeaderValue]:
    """Return a message's headers. Raises `Malformed`, for a name that comes twice as well."""
    headers: dict[str, HeaderValue] = {}
    at, size = 0, len(data)
    try:
        while at < size:
            name_end = at + 1 + data[at]
            name = str(data[at + 1 : name_end], "utf-8")
            value, after = _value(data, name_end)
            if not name or name in headers or after > size:
                raise Malformed("the event stream's headers are not what the format says")
            headers[name] = value
            at = after
    except (IndexError, ValueError, StructError) as error:  # cut short, no UTF-8, no such type
        raise Malformed("the event stream's headers are not what the format says") from error
    return headers


def _value(data: bytes, at: int) -> tuple[HeaderValue, int]:
    """Return the value whose type byte is at `at`, and where it ends."""
    kind = data[at]
    at += 1
    if kind < 2:
        return kind == 0, at
    number = _numbers.get(kind)
    if number is not None:
        return number.unpack_from(data, at)[0], at + number.size
    if kind == _UUID:
        return data[at : at + 16], at + 16
    if kind not in (_BYTES, _TEXT):
        raise ValueError(f"header type {kind}")
    end = at + 2 + _lengths(data, at)[0]
    value = data[at + 2 : end]
    return (str(value, "utf-8") if kind == _TEXT else value), end


def event_type(headers: dict[str, HeaderValue]) -> str:
    """Return the name under which a message is handed on."""
    match headers.get(":message-type"):
        case "exception":
            return f"{EXCEPTION_MARK}{headers.get(':exception-type', '')}"
        case "error":
            return f"{EXCEPTION_MARK}{headers.get(':error-code', '')}"
        case _:
            return str(headers.get(":event-type", ""))


def _error_payload(headers: dict[str, HeaderValue], payload: bytes) -> bytes:
    text = headers.get(":error-message")
    return msgspec.json.encode({"message": text}) if isinstance(text, str) else payload
