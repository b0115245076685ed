"""Amazon's event stream: any cut gives the same messages; a message that was made right comes out
as it went in; what we read botocore reads; anything else is refused as malformed."""

import contextlib
from struct import pack
from zlib import crc32

from botocore.eventstream import EventStreamBuffer

from fuzz.material import Cursor, cut
from providers.errors import Malformed
from providers.wire import eventstream
from providers.wire.eventstream import EventStreamDecoder, parse_headers, parse_message

HEADER = b"\x0b:event-type\x07\0\x05chunk\x0d:message-type\x07\0\x05event"


def message(headers: bytes, payload: bytes, *, lie: int = 0) -> bytes:
    prelude = pack("!II", (16 + len(headers) + len(payload) + lie) & 0xFFFFFFFF, len(headers))
    data = prelude + pack("!I", crc32(prelude)) + headers + payload
    return data + pack("!I", crc32(data))


WORDS = (
    *(b":event-type", b":message-type", b":exception-type", b":error-code", b":error-message"),
    *(b"\x07\0\x05event", b"\x07\0\x09exception", b"\x07\0\x05error", b"\x06\0\x02ab", b"\x09"),
    *(HEADER, b"\x0d:message-type\x07\0\x05error\x0b:error-code\x07\0\x01x"),
)
SEEDS = (
    b"\0\0" + message(HEADER, b"small") + message(HEADER, b"x" * 200) + message(HEADER, b""),
    b"\0\0" + message(HEADER, b'{"a":1}') + message(HEADER, b""),
    b"\x80\1\2" + bytes([len(HEADER)]) + HEADER + b'\7{"a":1}',
    b"\x80\5\1\x1c\x0d:message-type\x07\0\x05error\x01a\0\x01b\1\x02hi",
    b"\x80\7\1\x20\1a\2\xff\1b\3\0\1\1c\4\0\0\0\1\1d\5\0\0\0\0\0\0\0\1\1e\6\0\1x\1f\x08\0\0\0\0\0",
    b"\xc0\3\1\x05\1\2\3\4\5\1\1",
)
LIMIT = 128


def check(data: bytes) -> None:
    cursor = Cursor(data)
    kind, how = cursor.byte(), cursor.byte()
    if kind < 128:
        body = cursor.rest()
    else:
        body = b"".join(made(cursor, lying=kind >= 192) for _ in range(1 + cursor.below(4)))
    whole = decode([body], 1 << 24)
    for way in (1, how):
        assert decode(cut(body, way), 1 << 24) == whole, way
    for way in (0, 1, how):
        frames, _, kept = decode(cut(body, way), LIMIT)
        assert frames == whole[0][: len(frames)]
        assert all(16 + len(payload) <= LIMIT for _, payload in frames)
        assert kept <= LIMIT + max(map(len, cut(body, way)), default=0)
    compare(body, len(whole[0]))
    with contextlib.suppress(Malformed):
        parse_message(body)


def made(cursor: Cursor, *, lying: bool) -> bytes:
    """Return a message with right checksums; where `lying`, its length may say something else."""
    headers = bytes(cursor.byte() for _ in range(cursor.below(200)))
    payload = bytes(cursor.byte() for _ in range(cursor.below(64)))
    data = message(headers, payload, lie=cursor.byte() - 128 if lying and cursor.below(2) else 0)
    try:
        parse_headers(headers)
    except Malformed:
        pass
    else:
        parsed = parse_message(message(headers, payload))
        assert parsed.payload == payload
    return data


def decode(pieces: list[bytes], limit: int) -> tuple[list[tuple[str, bytes]], str | None, int]:
    eventstream.MESSAGE_LIMIT, before = limit, eventstream.MESSAGE_LIMIT
    decoder, out, most = EventStreamDecoder(), [], 0
    try:
        for piece in pieces:
            out += decoder.feed(piece)
            if limit != 1 << 24:
                most = max(most, len(decoder._buffer))
        out += decoder.end()
    except Malformed as error:
        return out, error.message, most
    finally:
        eventstream.MESSAGE_LIMIT = before
    return out, None, most


def compare(body: bytes, ours: int) -> None:
    """What botocore reads, we read; it is laxer about headers, and stops later."""
    buffer, theirs = EventStreamBuffer(), 0
    buffer.add_data(body)
    try:
        for _ in buffer:
            theirs += 1
    except Exception:  # noqa: BLE001 - theirs raises what its parts raise
        pass
    assert ours <= theirs, "we read more than botocore does"
