"""JSON with lone surrogates: read at all, joined where halves meet, replaced where they do not."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import Malformed
from providers.types import (
    Citation,
    Finish,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCallDelta,
)
from providers.wire import json_text
from providers.wire.json_text import Lenient, SurrogateJoiner, decode, joined, whole

HIGH, LOW = "\ud83d", "\ude00"


class Inner(msgspec.Struct):
    text: str | None = None


class Shape(msgspec.Struct):
    a: str = ""
    inner: list[Inner] = []


DECODER = msgspec.json.Decoder(Shape)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (rb'{"a":"\ud83d"}', HIGH),
        (rb'{"a":"\ude00x"}', LOW + "x"),
        (rb'{"a":"x\uD83Dx","b":"\udfff"}', "x" + HIGH + "x"),
        (rb'{"\ud83d":1,"a":"y","inner":[{"text":"\ud800"}]}', "y"),
        (rb'{"a":"\ud83d\ude00"}', "😀"),
        ('{"a":"😀"}'.encode(), "😀"),
    ],
)
def test_lone_surrogates_are_read(data: bytes, value: str) -> None:
    assert decode(DECODER, data).a == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b'{"a":"x"',
        b'{"a":1}',
        rb'{"a":1,"b":"\ud83d"}',
        rb'{"a":"\ud83d"',
        rb'{"b":NaN,"a":"\ud83d"}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\xbd"}',
        b'{"b":"\xed\xa0\xbd","a":"\\ud83d"}',
        b"[" * 100_000,
        b'{"a":"\\ud83d","b":' + b"[" * 100_000,
    ],
)
def test_what_is_no_json_of_that_shape_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(DECODER, data)


def test_only_the_lenient_path_is_counted() -> None:
    before = Lenient.count
    decode(DECODER, rb'{"a":"\ud83d\ude00"}')
    assert Lenient.count == before
    decode(DECODER, rb'{"a":"\ud83d"}')
    assert Lenient.count == before + 1


def texts(tokens: list[StreamToken]) -> str:
    return "".join(token.text for token in tokens if isinstance(token, TextDelta))


def test_halves_in_consecutive_deltas_are_joined() -> None:
    joiner = SurrogateJoiner()
    assert joiner.join([TextDelta("a" + HIGH)]) == [TextDelta("a")]
    assert joiner.join([TextDelta(LOW + "b")]) == [TextDelta("😀b")]
    assert joiner.end() == []


def test_each_field_is_joined_for_itself() -> None:
    tokens: list[StreamToken] = [
        TextDelta(HIGH),
        ReasoningDelta("r" + HIGH),
        ToolCallDelta(0, "id", "f", "{" + HIGH),
        ToolCallDelta(1, "id2", "g", "["),
        ToolCallDelta(0, arguments=LOW + "}"),
        ReasoningDelta(LOW),
        TextDelta(LOW),
        Finish("stop"),
    ]
    assert joined(tokens) == [
        ReasoningDelta("r"),
        ToolCallDelta(0, "id", "f", "{"),
        ToolCallDelta(1, "id2", "g", "["),
        ToolCallDelta(0, arguments="😀}"),
        ReasoningDelta("😀"),
        TextDelta("😀"),
        Finish("stop"),
    ]


def test_an_unpaired_half_is_replaced_and_comes_before_the_finish() -> None:
    tokens: list[StreamToken] = [
        TextDelta(LOW + "a" + HIGH + "b" + HIGH),
        Finish("stop", HIGH),
    ]
    assert joined(tokens) == [
        TextDelta("\ufffda\ufffdb"),
        TextDelta("\ufffd"),
        Finish("stop", "\ufffd"),
    ]


def test_other_fields_are_made_whole() -> None:
    tokens: list[StreamToken] = [StreamStart(HIGH, LOW), Citation("u" + HIGH, None)]
    assert joined(tokens) == [StreamStart("\ufffd", "\ufffd"), Citation("u\ufffd", None)]


@given(st.text(st.characters(), max_size=30), st.lists(st.integers(0, 60)))
def test_any_text_survives_any_cut_between_its_code_units(text: str, places: list[int]) -> None:
    """What a service does that cuts its text by UTF-16 units."""
    text = whole(text)
    data = text.encode("utf-16-le")
    edges = [0, *sorted(2 * (p % (len(data) // 2 + 1)) for p in places), len(data)]
    pieces = [data[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(edges)]
    tokens: list[StreamToken] = [TextDelta(piece) for piece in pieces if piece]
    out = joined(tokens)
    assert texts(out) == text
    assert all(token.text for token in out if isinstance(token, TextDelta))


@given(st.text(st.characters(categories=["Cs", "Lu"]), max_size=8))
def test_what_goes_out_has_a_form_in_utf8(text: str) -> None:
    json_text.whole(text).encode()
    for token in joined([TextDelta(text)] if text else []):
        msgspec.json.encode(token)
