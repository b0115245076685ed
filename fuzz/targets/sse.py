"""Server-sent events: any cut gives the same events, those that the standard's algorithm gives, and
none over the limit, nor much more than the limit kept."""

import re

from fuzz.material import Cursor, cut
from providers.errors import Malformed
from providers.wire import sse
from providers.wire.sse import SseDecoder

WORDS = (
    *(b"data: ", b"data:", b"event: ", b"id: ", b"retry: ", b"\r\n", b"\n\n", b"\r\r", b"\0"),
    *(b"\xef\xbb\xbf", b": comment", b"data", b"[DONE]", b"data: x\n\n", b"event: a\ndata: b\n\n"),
)
SEEDS = (
    b"\1data: one\r\ndata: two\r\n\r\nevent: a\r\ndata: three\r\n\r\n",
    b"\0data: one\n\ndata: two\r\n\r\nevent: n\rdata: three\r\r",
    b"\1\xef\xbb\xbfdata: a\ndata:b\ndata\n\n: c\nid: 7\nretry: 9\nevent: x\n\n",
    b"\x05event: message_start\ndata: {}\n\nevent: ping\ndata: {}\n\nid: \0\nfoo: bar\ndata: z\n\n",
    b"\x87data: " + b"x" * 200 + b"\n\ndata: y\n\n",
    b'\2{"error": {"message": "no stream"}}',
)
LIMIT = 160
SLACK = 16  # a field's name counts while its line is not complete


def check(data: bytes) -> None:
    cursor = Cursor(data)
    how = cursor.byte()
    body = cursor.rest()
    wanted = reference(body)
    for way in (0, 1, how):
        events, error, _ = decode(cut(body, way), 1 << 24)
        assert error is None and events == wanted, (way, events, wanted)
        events, error, kept = decode(cut(body, way), LIMIT)
        assert kept <= LIMIT + SLACK + max(map(len, cut(body, way)), default=0)
        assert all(len(value) <= LIMIT for _, value in events)
        assert events == wanted[: len(events)]
        if error is None:
            assert events == wanted


def decode(pieces: list[bytes], limit: int) -> tuple[list[tuple[str, bytes]], bool | None, int]:
    """Return the events, whether an error came, and the most bytes that were kept."""
    sse.EVENT_LIMIT, before = limit, sse.EVENT_LIMIT
    decoder, out, most = SseDecoder(), [], 0
    try:
        for piece in pieces:
            out += decoder.feed(piece)
            held = len(decoder._tail) + sum(map(len, decoder._more)) + len(decoder._data or b"")
            most = max(most, held)
        out += decoder.end()
    except Malformed:
        return out, True, most
    finally:
        sse.EVENT_LIMIT = before
    assert len(decoder.foreign) <= 2 * sse.FOREIGN_LIMIT
    return out, None, most


def reference(body: bytes) -> list[tuple[str, bytes]]:
    """The standard's steps, one after the other (WHATWG HTML, 9.2.6)."""
    out: list[tuple[str, bytes]] = []
    name, lines = "", []
    pieces = re.split(rb"\r\n|\n|\r", body.removeprefix(b"\xef\xbb\xbf"))
    for line in pieces[:-1]:  # what follows the last line end is no line yet
        if not line:
            if lines:
                out.append((name, b"\n".join(lines)))
            name, lines = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            lines.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")
    return out
