"""The AWS event stream: any chunking, every header type, bad checksums, the published vectors."""

import base64
import json
from itertools import pairwise
from pathlib import Path
from struct import pack
from typing import Any
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import Malformed
from providers.wire.eventstream import (
    MESSAGE_LIMIT,
    EventStreamDecoder,
    parse_headers,
    parse_message,
)


def text_header(name: str, value: str) -> bytes:
    words = value.encode()
    return pack("!B", len(name)) + name.encode() + b"\x07" + pack("!H", len(words)) + words


def message(payload: bytes, **headers: str) -> bytes:
    """Build a message; `message_type` stands for `:message-type`."""
    head = b"".join(
        text_header(":" + name.replace("_", "-"), value) for name, value in headers.items()
    )
    return framed(head, payload)


def framed(head: bytes, payload: bytes) -> bytes:
    prelude = pack("!II", 16 + len(head) + len(payload), len(head))
    body = prelude + pack("!I", crc32(prelude)) + head + payload
    return body + pack("!I", crc32(body))


def event(kind: str, payload: bytes) -> bytes:
    return message(payload, event_type=kind, content_type="application/json", message_type="event")


STREAM = (
    event("messageStart", b'{"role":"assistant","p":"abc"}')
    + event("contentBlockDelta", "{'é👍'}".encode())
    + event("empty", b"")
    + message(b'{"message":"slow"}', exception_type="throttlingException", message_type="exception")
    + message(b"", error_code="internalFailure", error_message='it "broke"', message_type="error")
    + framed(b"", b"bare")
)
FRAMES = [
    ("messageStart", b'{"role":"assistant","p":"abc"}'),
    ("contentBlockDelta", "{'é👍'}".encode()),
    ("empty", b""),
    ("!throttlingException", b'{"message":"slow"}'),
    ("!internalFailure", b'{"message":"it \\"broke\\""}'),
    ("", b"bare"),
]


def decoded(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    decoder = EventStreamDecoder()
    out: list[tuple[str, bytes]] = []
    for piece in pieces:
        out += decoder.feed(piece)
    return out + decoder.end()


def test_whole_and_byte_by_byte() -> None:
    assert decoded([STREAM]) == FRAMES
    assert decoded([STREAM[i : i + 1] for i in range(len(STREAM))]) == FRAMES
    assert decoded([b"", STREAM, b""]) == FRAMES


@settings(max_examples=80)
@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut(places: list[int]) -> None:
    edges = [0, *sorted(places), len(STREAM)]
    assert decoded([STREAM[a:b] for a, b in pairwise(edges)]) == FRAMES


def test_a_message_that_is_cut_short_says_nothing() -> None:
    whole = event("a", b"1")
    assert decoded([whole + whole[:-1]]) == [("a", b"1")]
    assert decoded([whole[:7]]) == []


@pytest.mark.parametrize("place", range(0, len(event("a", b"{}")), 3))
def test_any_flipped_bit_is_found(place: int) -> None:
    broken = bytearray(event("a", b"{}"))
    broken[place] ^= 0x10
    decoder = EventStreamDecoder()
    with pytest.raises(Malformed):
        decoder.feed(bytes(broken))


def test_messages_before_a_broken_one_are_not_lost() -> None:
    bad = bytearray(event("b", b"2"))
    bad[-1] ^= 1
    decoder = EventStreamDecoder()
    assert decoder.feed(event("a", b"1") + bytes(bad)) == [("a", b"1")]
    with pytest.raises(Malformed, match="checksum"):
        decoder.feed(event("c", b"3"))
    with pytest.raises(Malformed, match="checksum"):
        decoder.end()


def prelude(total: int, headers: int) -> bytes:
    head = pack("!II", total, headers)
    return head + pack("!I", crc32(head))


@pytest.mark.parametrize(
    ("total", "headers"),
    [(MESSAGE_LIMIT + 1, 0), (0xFFFFFFFF, 0), (15, 0), (40, 25), (200_000, 131_073)],
)
def test_lengths_that_cannot_be_are_refused_before_they_are_awaited(
    total: int, headers: int
) -> None:
    with pytest.raises(Malformed):
        EventStreamDecoder().feed(prelude(total, headers))
    decoder = EventStreamDecoder()
    assert decoder.feed(prelude(total, headers)[:5]) == []
    with pytest.raises(Malformed):
        decoder.feed(prelude(total, headers)[5:])
    with pytest.raises(Malformed):
        decoder.feed(b"more")


def test_a_body_of_another_kind_is_refused_at_once() -> None:
    with pytest.raises(Malformed):
        EventStreamDecoder().feed(b'{"message":"The security token is invalid"}')
    decoder = EventStreamDecoder()
    with pytest.raises(Malformed):
        for letter in b"<html><body>Bad gateway</body></html>":
            decoder.feed(bytes([letter]))


def test_the_largest_message_passes() -> None:
    payload = bytes(MESSAGE_LIMIT - 16)
    decoder = EventStreamDecoder()
    whole = framed(b"", payload)
    assert decoder.feed(whole[: 1 << 20]) == []
    assert decoder.feed(whole[1 << 20 :]) == [("", payload)]


ALL_TYPES = (
    b"\x01t\x00\x01f\x01\x01b\x02\xff\x01s\x03\xff\xfe\x01i\x04\xff\xff\xff\xfd"
    b"\x01l\x05\xff\xff\xff\xff\xff\xff\xff\xfc\x01y\x06\x00\x02\x00\xff\x01x\x07\x00\x02\xc3\xa9"
    b"\x01d\x08\x00\x00\x00\x00\x00\x00\x03\xe8\x01u\x09" + bytes(range(16))
)


def test_every_type_of_header() -> None:
    assert parse_headers(ALL_TYPES) == {
        "t": True,
        "f": False,
        "b": -1,
        "s": -2,
        "i": -3,
        "l": -4,
        "y": b"\x00\xff",
        "x": "é",
        "d": 1000,
        "u": bytes(range(16)),
    }


@pytest.mark.parametrize(
    "head",
    [
        b"\x01",
        b"\x01a",
        b"\x00\x00",  # no name
        b"\x01a\x0a",  # no such type
        b"\x01a\x04\x00",
        b"\x01a\x07\x00",
        b"\x01a\x07\x00\x05hi",
        b"\x01a\x06\x00\x05hi",
        b"\x01a\x09\x00",
        b"\x01a\x07\x00\x01\xff",
        b"\x01\xff\x00",
        b"\x01a\x00\x01a\x00",  # twice
    ],
)
def test_headers_that_are_not_the_format(head: bytes) -> None:
    with pytest.raises(Malformed):
        parse_headers(head)
    with pytest.raises(Malformed):
        EventStreamDecoder().feed(framed(head, b""))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=4),
            st.binary(max_size=200),
        ),
        max_size=4,
    )
)
def test_the_same_as_botocore(messages: list[tuple[dict[str, str], bytes]]) -> None:
    raw = [
        framed(b"".join(_long_named(name, value) for name, value in headers.items()), payload)
        for headers, payload in messages
    ]
    theirs = EventStreamBuffer()
    theirs.add_data(b"".join(raw))
    read = [(each.headers, each.payload) for each in theirs]
    assert [tuple(parse_message(each)) for each in raw] == read


