"""JSON to values: what another parser reads we read, to the same value with halves of characters
replaced; what it refuses we refuse; both of our lenient readers agree."""

import json  # noqa: TID251 - the other parser that ours is compared with
import math
import re
from typing import Any

import msgspec

from fuzz.material import Cursor, edited, text_of, words_of
from providers.errors import Malformed
from providers.wire.json_text import decode, whole
from sidecar import envelope
from sidecar.to_wire import encode

DOCUMENT: list[Any] = [
    {"a": ["\ud83d", "\ude00", "\ud83d\ude00", '\\"\\\\', "\\ud83d", 1, -1, 0.5, 1e3, None, True]},
    {"\ud800": "\udbff\udfff\udbff", "é🙂": {"": ""}, "x": "\\", "y": "\\\\ud83d"},
]
WORDS = (
    *(b"\\ud83d", b"\\ude00", b"\\\\ud83d", b"\\u0000", b"\\\\", b'\\"', b"\\/", b"\\b", b"1e5"),
    *(b"null", b"true", b"false", b"NaN", b"Infinity", b"-0", b"1e400", b"\xed\xa0\x80", b"\xff"),
    *(b"[", b"]", b"{", b"}", b":", b",", b'"a":', b"\xef\xbb\xbf", b"\\uDBFF\\uDFFF", b"\\U"),
)
SEEDS = (
    b"\0" + text_of(DOCUMENT),
    b"\1" + b'["\\ud83d\\\\ud83d", "\\\\\\ude00", "\xf0\x9f\x99\x82"]',
    b"\2" + b'{"a":1,"a":2,"b":[1.5e-7,-0,"\\u00e9"]}',
    b"\x80\1\2\3\4\5\6\7\1",
    b"\x81\1\6\2\0\0\6\3\1\1",
)
_any: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
_names = words_of(DOCUMENT)
_constant = re.compile(rb"NaN|Infinity")


def check(data: bytes) -> None:
    cursor = Cursor(data)
    kind = cursor.byte()
    made = kind >= 128
    body = text_of(edited(DOCUMENT, cursor, _names), kind) if made else cursor.rest()
    try:
        compare(body)
    except RecursionError:  # of the comparison: our readers have refused or read it by then
        assert body.count(b"[") + body.count(b"{") > 100


def compare(body: bytes) -> None:
    assert envelope_of(body) in ("value", "refused")
    ours = ours_of(body)
    try:
        theirs = ("value", whole_value(json.loads(body.decode("utf-8"))))
    except (ValueError, RecursionError):
        theirs = ("refused", None)
    if ours[0] == "value":
        assert theirs[0] == "value" and same(ours[1], theirs[1]), (ours, theirs)
        json.loads(encode(ours[1]))  # it can go out
    elif theirs[0] == "value" and not _constant.search(body):
        assert beyond(theirs[1]), (body, ours)
    assert envelope_of(body) == ours[0]


def ours_of(body: bytes) -> tuple[str, Any]:
    try:
        value = decode(_any, body)
    except Malformed:
        return "refused", None
    return "value", whole_value(value)


def envelope_of(body: bytes) -> str:
    try:
        value = envelope.decode(_any, body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "refused"
    msgspec.json.encode(value)  # no half is left in it
    assert same(value, ours_of(body)[1])
    return "value"


def whole_value(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [whole_value(each) for each in value]
    if isinstance(value, dict):
        return {whole(key): whole_value(each) for key, each in value.items()}
    return value


def same(a: Any, b: Any) -> bool:
    return bool(a == b) and repr(a) == repr(b)


def beyond(value: Any, depth: int = 0) -> bool:
    """Whether there is a number past what we read, or nesting so deep that it may be refused."""
    if isinstance(value, list | dict):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 100 or any(beyond(each, depth + 1) for each in inner)
    if isinstance(value, float):
        return math.isinf(value)
    return isinstance(value, int) and abs(value) > 10**300
