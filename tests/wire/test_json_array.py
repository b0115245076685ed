"""The array parser: whole, byte by byte and at random cuts, and what it refuses."""

import itertools
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import Malformed
from providers.wire import json_array
from providers.wire.json_array import ELEMENT_LIMIT, JsonStreamParser


def parse(body: bytes, cuts: list[int]) -> tuple[list[bytes], bool]:
    """Feed `body` cut at `cuts`; return the elements and whether the end was seen."""
    parser = JsonStreamParser()
    edges = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    out: list[tuple[str, bytes]] = []
    for start, end in itertools.pairwise(edges):
        out += parser.feed(body[start:end])
    out += parser.end()
    assert all(name == "" for name, _ in out)
    return [data for _, data in out], parser.closed


TRICKY = [
    {"text": 'a "quoted\\" } ] , { [ \\'},
    {"text": "日本語 👩‍👩‍👧 \n \u2028", "empty": {}, "deep": {"a": [{"b": [1, {"c": None}]}]}},
    {},
    {"}": "{", '"': "\\\\", "u": "👩"},
]

SEPARATORS = [",", ",\r\n", "\n,\r\n", " , ", "\r\n,\n\t"]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_every_separator_and_every_cut(
    separator: str, indent: int | None, ascii_only: bool
) -> None:
    parts = [json.dumps(item, indent=indent, ensure_ascii=ascii_only) for item in TRICKY]
    body = ("\ufeff[" + separator.join(parts) + "\r\n]\r\n").encode()
    expected = ([part.encode() for part in parts], True)
    assert parse(body, []) == expected
    assert parse(body, list(range(1, len(body)))) == expected
    for cut in range(1, len(body)):
        assert parse(body, [cut]) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150)
@given(
    st.lists(st.dictionaries(st.text(max_size=4), json_values, max_size=4), max_size=6),
    st.sampled_from(SEPARATORS),
    st.lists(st.integers(min_value=1, max_value=400), max_size=12),
)
def test_any_array_at_any_cuts(
    items: list[dict[str, object]], separator: str, cuts: list[int]
) -> None:
    parts = [json.dumps(item, ensure_ascii=False, indent=1) for item in items]
    body = ("[" + separator.join(parts) + "]").encode("utf-8", "surrogatepass")
    elements, closed = parse(body, cuts)
    assert closed
    assert [json.loads(element) for element in elements] == items


def test_an_empty_array() -> None:
    assert parse(b"[]", []) == ([], True)
    assert parse(b" [\r\n]\r\n", [1, 2, 3]) == ([], True)
    assert parse(b"", []) == ([], False)


@pytest.mark.parametrize("cut", [1, 5, 20, 30, 31])
def test_a_cut_array_is_not_closed(cut: int) -> None:
    body = b'[{"text":"a"},\r\n{"text":"b{}"}]'
    elements, closed = parse(body[:-cut], [])
    assert not closed
    assert elements == [b'{"text":"a"}', b'{"text":"b{}"}'][: len(elements)]
    assert len(elements) == (2 if cut == 1 else 1 if cut < 18 else 0)


def test_a_single_object_is_one_element() -> None:
    body = b'{\n  "error": {"code": 400, "message": "no }"}\n}\n'
    for cuts in ([], list(range(1, len(body)))):
        assert parse(body, cuts) == ([body.strip()], True)


def test_an_object_after_data_is_an_element() -> None:
    body = b'[{"a":1},\r\ndata: {"error":{"code":503}}\r\n\r\n'
    for cuts in ([], list(range(1, len(body)))):
        assert parse(body, cuts) == ([b'{"a":1}', b'{"error":{"code":503}}'], False)
    assert parse(b'data: {"error":{}}\n\n', list(range(1, 18))) == ([b'{"error":{}}'], True)


def test_what_follows_the_end_is_still_read() -> None:
    assert parse(b'[{"a":1}]\n{"error":{}}', []) == ([b'{"a":1}', b'{"error":{}}'], True)


@pytest.mark.parametrize(
    "body", [b"<html>", b"[1]", b'["a"]', b"[[{}]]", b"nope", b"]", b"daze", b"}"]
)
@pytest.mark.parametrize("step", [1, 100])
def test_other_bodies_are_refused(body: bytes, step: int) -> None:
    parser = JsonStreamParser()
    with pytest.raises(Malformed):
        for start in range(0, len(body), step):
            parser.feed(body[start : start + step])


def test_an_element_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ELEMENT_LIMIT == 16 * 1024 * 1024
    monkeypatch.setattr(json_array, "ELEMENT_LIMIT", 1000)
    small, large = b'{"a":1}', b'{"a":"' + b"x" * 1000 + b'"}'
    # Unfinished: refused while it grows, and nothing more is kept.
    parser = JsonStreamParser()
    assert parser.feed(b"[" + small + b"," + large[:600]) == [("", small)]
    with pytest.raises(Malformed, match="larger"):
        parser.feed(large[600:-2])
    with pytest.raises(Malformed, match="larger"):
        parser.feed(b"x")
    # Whole in one chunk: what came before it is not lost.
    parser = JsonStreamParser()
    assert parser.feed(b"[" + small + b"," + large + b"]") == [("", small)]
    with pytest.raises(Malformed, match="larger"):
        parser.end()


def test_the_work_grows_with_the_bytes_only() -> None:
    """A large string fed in small pieces: quadratic search would take minutes."""
    piece = b'\\"}{x\\\\' * 16
    parser = JsonStreamParser()
    began = time.process_time()
    parser.feed(b'[{"a":"')
    for _ in range(20_000):
        assert parser.feed(piece) == []
    ((_, element),) = parser.feed(b'"}]')
    assert len(element) > 2_000_000 and parser.closed
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "item",
    [
        {"many escapes": '\\"' * 5000, "}": "after {"},
        {f"{n}": '\\"}' for n in range(500)},
        {"escapes": "\n" * 101, "at the bound": "\n" * 100, "below": "\n" * 99, "{": "\n" * 1001},
    ],
    ids=["one long string", "many strings", "around the bounds"],
)
def test_more_escapes_and_strings_than_one_match_takes(item: dict[str, str]) -> None:
    part = json.dumps(item).encode()
    body = b"[" + part + b"," + part + b"]"
    assert parse(body, []) == ([part, part], True)
    assert parse(body, list(range(0, len(body), 7))) == ([part, part], True)