def _long_named(name: str, value: str) -> bytes:
    letters, words = name.encode(), value.encode()
    return pack("!B", len(letters)) + letters + b"\x07" + pack("!H", len(words)) + words


# --- Published vectors ---------------------------------------------------------------------------


def test_vectors(shared: Path) -> None:
    folder = shared / "vectors/aws_eventstream"
    rows = json.loads((folder / "expected.json").read_text("utf-8"))
    valid = invalid = 0
    for row in rows:
        data = (folder / row["file"]).read_bytes()
        said: dict[str, Any] = row["botocore"]
        if "error" in said:
            with pytest.raises(Malformed):
                EventStreamDecoder().feed(data)
            invalid += 1
            continue
        (want,) = said["messages"]
        headers, payload = parse_message(data)
        assert payload == base64.b64decode(want["payload_b64"])
        assert {name: _plain(value) for name, value in headers.items()} == want["headers"]
        assert len(EventStreamDecoder().feed(data)) == 1
        valid += 1
    assert valid >= 12
    assert invalid >= 10


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return "b64:" + base64.b64encode(value).decode()
    return value


def test_what_is_wrong_behind_a_message_is_known_at_once() -> None:
    """The service may say nothing more, and then nobody calls `feed` again."""
    decoder = EventStreamDecoder()
    good, bad = event("chunk", b"{}"), bytearray(event("chunk", b"{}"))
    bad[-1] ^= 1
    assert decoder.deferred() is None
    assert decoder.feed(good + bytes(bad)) == [("chunk", b"{}")]
    assert "checksum" in str(decoder.deferred())


@pytest.mark.parametrize("body", [b"<", b"<html>", b"{}\n", b"Bad Gateway"])
def test_a_short_page_is_no_message_that_was_cut(body: bytes) -> None:
    decoder = EventStreamDecoder()
    assert decoder.feed(body) == []
    with pytest.raises(Malformed, match="not an event stream"):
        decoder.end()


def test_a_short_beginning_of_a_message_is_just_cut() -> None:
    decoder = EventStreamDecoder()
    assert decoder.feed(b"\0\0\0\x80\0") == []
    assert decoder.end() == []
