"""SSE decoding against the standard: whole, byte by byte and at random cuts."""

import base64
import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Malformed
from providers.wire import sse
from providers.wire.sse import SseDecoder

Events = list[tuple[str, bytes]]

CASES: dict[str, tuple[bytes, Events]] = {
    "one": (b"data: a\n\n", [("", b"a")]),
    "no space": (b"data:a\n\n", [("", b"a")]),
    "only one space is taken": (b"data:  a\n\n", [("", b" a")]),
    "two in a row": (b"data: a\n\ndata: b\n\n", [("", b"a"), ("", b"b")]),
    "CRLF": (b"data: a\r\n\r\ndata: b\r\n\r\n", [("", b"a"), ("", b"b")]),
    "CR": (b"data: a\r\rdata: b\r\r", [("", b"a"), ("", b"b")]),
    "mixed line ends": (
        b"data: a\r\n\ndata: b\n\r\ndata: c\r\n\r",
        [("", b"a"), ("", b"b"), ("", b"c")],
    ),
    "CR within what looks like one line": (
        b"data: x\n\ndata: a\rdata: b\n\n",
        [("", b"x"), ("", b"a\nb")],
    ),
    "CR within what looks like one named line": (
        b"data: x\n\nevent: e\ndata: a\rdata: b\n\n",
        [("", b"x"), ("e", b"a\nb")],
    ),
    "named": (b"event: x\ndata: a\n\ndata: b\n\n", [("x", b"a"), ("", b"b")]),
    "name after data": (b"data: a\nevent: x\n\n", [("x", b"a")]),
    "name without data is nothing": (b"event: x\n\ndata: a\n\n", [("", b"a")]),
    "last name counts": (b"event: x\nevent: y\ndata: a\n\n", [("y", b"a")]),
    "several data lines": (b"data: a\ndata\ndata: b\n\n", [("", b"a\n\nb")]),
    "empty data is an event": (b"data\n\n", [("", b"")]),
    "comments": (b": hi\n:\n\n:\r\ndata: a\n: in between\ndata: b\n\n", [("", b"a\nb")]),
    "fields that are none": (b"Data: x\ndata : y\nfoo\ndata: a\n\n", [("", b"a")]),
    "mark at the start": (b"\xef\xbb\xbfdata: a\n\n", [("", b"a")]),
    "mark only at the very start": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [("", b"a")]),
    "unfinished at the end": (b"data: a\n\ndata: b\n", [("", b"a")]),
    "unfinished line at the end": (b"data: a\n\ndata: b", [("", b"a")]),
    "line separators of Unicode are text": (
        "data: a\u2028b\x85c\x0bd\n\n".encode(),
        [("", "a\u2028b\x85c\x0bd".encode())],
    ),
    "nothing": (b"", []),
    "only line ends": (b"\n\n\r\n\r\n\n", []),
}


def decode(*chunks: bytes) -> Events:
    decoder = SseDecoder()
    out: Events = []
    for chunk in chunks:
        out += decoder.feed(chunk)
    return out + decoder.end()


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(body) + 1) for p in places), len(body)]
    return [body[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("name", CASES)
def test_events(name: str) -> None:
    body, expected = CASES[name]
    assert decode(body) == expected
    assert decode(*(body[i : i + 1] for i in range(len(body)))) == expected
    for i in range(len(body)):
        assert decode(body[:i], body[i:]) == expected, f"cut at {i}"


@given(st.sampled_from(sorted(CASES)), st.lists(st.integers(0, 200)))
def test_events_at_any_cuts(name: str, places: list[int]) -> None:
    body, expected = CASES[name]
    assert decode(*cut(body, places)) == expected


PIECES = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b"event: e",
        b"id: 7",
        b":c",
        b"foo",
        b"\n",
        b"\n\n",
        b"\r",
        b"\r\n",
        b" ",
    ]
)


@given(st.lists(PIECES).map(b"".join), st.lists(st.integers(0, 200)))
def test_cuts_never_matter(body: bytes, places: list[int]) -> None:
    assert decode(*cut(body, places)) == decode(body) == by_the_book(body)


