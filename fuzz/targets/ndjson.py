"""Lines: any cut gives the lines that splitting the whole gives, and none over the limit."""

from fuzz.material import Cursor, cut
from providers.errors import Malformed
from providers.wire import ndjson
from providers.wire.ndjson import NdjsonDecoder

WORDS = (b"\n", b"\r\n", b'{"a":1}', b"\r", b"\x0b\x0c", b"\xc2\x85", b"\0")
SEEDS = (
    b'\0{"a":1}\n{"b":2}\r\n\r\n{"c":3}',
    b"\1" + b"x" * 130 + b"\n{}\n",
    b'\7\n\n\n {"a":"\xf0\x9f\x99\x82"} \n',
)
LIMIT = 100


def check(data: bytes) -> None:
    cursor = Cursor(data)
    how = cursor.byte()
    body = cursor.rest()
    wanted = [("", line) for raw in body.split(b"\n") if (line := raw.strip())]
    too_long = any(len(raw) > LIMIT for raw in body.split(b"\n"))
    for way in (0, 1, how):
        lines, failed, _ = decode(cut(body, way), 1 << 24)
        assert not failed and lines == wanted
        lines, failed, kept = decode(cut(body, way), LIMIT)
        assert lines == wanted[: len(lines)] and all(len(line) <= LIMIT for _, line in lines)
        assert kept <= LIMIT + max(map(len, cut(body, way)), default=0)
        assert failed == too_long and (failed or lines == wanted)


def decode(pieces: list[bytes], limit: int) -> tuple[list[tuple[str, bytes]], bool, int]:
    ndjson.LINE_LIMIT, before = limit, ndjson.LINE_LIMIT
    decoder, out, most = NdjsonDecoder(), [], 0
    try:
        for piece in pieces:
            out += decoder.feed(piece)
            most = max(most, len(decoder._tail))
        out += decoder.end()
    except Malformed:
        return out, True, most
    finally:
        ndjson.LINE_LIMIT = before
    return out, False, most
