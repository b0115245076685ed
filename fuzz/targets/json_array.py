"""JSON arrays: any cut gives the same elements; on a whole document, what a whole-document parser
gives; what is refused is no array of objects; no element over the limit."""

import json  # noqa: TID251 - the other parser that ours is compared with
from typing import Any

from fuzz.material import Cursor, cut, edited, text_of, words_of
from providers.errors import Malformed
from providers.wire import json_array
from providers.wire.json_array import JsonStreamParser

DOCUMENT: list[Any] = [
    {"candidates": [{"content": {"parts": [{"text": 'a "quoted" } ] { text\\'}]}}]},
    {"a": {"b": {"c": [1, "}", "\\", '\\"', "[", "é"]}}, "d": ""},
    {},
    {"error": {"code": 400, "message": "m"}},
]
WORDS = (
    *(b"[", b"]", b"{", b"}", b",", b'"', b'\\"', b"\\\\", b"\\", b"data:", b"\xef\xbb\xbf"),
    *(b"[{}]", b'{"a":"', b"}\n,\r\n{", b"\\u0022"),
)
SEEDS = (
    b"\0\0[" + b",\r\n".join(text_of(each) for each in DOCUMENT) + b"]",
    b"\1\1" + text_of(DOCUMENT[3]),
    b"\x02\x07data: {}\n\ndata: {}\n\n",
    b"\x00\x1f\xef\xbb\xbf[]",
    b"\x81\0\x05\1\3\2\1\7\0\4",
    b"\x83\1\0\0\0\0\0\0\1\6",
)
LIMIT = 120
_NAMES = words_of(DOCUMENT)
_GAPS = ("", " ", "\r\n", "\n,\r\n\t ")


def check(data: bytes) -> None:
    cursor = Cursor(data)
    kind, how = cursor.byte(), cursor.byte()
    if kind >= 128:  # a whole document of our own making
        gap = cursor.pick(_GAPS)
        items = [x for x in edited(DOCUMENT, cursor, _NAMES) if isinstance(x, dict)]
        comma = gap.replace(",", "").encode() + b"," + gap.replace(",", "").encode()
        body = b"[" + comma.join(text_of(x, kind) for x in items) + b"]"
        elements, failed, closed = decode(cut(body, how), 1 << 24)
        assert not failed and closed
        assert [json.loads(e) for e in elements] == json.loads(body)
        for each in elements:
            assert each[:1] == b"{" and each[-1:] == b"}"
    else:
        body = cursor.rest()
    same(body, how)


def same(body: bytes, how: int) -> None:
    whole = decode([body], 1 << 24)
    if is_array_of_objects(body):
        assert whole[1:] == (False, True)
    for way in (1, how):
        assert decode(cut(body, way), 1 << 24) == whole, way
    for way in (0, 1, how):
        elements, failed, _ = decode(cut(body, way), LIMIT)
        assert elements == whole[0][: len(elements)]
        assert all(len(each) <= LIMIT for each in elements)
        assert failed or elements == whole[0]


def decode(pieces: list[bytes], limit: int) -> tuple[list[bytes], bool, bool]:
    """Return the elements, whether it was refused, and whether the end was seen."""
    json_array.ELEMENT_LIMIT, before = limit, json_array.ELEMENT_LIMIT
    parser, out = JsonStreamParser(), []
    try:
        for piece in pieces:
            out += [element for _, element in parser.feed(piece)]
            assert len(parser._rest) <= limit + len(piece) + 8
        out += [element for _, element in parser.end()]
    except Malformed:
        return out, True, parser.closed
    finally:
        json_array.ELEMENT_LIMIT = before
    return out, False, parser.closed


def is_array_of_objects(body: bytes) -> bool:
    try:
        value = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return False
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)
