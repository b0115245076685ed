"""Chat Completions: what is read of every oddity that really occurs, and what is sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.openai_chat import OpenAiChat
from providers.errors import ContentFiltered, Malformed, RateLimited, Truncated
from providers.types import (
    Citation,
    Finish,
    ReasoningDelta,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from tests.dialects.feeding import answer_of, tokens_of

CHAT = OpenAiChat()


def event(delta: Any = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta if delta is not None else {}, "finish_reason": finish}
    return {"id": "c1", "model": "m", "choices": [choice], **more}


def stream(*events: Any, done: bool = True) -> bytes:
    lines = [e if isinstance(e, bytes) else b"data: " + json.dumps(e).encode() for e in events]
    if done:
        lines.append(b"data: [DONE]")
    return b"".join(line + b"\n\n" for line in lines)


def read(*events: Any, done: bool = True, **profile: Any) -> list[StreamToken]:
    """Return the tokens after StreamStart; the same however the body is cut."""
    dialect = CHAT.with_profile(**profile) if profile else CHAT
    _, error, tokens = answer_of(dialect, stream(*events, done=done))
    if error is not None:
        raise error
    assert isinstance(tokens[0], StreamStart)
    return tokens[1:]


STOP = Finish("stop", "stop")

# --- Text and reasoning ---------------------------------------------------------------------


def test_text() -> None:
    tokens = read(
        event({"role": "assistant", "content": ""}),
        event({"content": "Hel"}),
        event({"content": None}),
        event({"content": "lo"}),
        event(finish="stop"),
    )
    assert tokens == [TextDelta("Hel"), TextDelta("lo"), STOP]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        (["a", "b"], "ab"),
        ({"type": "text", "text": "ab"}, "ab"),
        ({"content_type": "text", "parts": ["a", "b"]}, "ab"),
        ({"answer": 1}, '{"answer":1}'),
        ([], ""),
    ],
)
def test_content_of_other_shapes(content: Any, text: str) -> None:
    tokens = read(event({"content": content}), event(finish="stop"))
    assert "".join(t.text for t in tokens if isinstance(t, TextDelta)) == text


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm", "content": None},
        {"reasoning": "hm"},
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm", "index": 0}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        {"reasoning": {"content": "hm"}},
    ],
)
def test_reasoning_by_every_name(delta: Any) -> None:
    tokens = read(event(delta), event({"content": "x"}), event(finish="stop"))
    assert tokens == [ReasoningDelta("hm"), TextDelta("x"), STOP]


def test_reasoning_details_are_collected_for_the_way_back() -> None:
    tokens = read(
        event({"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]}),
        event({"reasoning_details": [{"type": "reasoning.text", "text": "b", "index": 0}]}),
        event({"reasoning_details": [{"type": "reasoning.text", "signature": "S", "index": 0}]}),
        event({"reasoning_details": [{"type": "reasoning.encrypted", "data": "E", "index": 1}]}),
        event({"reasoning_details": [{"type": "reasoning.encrypted", "index": 2}]}),
        event({"content": "x"}, "stop"),
        keep_details=True,
    )
    opaque = next(t.opaque for t in tokens if isinstance(t, ReasoningDelta) and t.opaque)
    assert json.loads(opaque) == [
        {"type": "reasoning.text", "text": "ab", "index": 0, "signature": "S"},
        {"type": "reasoning.encrypted", "data": "E", "index": 1},
    ]
    assert tokens[-1] == STOP


def test_refusal_is_text_and_a_content_filters_finish() -> None:
    tokens = read(event({"refusal": "I can't."}), event(finish="stop"))
    assert tokens == [TextDelta("I can't."), Finish("contentFilter", "stop")]


def test_a_choice_without_delta_and_chunks_without_choices() -> None:
    azure = {"id": "", "model": "", "choices": [], "prompt_filter_results": [{"prompt_index": 0}]}
    bare = {"id": "c1", "model": "m", "choices": [{"index": 0, "finish_reason": None}]}
    _, error, tokens = answer_of(CHAT, stream(azure, bare, event({"content": "x"}, "stop")))
    assert error is None
    assert tokens == [StreamStart("c1", "m"), TextDelta("x"), STOP]


def test_a_whole_answer_in_one_event() -> None:
    whole = {"id": "c1", "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}
    assert read(whole) == [TextDelta("x"), STOP]


def test_a_whole_answer_after_its_deltas_is_not_read_again() -> None:
    whole = {"id": "c1", "choices": [{"message": {"content": "xy"}, "finish_reason": "stop"}]}
    assert read(event({"content": "x"}), event({"content": "y"}), whole) == [
        TextDelta("x"),
        TextDelta("y"),
        STOP,
    ]


def test_further_choices_are_not_mixed_in() -> None:
    both = event({"content": "zero"})
    both["choices"].append({"index": 1, "delta": {"content": "one"}, "finish_reason": "length"})
    assert read(both, event(finish="stop")) == [TextDelta("zero"), STOP]


# --- Tool calls -----------------------------------------------------------------------------


def call(
    index: int | None = 0,
    id: str | None = None,
    name: str | None = None,
    arguments: Any = None,
) -> dict[str, Any]:
    fragment: dict[str, Any] = {"function": {"name": name, "arguments": arguments}, "id": id}
    if index is not None:
        fragment["index"] = index
    return {"tool_calls": [fragment]}


def test_interleaved_fragments_belong_to_their_own_call() -> None:
    tokens = read(
        event(call(0, "a", "f", "")),
        event(call(1, "b", "g", '{"y"')),
        event(call(0, arguments='{"x":')),
        event(call(1, arguments=":2}")),
        event(call(0, arguments="1}")),
        event(finish="tool_calls"),
    )
    assert tokens == [
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(1, "b", "g", '{"y"'),
        ToolCallDelta(0, arguments='{"x":'),
        ToolCallDelta(1, arguments=":2}"),
        ToolCallDelta(0, arguments="1}"),
        Finish("toolCalls", "tool_calls"),
    ]


ARGUED = [("a", "f", '{"x":1}'), ("b", "g", '{"y":2}')]


SECOND = call(1, "b", "g", '{"y":2}')
SECOND_BARE = call(None, "b", "g", '{"y":2}')


@pytest.mark.parametrize(
    "fragments",
    [
        # No index: the id says which call it is, its absence that it goes on.
        [call(None, "a", "f", '{"x":'), call(None, arguments="1}"), SECOND_BARE],
        # No index, id and name repeated.
        [call(None, "a", "f", '{"x":'), call(None, "a", "f", "1}"), SECOND_BARE],
        # Id and name repeated in every fragment.
        [call(0, "a", "f", '{"x":'), call(0, "a", "f", "1}"), SECOND],
        # Index 0 for every call.
        [call(0, "a", "f", '{"x":1}'), call(0, "b", "g", '{"y":2}')],
        # Another id in every fragment, without a name.
        [call(0, "a", "f", '{"x":'), call(0, "zz", None, "1}"), SECOND],
        # Indexes that do not count from 0.
        [call(3, "a", "f", '{"x":1}'), call(7, "b", "g", '{"y":2}')],
        # The name comes after the id, arguments are null or an object.
        [call(0, "a"), call(0, None, "f"), call(0, arguments={"x": 1}), SECOND],
        # Empty strings for what is absent.
        [call(0, "a", "f", ""), call(0, "", "", '{"x":1}'), SECOND],
    ],
)  # fmt: skip
def test_odd_fragments_make_the_same_calls(fragments: list[Any]) -> None:
    body = stream(*map(event, fragments), event(finish="tool_calls"))
    answer, error, tokens = answer_of(CHAT, body)
    assert error is None
    assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == ARGUED
    heads = [t for t in tokens if isinstance(t, ToolCallDelta) and t.id is not None]
    assert len(heads) == 2


def test_calls_without_id_get_one_that_is_always_the_same() -> None:
    body = stream(
        event(call(0, None, "f", "{}")), event(call(1, "", "f", "{}")), event(finish="tool_calls")
    )
    first, _, _ = answer_of(CHAT, body)
    again, _, _ = answer_of(CHAT, body)
    ids = [c.id for c in first.tool_calls]
    assert len(set(ids)) == 2
    assert all(ids)
    assert ids == [c.id for c in again.tool_calls]


def test_calls_with_neither_index_nor_id_begin_with_their_name() -> None:
    tokens = read(
        event(call(None, None, "f", '{"x":')),
        event(call(None, None, None, "1}")),
        event(call(None, None, "g", "{}")),
        event(finish="tool_calls"),
    )
    assert [(t.index, t.name, t.arguments) for t in tokens if isinstance(t, ToolCallDelta)] == [
        (0, "f", '{"x":'),
        (0, None, "1}"),
        (1, "g", "{}"),
    ]


def test_a_call_without_arguments_or_name() -> None:
    tokens = read(event(call(0, "a", "f")), event(call(1, "b")), event(finish="tool_calls"))
    assert tokens[:2] == [ToolCallDelta(0, "a", "f"), ToolCallDelta(1, "b", "")]


def test_the_legacy_function_call_is_a_tool_call() -> None:
    tokens = read(
        event({"function_call": {"name": "f", "arguments": ""}}),
        event({"function_call": {"arguments": "{}"}}),
        event(finish="function_call"),
    )
    assert isinstance(tokens[0], ToolCallDelta)
    assert (tokens[0].name, tokens[0].id is not None) == ("f", True)
    assert tokens[1:] == [
        ToolCallDelta(0, arguments="{}"),
        Finish("toolCalls", "function_call"),
    ]


# --- Usage, citations, ends -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "expected", "cost"),
    [
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
             "prompt_tokens_details": {"cached_tokens": 4},
             "completion_tokens_details": {"reasoning_tokens": 3}},
            Usage(10, 5, 4, 0, 3, 15), None,
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 5, 0, 0, 0, 15), None),
        # xAI: reasoning is counted beside the completion; 1e10 ticks are a dollar.
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 18,
             "completion_tokens_details": {"reasoning_tokens": 3}, "cost_in_usd_ticks": 1724000},
            Usage(10, 8, 0, 0, 3, 18), 0.0001724,
        ),
        # DeepSeek
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
             "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
            Usage(10, 5, 8, 0, 0, 15), None,
        ),
        # OpenRouter
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.25,
             "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 9},
             "cost_details": {"upstream_inference_cost": None}},
            Usage(10, 5, 0, 9, 0, 15), 0.25,
        ),
        # Perplexity
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15,
             "cost": {"input_tokens_cost": 0.1, "total_cost": 0.5}},
            Usage(10, 5, 0, 0, 0, 15), 0.5,
        ),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cost": 0}, Usage(10, 5, 0, 0, 0, 15), 0.0),
        ({"prompt_tokens": 10.0, "completion_tokens": 5, "cost": "0.5"},
         Usage(10, 5, 0, 0, 0, 15), 0.5),
    ],
)  # fmt: skip
def test_usage(usage: Any, expected: Usage, cost: float | None) -> None:
    after = {"id": "c1", "choices": [], "usage": usage}
    tokens = read(event({"content": "x"}, usage=None), event(finish="stop"), after)
    assert tokens == [TextDelta("x"), UsageReport(expected, cost), STOP]
    whole = {"choices": [{"message": {"content": "x"}, "finish_reason": "stop"}], "usage": usage}
    assert CHAT.read_unary(json.dumps(whole).encode())[2:] == [UsageReport(expected, cost), STOP]


def test_the_last_usage_counts() -> None:
    answer, _, tokens = answer_of(
        CHAT,
        stream(
            event({"content": "a"}, usage={"prompt_tokens": 5, "completion_tokens": None}),
            event({"content": "b"}, usage={"prompt_tokens": 5, "completion_tokens": 2}),
            event(finish="stop", usage={"prompt_tokens": 5, "completion_tokens": 2}),
        ),
    )
    assert answer.usage == Usage(5, 2, 0, 0, 0, 7)
    assert isinstance(tokens[-1], Finish)
    assert sum(isinstance(token, UsageReport) for token in tokens) == 2


def test_usage_of_groq() -> None:
    groq = {"usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
    tokens = read(event({"content": "x"}), event(finish="stop", x_groq=groq))
    assert tokens[1:] == [UsageReport(Usage(5, 2, 0, 0, 0, 7)), STOP]


def test_citations_come_once_in_the_order_of_their_marks() -> None:
    more = {
        "citations": ["https://a", "https://b"],
        "search_results": [{"url": "https://b", "title": "B"}, {"url": "https://c", "title": None}],
    }
    annotation = {"type": "url_citation", "url_citation": {"url": "https://d", "title": "D"}}
    tokens = read(
        event({"content": "x[1]"}, **more),
        event({"content": "y[2]"}, **more),
        event({"annotations": [annotation]}, "stop", **more),
    )
    assert [t for t in tokens if isinstance(t, Citation)] == [
        Citation("https://a"),
        Citation("https://b", "B"),
        Citation("https://c"),
        Citation("https://d", "D"),
    ]
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["x[1]", "y[2]"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("max_tokens", "length"),
        ("tool_calls", "toolCalls"),
        ("content_filter", "contentFilter"),
        ("STOP", "stop"),
        ("SAFETY", "contentFilter"),
        ("error", "other"),
        ("whatever", "other"),
    ],
)
def test_finish_reasons(raw: str, reason: str) -> None:
    assert read(event({"content": "x"}, raw))[-1] == Finish(reason, raw)  # type: ignore[arg-type]


def test_finish_reason_twice_and_with_content() -> None:
    tokens = read(
        event({"content": "a"}, "stop"), event({"content": "b"}, "stop"), event(finish="stop")
    )
    assert tokens == [TextDelta("a"), TextDelta("b"), STOP]


def test_the_end_may_lack_either_mark() -> None:
    assert read(event({"content": "x"}), event(finish="stop"), done=False)[-1] == STOP
    assert read(event({"content": "x"}))[-1] == Finish("other")
    _, error, tokens = answer_of(CHAT, stream())
    assert (error, tokens) == (None, [StreamStart("", ""), Finish("other")])
    with pytest.raises(Truncated):
        read(event({"content": "x"}, ""), done=False)


def test_crlf_comments_and_missing_spaces() -> None:
    body = stream(event({"content": "x"}), event(finish="stop"))
    for other in (
        body.replace(b"\n", b"\r\n"),
        body.replace(b"\n", b"\r"),
        body.replace(b"data: ", b"data:"),
        body.replace(b"data: ", b": ping\n\n:\n\ndata: "),
        b"\xef\xbb\xbf" + body,
    ):
        _, error, tokens = answer_of(CHAT, other)
        assert (error, tokens[1:]) == (None, [TextDelta("x"), STOP])


# --- Errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        {"error": {"message": "slow", "code": 429}},
        {"error": {"message": "slow", "code": "rate_limit_exceeded"}, "choices": []},
        b'event: error\ndata: {"error":{"message":"slow","type":"rate_limit_error"}}',
        b'event: error\ndata: {"message":"slow","code":"rate_limit_exceeded"}',
        {"object": "error", "message": "slow", "type": "RateLimitError", "code": 429},
        {"id": "c1", "choices": [{"index": 0, "error": {"message": "slow", "code": 429}}]},
        event(x_groq={"error": {"message": "slow", "code": 429}}),
    ],
)
def test_errors_in_a_stream_keep_their_kind(broken: Any) -> None:
    answer, error, _ = answer_of(CHAT, stream(event({"content": "par"}), broken))
    assert isinstance(error, RateLimited)
    assert error.message == "slow"
    assert answer.text == "par"


@pytest.mark.parametrize("data", [b"data: {nope", b'data: {"choices":1}', b"data: []", b"data: 7"])
def test_what_is_not_the_format_is_malformed(data: bytes) -> None:
    answer, error, _ = answer_of(CHAT, stream(event({"content": "par"}), data))
    assert isinstance(error, Malformed)
    assert answer.text == "par"


def test_an_error_that_is_no_json() -> None:
    _, error, _ = answer_of(CHAT, b"event: error\ndata: upstream gone\n\n")
    assert error is not None
    assert error.kind == "server"
    assert error.message == "upstream gone"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>",
        b'{"choices":[]}',
        b'{"choices":null}',
        b'{"choices":[{}]}',
        b'{"choices":[{"message":null,"finish_reason":"stop"}]}',
        b'{"choices":[{"message',
    ],
)
def test_a_whole_answer_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        CHAT.read_unary(body)


def test_a_whole_answer_that_was_filtered_may_lack_its_message() -> None:
    assert CHAT.read_unary(b'{"choices":[{"finish_reason":"content_filter"}]}')[-1] == (
        Finish("contentFilter", "content_filter")
    )


def test_a_whole_answer_with_an_error_keeps_its_kind() -> None:
    with pytest.raises(RateLimited):
        CHAT.read_unary(b'{"error":{"message":"slow","code":429}}')
    with pytest.raises(ContentFiltered):
        CHAT.read_unary(b'{"error":{"message":"filtered","code":"content_filter","status":400}}')


def test_a_whole_answer() -> None:
    message = {
        "content": None,
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "a", "function": {"name": "f", "arguments": "{}"}},
            {"id": "a", "function": {"name": "f", "arguments": {"x": 1}}},
            {"function": {"name": "g", "arguments": None}},
        ],
    }
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    body = json.dumps({"id": "c1", "model": "m", "choices": [choice]}).encode()
    tokens = CHAT.read_unary(body)
    assert tokens[:4] == [
        StreamStart("c1", "m"),
        ReasoningDelta("hm"),
        ToolCallDelta(0, "a", "f", "{}"),
        ToolCallDelta(1, "a", "f", '{"x":1}'),
    ]
    assert tokens[-1] == Finish("toolCalls", "tool_calls")


def test_a_whole_answer_with_a_lone_surrogate() -> None:
    body = rb'{"choices":[{"message":{"content":"a\ud83d"},"finish_reason":"stop"}]}'
    assert TextDelta("\ufffd") in CHAT.read_unary(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "choices",
                        "delta",
                        "content",
                        "usage",
                        "error",
                        "id",
                        "index",
                        "tool_calls",
                        "function",
                        "message",
                        "finish_reason",
                        "reasoning",
                        "citations",
                        "x_groq",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
    )
)
def test_any_json_is_read_or_refused(value: Any) -> None:  # fmt: skip
    """Whatever comes, only errors of our own tree come out."""
    data = json.dumps(value).encode()
    tokens_of(CHAT, [b"data: " + data + b"\n\ndata: [DONE]\n\n"])