def by_the_book(body: bytes) -> Events:
    """The standard's own algorithm, with no thought for speed."""
    text = body.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    out: Events = []
    name, data = "", ""
    for line in text.split("\n")[:-1]:
        if line == "":
            if data:
                out.append((name, data.removesuffix("\n").encode()))
            name, data = "", ""
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data += value + "\n"
        elif field == "event":
            name = value
    return out


def test_published_vectors(shared: Path) -> None:
    cases = json.loads((shared / "vectors/wpt_eventsource/cases.json").read_text())["cases"]
    assert len(cases) == 16
    for case in cases:
        body = base64.b64decode(case["body_b64"])
        expected = [(e.get("event", ""), e["data"].encode()) for e in case["events"]]
        for step in (len(body), 1, 2, 3, 7):
            decoder = SseDecoder()
            got: Events = []
            for i in range(0, len(body), step):
                got += decoder.feed(body[i : i + step])
            got += decoder.end()
            assert got == expected, (case["name"], step)
            if "retry" in case:
                assert decoder.retry == case["retry"], case["name"]
            ids = [e["id"] for e in case["events"] if "id" in e]
            if ids:
                assert decoder.last_id == ids[-1], case["name"]


def test_id_and_retry() -> None:
    decoder = SseDecoder()
    decoder.feed(
        b"id: 7\nretry: 1500\ndata: a\n\nid: bad\0\nretry: 1x\nretry: " + b"9" * 5000 + b"\n"
    )
    assert (decoder.last_id, decoder.retry) == ("7", 1500)


def test_an_id_that_came_before_its_event() -> None:
    decoder = SseDecoder()
    decoder.feed(b"data: x\n\n")
    decoder.feed(b"id: 7\n")
    assert decoder.last_id == ""
    decoder.feed(b"data: a\n\n")
    assert decoder.last_id == "7"


def test_a_body_that_is_no_stream_is_kept() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b'{"error": {\n  "message": "no"\n}}') == []
    assert decoder.end() == []
    assert json.loads(bytes(decoder.foreign)) == {"error": {"message": "no"}}


@pytest.mark.parametrize("start", [b"data: ", b"data: x\ndata: ", b"event: e\ndata: ", b": "])
def test_an_event_over_the_limit_is_refused(start: bytes) -> None:
    decoder = SseDecoder()
    piece = b"x" * (1 << 20)
    decoder.feed(start)
    for _ in range(15):
        decoder.feed(piece)
    with pytest.raises(Malformed, match="16 MiB"):
        for _ in range(2):
            decoder.feed(piece)
    with pytest.raises(Malformed):
        decoder.end()


def test_many_small_lines_over_the_limit_are_refused() -> None:
    decoder = SseDecoder()
    lines = (b"data: " + b"x" * 1000 + b"\n") * 1000
    with pytest.raises(Malformed):
        for _ in range(20):
            decoder.feed(lines)


def test_an_event_at_the_limit_is_read_and_earlier_ones_are_not_lost() -> None:
    largest = b"data: " + b"x" * (sse.EVENT_LIMIT - 8) + b"\n\n"
    assert len(decode(largest)[0][1]) == sse.EVENT_LIMIT - 8
    decoder = SseDecoder()
    whole = b"data: a\n\ndata: " + b"x" * (sse.EVENT_LIMIT + 1) + b"\n\n"
    assert decoder.feed(whole) == [("", b"a")]
    with pytest.raises(Malformed):
        decoder.feed(b"")


def test_byte_by_byte_is_linear() -> None:
    def seconds(size: int) -> float:
        decoder = SseDecoder()
        started = time.process_time()
        for byte in b"data: " + b"x" * size + b"\n\n":
            decoder.feed(b"%c" % byte)
        return time.process_time() - started

    small, large = min(seconds(20_000) for _ in range(3)), seconds(320_000)
    assert large < 16 * small * 4
