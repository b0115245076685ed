"""Lines of JSON, however they are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Malformed
from providers.wire.ndjson import NdjsonDecoder

Frames = list[tuple[str, bytes]]


def decode(*chunks: bytes) -> Frames:
    decoder = NdjsonDecoder()
    out: Frames = []
    for chunk in chunks:
        out += decoder.feed(chunk)
    return out + decoder.end()


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        (b'{"a":1}\r\n\r\n\n{"a":2}', [b'{"a":1}', b'{"a":2}']),
        ('{"a":"\u2028\x85"}\n'.encode(), ['{"a":"\u2028\x85"}'.encode()]),
        (b"", []),
        (b"\n \n", []),
    ],
)
def test_lines(body: bytes, lines: list[bytes]) -> None:
    expected = [("", line) for line in lines]
    for i in range(len(body) + 1):
        assert decode(body[:i], body[i:]) == expected
    assert decode(*(body[i : i + 1] for i in range(len(body)))) == expected


@given(st.lists(st.sampled_from([b"{}", b"\n", b"\r\n", b"x", b" "])), st.integers(0, 40))
def test_cuts_never_matter(pieces: list[bytes], place: int) -> None:
    body = b"".join(pieces)
    assert decode(body[:place], body[place:]) == decode(body)


def test_a_line_over_the_limit_is_refused_and_earlier_ones_are_not_lost() -> None:
    decoder = NdjsonDecoder()
    assert decoder.feed(b"{}\n" + b"x" * (17 << 20)) == [("", b"{}")]
    with pytest.raises(Malformed, match="16 MiB"):
        decoder.feed(b"")
    with pytest.raises(Malformed):
        decoder.end()
