"""Chat Completions: leading think tags, and the short way that plain text takes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.types import (
    ReasoningDelta,
    TextDelta,
)
from tests.dialects.feeding import answer_of, tokens_of
from tests.dialects.test_openai_chat import CHAT, event, read, stream

# --- Think tags ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "reasoning", "text"),
    [
        (["<think>a</think>b"], "a", "b"),
        (["<thi", "nk>a</th", "ink>b"], "a", "b"),
        (["x<think>a</think>"], "", "x<think>a</think>"),
        ([" <think>a</think>"], "", " <think>a</think>"),
        (["<think >a</ think>b"], "a", "b"),
        (["<think>a<think>n</think>b</think>c"], "a<think>n</think>b", "c"),
        (["<thinking>a</thinking>"], "", "<thinking>a</thinking>"),
        (["<think>open"], "open", ""),
        (["<th"], "", "<th"),
        (["<think>a</th"], "a</th", ""),
        (["<think>a < b > c </x></think>d"], "a < b > c </x>", "d"),
        (["<think></think>only"], "", "only"),
        (list("<think>é👍</think>z"), "é👍", "z"),
        (["</think>x"], "", "x"),
        (["<think>a</think><think>b</think>"], "a", "<think>b</think>"),
    ],
)
def test_think_tags(parts: list[str], reasoning: str, text: str) -> None:
    body = stream(*(event({"content": part}) for part in parts), event(finish="stop"))
    answer, _, _ = answer_of(CHAT.with_profile(think_tags=True), body)
    assert ("".join(p.text for p in answer.reasoning), answer.text) == (reasoning, text)
    plain, _, _ = answer_of(CHAT, body)
    assert plain.text == "".join(parts)


@given(st.lists(st.sampled_from(["<", "think", ">", "</", "x", " "])), st.data())
def test_think_tags_do_not_depend_on_the_pieces(words: list[str], data: st.DataObject) -> None:
    whole = "".join(words)
    at = data.draw(st.integers(0, len(whole)))
    dialect = CHAT.with_profile(think_tags=True)

    def read_pieces(*pieces: str) -> tuple[str, str]:
        tokens, _ = tokens_of(dialect, [stream(*(event({"content": p}) for p in pieces))])
        return (
            "".join(t.text for t in tokens if isinstance(t, TextDelta)),
            "".join(t.text for t in tokens if isinstance(t, ReasoningDelta)),
        )

    assert read_pieces(whole[:at], whole[at:]) == read_pieces(whole) == read_pieces(*whole)


# --- The short way for plain text -----------------------------------------------------------------

ODD_DELTAS: list[Any] = [
    {"content": "a"},
    {"content": "b", "role": "assistant"},
    {"content": "", "refusal": None},
    {"content": "c", "token_id": 7},
    {"content": "d", "reasoning": "r"},
    {"content": None, "reasoning_content": "s"},
    {"content": "e", "tool_calls": [{"index": 0, "id": "i", "function": {"name": "f"}}]},
    {"content": [{"type": "text", "text": "f"}]},
    {"content": "g\ud83d"},
    {"content": "h", "reasoning_details": [{"type": "reasoning.text", "text": "t"}]},
    {"content": "i", "annotations": [{"url_citation": {"url": "https://b"}}]},
    {},
]
BESIDE: list[dict[str, Any]] = [
    {},
    {"error": {"message": "m"}},
    {"usage": {"prompt_tokens": 1, "completion_tokens": 2}},
    {"usage": None, "citations": ["https://a"]},
    {"x_groq": {"id": "x"}},
    {"error": None},
]


def both_ways(events: list[dict[str, Any]]) -> None:
    """An event with a name takes the long way; without one it may take the short way."""
    short = stream(*events)
    long = stream(*(b"event: chunk\ndata: " + json.dumps(each).encode() for each in events))
    (tokens, error), (expected, expected_error) = (tokens_of(CHAT, [b]) for b in (short, long))
    assert tokens == expected
    assert repr(error) == repr(expected_error)


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("delta", ODD_DELTAS)
def test_the_short_way_reads_what_the_long_way_does(delta: Any, beside: Any) -> None:
    plain = event({"content": "x"})
    odd = event(delta, **beside)
    second = {**odd, "choices": [{**odd["choices"][0], "index": 1}]}
    failed = {**odd, "choices": [{**odd["choices"][0], "error": {"message": "m"}}]}
    ended = event(delta, "length", **beside)
    both_ways([plain, odd, plain, event(finish="stop")])
    both_ways([plain, second, plain, event(finish="stop")])
    both_ways([plain, {**odd, "choices": [*odd["choices"], *plain["choices"]]}, plain])
    both_ways([plain, plain, ended])
    both_ways([plain, plain, failed])
    both_ways([plain, ended, plain])


def test_the_short_way_ends_with_the_answer() -> None:
    tokens = read(
        event({"content": "x"}),
        event({"content": "y"}),
        b"event: done\ndata: [DONE]",
        event({"content": "z"}),
    )
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["x", "y"]


@given(st.lists(st.tuples(st.sampled_from(ODD_DELTAS), st.sampled_from(BESIDE)), max_size=20))
def test_the_short_way_in_any_order(events: list[tuple[Any, Any]]) -> None:
    both_ways([*(event(delta, **beside) for delta, beside in events), event(finish="stop")])
