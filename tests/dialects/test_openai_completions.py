"""Completions: prompts and filling in the middle."""

import json
from typing import Any

import pytest

from providers.dialects.openai_completions import OpenAiCompletions
from providers.errors import Malformed, RateLimited, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Finish,
    JsonSchema,
    StreamStart,
    TextDelta,
    ToolDefinition,
    Usage,
    UsageReport,
)
from tests.dialects.feeding import answer_of

COMPLETIONS = OpenAiCompletions()
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
STOP = Finish("stop", "stop")


def stream(*events: Any) -> bytes:
    lines = [e if isinstance(e, bytes) else json.dumps(e).encode() for e in events]
    return b"".join(b"data: " + line + b"\n\n" for line in lines)


def chunk(text: str | None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"text": text, "index": 0, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice], **more}


def test_a_stream() -> None:
    other = {"choices": [{"text": "other", "index": 1}]}
    usage = {"id": "c1", "choices": [], "usage": USAGE}
    body = stream(chunk("a"), chunk(""), other, chunk("b", "stop"), usage, b"[DONE]", chunk("late"))
    _, error, tokens = answer_of(COMPLETIONS, body)
    assert error is None
    assert tokens == [
        StreamStart("c1", "m"),
        TextDelta("a"),
        TextDelta("b"),
        UsageReport(Usage(3, 2, 0, 0, 0, 5)),
        STOP,
    ]


def test_fill_in_the_middle_that_answers_like_a_chat() -> None:
    delta = {"id": "c1", "choices": [{"index": 0, "delta": {"content": "x"}}]}
    answer, error, _ = answer_of(COMPLETIONS, stream(delta, chunk(None, "length")))
    assert (error, answer.text, answer.finish_reason) == (None, "x", "length")
    whole = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert TextDelta("x") in COMPLETIONS.read_unary(json.dumps(whole).encode())


def test_llama_cpps_own_infill() -> None:
    body = stream({"content": "a", "stop": False}, {"content": "b", "stop": True})
    answer, error, _ = answer_of(COMPLETIONS, body)
    assert (error, answer.text, answer.finish_reason) == (None, "ab", "stop")


def test_llama_cpps_own_infill_is_asked_where_there_is_a_suffix() -> None:
    dialect = OpenAiCompletions().with_profile(infill="^/infill")
    fills = CompletionRequest(prompt="a", suffix="b", max_tokens=5)
    assert dialect.path(fills, stream=True) == "^/infill"
    wanted = {"input_prefix": "a", "input_suffix": "b", "n_predict": 5, "stream": True}
    assert dialect.body(fills, stream=True) == wanted
    raw = CompletionRequest(prompt="a", raw=True, max_tokens=5)
    assert dialect.path(raw, stream=False) == "/completions"
    assert dialect.body(raw, stream=False) == {"prompt": "a", "max_tokens": 5}


def test_the_end() -> None:
    assert isinstance(answer_of(COMPLETIONS, stream(chunk("a")))[1], Truncated)
    assert answer_of(COMPLETIONS, stream(chunk("a", "stop")))[1] is None
    assert answer_of(COMPLETIONS, stream(b"[DONE]"))[0].finish_reason == "other"


@pytest.mark.parametrize(
    "broken",
    [
        stream({"error": {"message": "slow", "code": 429}}),
        b'event: error\ndata: {"message":"slow","code":"rate_limit_exceeded"}\n\n',
    ],
)
def test_errors_keep_their_kind(broken: bytes) -> None:
    answer, error, _ = answer_of(COMPLETIONS, stream(chunk("par")) + broken)
    assert isinstance(error, RateLimited)
    assert answer.text == "par"


def test_whole_answers() -> None:
    body = json.dumps(chunk("a", "stop", usage=USAGE)).encode()
    assert COMPLETIONS.read_unary(body)[1:] == [
        TextDelta("a"),
        UsageReport(Usage(3, 2, 0, 0, 0, 5)),
        STOP,
    ]
    for none in (b"", b"{}", b'{"choices":[]}', b"[]"):
        with pytest.raises(Malformed):
            COMPLETIONS.read_unary(none)
    with pytest.raises(RateLimited):
        COMPLETIONS.read_unary(b'{"error":{"message":"slow","code":429}}')


def test_bodies() -> None:
    bare: Any = CompletionRequest(prompt="def f(")
    assert COMPLETIONS.body(bare, stream=False) == {"prompt": "def f("}
    full = CompletionRequest(
        prompt="a",
        suffix="",
        system="S",
        model="m",
        max_tokens=5,
        temperature=0.0,
        top_p=0.5,
        stop=["\n"],
        seed=0,
    )
    assert COMPLETIONS.body(full, stream=True) == {
        "model": "m",
        "prompt": "S\n\na",
        "suffix": "",
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["\n"],
        "seed": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    other = COMPLETIONS.with_profile(stream_options=False, omit=frozenset({"seed"}))
    assert not {"seed", "stream_options"} & set(other.body(full, stream=True))


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (ChatRequest(messages=[]), "messages"),
        (CompletionRequest(prompt="a", tools=[ToolDefinition("f", {})]), "tools"),
        (CompletionRequest(prompt="a", response_format=JsonSchema("n", {})), "responseFormat"),
    ],
)
def test_what_the_format_cannot_carry_is_named(given: Any, field: str) -> None:
    with pytest.raises(Unsupported, match=field):
        COMPLETIONS.body(given, stream=False)
    with pytest.raises(Unsupported, match="suffix"):
        OpenAiCompletions().with_profile(suffix=False).body(
            CompletionRequest(prompt="a", suffix="b"), stream=False
        )
