"""What is cut out of a document, and what a model is asked with it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.inline.context import Context, cut
from sidecar.inline.prompt import (
    CURSOR,
    chat_request,
    fim_request,
    is_within_line,
    template_request,
    template_words,
)

LINES = st.lists(st.text(st.sampled_from("ab é😀\t"), max_size=40), max_size=40).map("\n".join)


@given(LINES, st.data())
def test_it_is_the_text_around_the_cursor_in_whole_lines_within_the_budget(
    text: str, data: st.DataObject
) -> None:
    offset = data.draw(st.integers(0, len(text)))
    tokens = data.draw(st.integers(1, 200))
    prefix, suffix = cut(text, offset, tokens)
    assert text[:offset].endswith(prefix) and text[offset:].startswith(suffix)
    assert len((prefix + suffix).encode()) <= tokens * 4
    line_start = text.rfind("\n", 0, offset) + 1
    start = offset - len(prefix)
    assert start == 0 or start >= line_start or text[start - 1] == "\n"
    end = offset + len(suffix)
    line_end = text.find("\n", offset)
    assert end == len(text) or line_end < 0 or end <= line_end or text[end] == "\n"


def test_a_small_document_is_whole() -> None:
    assert cut("a\nb\nc", 2) == ("a\n", "b\nc")


def test_what_stands_before_has_the_larger_share_and_what_is_left_is_used() -> None:
    lines = "".join(f"line {n:04}\n" for n in range(1000))
    prefix, suffix = cut(lines, 5000, 500)
    assert 1400 < len(prefix) <= 1500 and 400 < len(suffix) <= 500
    at_start, after = cut(lines, 0, 500)
    assert at_start == "" and len(after) > 1900
    before, at_end = cut(lines, len(lines), 500)
    assert len(before) > 1900 and at_end == ""


def test_a_line_that_is_too_long_is_cut_within() -> None:
    prefix, suffix = cut("x" * 9000 + "é" * 9000, 9000, 100)
    assert set(prefix) == {"x"} and set(suffix) == {"é"}
    assert 380 <= len((prefix + suffix).encode()) <= 400


@pytest.mark.parametrize(
    ("after", "within"),
    [("", False), (")", False), (") {", True), ('"):', False), (";  ", False), (" + 1", True)],
)
def test_within_a_line(after: str, within: bool) -> None:
    context = Context("x = f(", after + "\nnext\n")
    assert is_within_line(context) is within
    assert (fim_request(context, 9).stop == ["\n"]) is within


def test_the_path_is_told_in_a_comment_where_one_can_be_written() -> None:
    assert fim_request(Context("x", "", "rust", "src/a.rs"), 9).prompt == "// src/a.rs\nx"
    assert fim_request(Context("x", "", "lua", "a.lua"), 9).prompt == "-- a.lua\nx"
    assert fim_request(Context("x", "", "brainfuck", "a.b"), 9).prompt == "x"
    assert fim_request(Context("x", "", "rust", ""), 9).prompt == "x"


def test_what_looks_like_a_placeholder_in_the_document_is_text() -> None:
    context = Context("{suffix} ", "{prefix}", "go", "a.go")
    request = template_request(context, "{path}|{language}|{prefix}|{suffix}|{other}", 9)
    assert request.prompt == "a.go|go|{suffix} |{prefix}|{other}"


def test_the_words_of_a_template_end_an_answer() -> None:
    assert template_words("<P>{prefix} <S>{suffix}<M>") == ["<P>", "<S>", "<M>"]
    assert template_words("{prefix}{suffix}") == []
    request = template_request(Context("f(", " + 1"), "1{prefix}2{suffix}3{path}4{language}5", 9)
    assert request.stop == ["\n", "1", "2", "3"]


def test_a_conversation_shows_the_cursor_and_tells_the_rules() -> None:
    request = chat_request(Context("a", "b", "c", "d"), 9, reasons=False)
    assert request.messages[0].content[0].text == f"Language: c\nFile: d\n\na{CURSOR}b"  # type: ignore[union-attr]
    assert CURSOR in (request.system or "") and request.reasoning is None
