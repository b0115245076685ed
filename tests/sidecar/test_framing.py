"""Framing: any bodies, cut anywhere, come out whole; anything else never stops what follows."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sidecar.framing import FrameDecoder, FrameError, frame

bodies = st.lists(st.binary(max_size=200), max_size=8)
cuts = st.lists(st.integers(0, 2000), max_size=30)
# Garbage without a line break of its own: with one it could only spell a header.
garbage = st.binary(max_size=120).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))


def feed_cut(decoder: FrameDecoder, data: bytes, at: list[int]) -> list[bytes | FrameError]:
    marks = sorted({0, len(data), *(c for c in at if c < len(data))})
    out: list[bytes | FrameError] = []
    for start, stop in itertools.pairwise(marks):
        out += decoder.feed(data[start:stop])
    return out


@given(bodies, cuts)
def test_bodies_come_out_whole_however_the_bytes_are_cut(given: list[bytes], at: list[int]) -> None:
    decoder = FrameDecoder()
    assert feed_cut(decoder, b"".join(map(frame, given)), at) == given
    assert decoder.pending == b""


@given(bodies)
def test_byte_by_byte(given: list[bytes]) -> None:
    data = b"".join(map(frame, given))
    assert feed_cut(FrameDecoder(), data, list(range(len(data)))) == given


@given(st.lists(st.tuples(garbage, st.binary(max_size=50)), min_size=1, max_size=5), cuts)
def test_garbage_between_messages_costs_no_message(
    given: list[tuple[bytes, bytes]], at: list[int]
) -> None:
    data = b"".join(junk + b"\r\n" + frame(body) for junk, body in given)
    out = feed_cut(FrameDecoder(), data, at)
    assert [item for item in out if isinstance(item, bytes)] == [body for _, body in given]


@given(garbage, st.binary(max_size=50))
def test_garbage_right_before_a_header_costs_no_message(junk: bytes, body: bytes) -> None:
    out = FrameDecoder().feed(junk.rstrip(b"0123456789:") + frame(body))
    assert [item for item in out if isinstance(item, bytes)] == [body]


def test_a_header_that_is_begun_again_counts_as_it_stands_last() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"Content-Length: 0\r\n") == []
    assert decoder.feed(frame(b"{}") + frame(b"[]")) == [b"{}", b"[]"]
    assert decoder.feed(b"\r\n") == []


def test_a_message_right_at_the_limit_and_one_beyond_it() -> None:
    decoder = FrameDecoder(limit=4)
    at, beyond, next_one = frame(b"1234"), frame(b"12345"), frame(b"12")
    first, refused, last = decoder.feed(at + beyond + b"\n" + next_one)
    assert (first, last) == (b"1234", b"12")
    assert isinstance(refused, FrameError)


def test_headers_as_clients_write_them() -> None:
    written = [
        b"Content-Length: 2\r\n\r\n{}",
        b"content-length:2\r\n\r\n{}",
        b"CONTENT-LENGTH :  2 \r\n\r\n{}",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{}",
        b"Content-Type: application/vscode-jsonrpc\r\nContent-Length: 2\r\n\r\n{}",
        b"Content-Length: 2\n\n{}",
    ]
    assert FrameDecoder().feed(b"".join(written)) == [b"{}"] * len(written)


def test_a_length_that_is_none_is_passed_over() -> None:
    for bad in (b"Content-Length: x", b"Content-Length: -5", b"Content-Length:", b"Length: 2"):
        out = FrameDecoder().feed(bad + b"\r\n\r\n{}\n" + frame(b"[]"))
        assert [item for item in out if isinstance(item, bytes)] == [b"[]"]
        assert sum(isinstance(item, FrameError) for item in out) == 1


def test_a_message_over_the_limit_is_refused_and_not_kept() -> None:
    decoder = FrameDecoder(limit=1000)
    body = b'{"jsonrpc":"2.0","id":7,"params":"' + b"x" * 5_000_000 + b'"}'
    data = frame(body) + frame(b"next")
    out: list[bytes | FrameError] = []
    most = 0
    for start in range(0, len(data), 65536):
        out += decoder.feed(data[start : start + 65536])
        most = max(most, len(decoder.pending))
    error, following = out
    assert isinstance(error, FrameError) and error.head.startswith(b'{"jsonrpc":"2.0","id":7')
    assert len(error.head) <= 1024 and "over the limit" in error.message
    assert following == b"next"
    assert most < 10_000


def test_a_limit_is_a_limit_and_no_more() -> None:
    assert FrameDecoder(limit=3).feed(frame(b"abc")) == [b"abc"]


def test_a_length_that_lies_does_not_swallow_what_follows() -> None:
    for length in (10**9, 10**15, 10**19):
        decoder = FrameDecoder()
        out = decoder.feed(b"Content-Length: %d\r\n\r\n" % length)
        out += decoder.feed(frame(b"{}"))
        assert out[-1] == b"{}" and isinstance(out[0], FrameError)


def test_an_endless_line_is_not_kept() -> None:
    decoder = FrameDecoder()
    errors = sum(len(decoder.feed(b"x" * 50_000)) for _ in range(40))
    assert errors == 1 and len(decoder.pending) < 60_000
    assert decoder.feed(b"\n" + frame(b"{}")) == [b"{}"]


def test_cost_grows_with_the_bytes_and_not_with_their_square() -> None:
    """A megabyte in pieces of 16 bytes: one search of each byte, one copy of each."""
    decoder = FrameDecoder()
    data = frame(b"y" * 1_000_000) + b"z" * 7000 + b"\n" + frame(b"{}")
    out: list[bytes | FrameError] = []
    for start in range(0, len(data), 16):
        out += decoder.feed(data[start : start + 16])
    assert [len(item) for item in out if isinstance(item, bytes)] == [1_000_000, 2]
