"""Frames: any cut gives the same bodies, each as long as it said; what is kept is bounded; after
whatever came, a valid frame is found unless it is inside a body that was announced."""

from fuzz.material import Cursor, cut
from sidecar import framing
from sidecar.framing import FrameDecoder, FrameError, frame

WORDS = (
    *(b"Content-Length: ", b"content-length:", b"\r\n\r\n", b"\n\n", b"\r\n", b"\r", b"{}"),
    *(b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\n", b"Content-Length: 2\r\n"),
    *(b"Content-Length: 99999999999999999999\r\n\r\n", b"Content-Length: -1", b"\xef\xbb\xbf"),
    *(b"Content-Length: 2\r\n\r\n{}", b"Content-Length: 500\r\n\r\n", b"\t", b"\0"),
)
SEEDS = (
    b"\0" + frame(b"{}") + frame(b'{"a":1}'),
    b"\1garbage\r\n" + frame(b"{}") + b"more" + frame(b""),
    b"\7Content-Length: 5\r\nContent-Length: 2\r\n\r\n{}Content-Type: x\r\n\r\n" + frame(b"x"),
    b"\x1fContent-Length: 900\r\n\r\n" + b"x" * 900 + frame(b"{}"),
    b"\3" + b"y" * 500 + b"\n" + frame(b"z"),
)
LIMIT, LINE = 400, 120
NEXT = b'{"jsonrpc":"2.0"}'


def check(data: bytes) -> None:
    cursor = Cursor(data)
    how = cursor.byte()
    body = cursor.rest()
    before, framing._MAX_LINE = framing._MAX_LINE, LINE
    try:
        whole = decode([body])
        assert sum(len(each) for each in whole) <= len(body)
        for way in (1, how):
            assert decode(cut(body, way)) == whole, way
    finally:
        framing._MAX_LINE = before


def decode(pieces: list[bytes]) -> list[bytes]:
    decoder, out = FrameDecoder(LIMIT), []
    for piece in pieces:
        out += decoder.feed(piece)
        assert len(decoder.pending) <= LIMIT + LINE
    if decoder._body is None:
        assert decoder.feed(frame(NEXT))[-1:] == [NEXT]
    for item in out:
        if isinstance(item, FrameError):
            assert item.message and len(item.head) <= 1024
        else:
            assert len(item) <= LIMIT
    return [item for item in out if isinstance(item, bytes)]
