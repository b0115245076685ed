"""Chat Completions: what is read of every oddity that really occurs, and what is sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.errors import ContentFiltered, Malformed, RateLimited, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    Citation,
    CompletionRequest,
    Finish,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    ReasoningDelta,
    ReasoningState,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolDefinition,
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
        b'{"choices":[{"message',
    ],
)
def test_a_whole_answer_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        CHAT.read_unary(body)


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


# --- What is sent ---------------------------------------------------------------------------------


def request(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=list(messages) or [user("Hi")], **more)


def user(*content: str | Image) -> Message:
    return Message("user", [Text(c) if isinstance(c, str) else c for c in content])


def sent(given: ChatRequest | CompletionRequest, stream: bool = False, **profile: Any) -> Any:
    body = CHAT.with_profile(**profile).body(given, stream=stream)
    return json.loads(json.dumps(body))


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert sent(request()) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert sent(request(), stream=True) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert "stream_options" not in sent(request(), stream=True, stream_options=False)
    assert sent(CompletionRequest(prompt="Hi")) == {"messages": [{"role": "user", "content": "Hi"}]}


def test_parameters() -> None:
    full = request(
        max_tokens=5, temperature=0.0, top_p=0.5, stop=["x"], seed=0, response_format="json"
    )
    body = sent(full)
    del body["messages"], body["model"]
    assert body == {
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["x"],
        "seed": 0,
        "response_format": {"type": "json_object"},
    }
    other = sent(full, max_tokens="max_completion_tokens", omit=frozenset({"temperature", "stop"}))
    assert other["max_completion_tokens"] == 5
    assert not {"max_tokens", "temperature", "stop"} & set(other)


def test_system_text_has_the_role_the_service_wants() -> None:
    given = request(user("Hi"), system="Be brief.")
    assert sent(given)["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent(given, system="developer", system_prefix="Formatting re-enabled\n")["messages"][
        0
    ] == {"role": "developer", "content": "Formatting re-enabled\nBe brief."}
    assert sent(given, system="user", flatten=True)["messages"] == [
        {"role": "user", "content": "Be brief.\nHi"}
    ]


def test_images() -> None:
    given = request(user("See", Image("image/png", "QUJD"), Image(url="https://x/y.png")))
    assert sent(given)["messages"][0]["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
    ]
    with pytest.raises(Unsupported, match="images"):
        sent(given, images=False)


TURN = Message(
    "assistant",
    [ReasoningState("hm", '[{"type":"reasoning.text","text":"hm"}]'), Text("Ok")],
    [ToolCall("call_1!", "f", "")],
)
RESULT = Message("tool", [Text("a"), Text("b")], tool_call_id="call_1!")


def test_tool_turns() -> None:
    assistant, tool = sent(request(TURN, RESULT))["messages"]
    called = {"id": "call_1!", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert assistant == {"role": "assistant", "content": "Ok", "tool_calls": [called]}
    assert tool == {"role": "tool", "tool_call_id": "call_1!", "content": "a\nb"}


@pytest.mark.parametrize(
    ("style", "clean"), [("as_is", "call_1!"), ("openai", "call_1_"), ("mistral", "call10000")]
)
def test_call_ids_are_cleaned_on_both_sides(style: str, clean: str) -> None:
    assistant, tool = sent(request(TURN, RESULT), call_ids=style)["messages"]
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"] == clean


def test_long_call_ids_stay_apart() -> None:
    ids = [f"{'a' * 70}{n}" for n in range(2)]
    turns = [Message("assistant", [], [ToolCall(each, "f", "{}")]) for each in ids]
    cleaned = [
        message["tool_calls"][0]["id"]
        for message in sent(request(*turns), call_ids="openai")["messages"]
    ]
    assert len(set(cleaned)) == 2
    assert all(len(each) == 64 for each in cleaned)


def test_reasoning_goes_back_as_the_service_wants_it() -> None:
    given = request(TURN)
    assert not {"reasoning_content", "reasoning_details"} & set(sent(given)["messages"][0])
    back = sent(given, reasoning="reasoning_content")["messages"][0]
    assert back["reasoning_content"] == "hm"
    back = sent(given, reasoning="reasoning_details")["messages"][0]
    assert back["reasoning_details"] == [{"type": "reasoning.text", "text": "hm"}]


@pytest.mark.parametrize("opaque", [None, "", "sig", "{}", '["x"]', '[{"type":"thinking"}]'])
def test_state_of_another_service_is_dropped(opaque: str | None) -> None:
    turn = Message("assistant", [ReasoningState("hm", opaque), Text("x")])
    back = sent(request(turn), reasoning="reasoning_details")["messages"][0]
    assert back == {"role": "assistant", "content": "x"}


def test_images_of_a_tools_result() -> None:
    result = Message("tool", [Text("a"), Image("image/png", "QUJD")], tool_call_id="c")
    (only,) = sent(request(result))["messages"]
    assert only["content"] == "a\n(see following user message for image)"
    _, following = sent(request(result), tool_images="user_message")["messages"]
    assert following["role"] == "user"
    assert following["content"][0]["type"] == "image_url"


def test_cache_breakpoints() -> None:
    given = request(user("a"), user("b"), user(Image(url="https://x")), system="S")
    mark = {"cache_control": {"type": "ephemeral"}}
    system, a, b, image = sent(given, cache="last_two")["messages"]
    assert system["content"] == [{"type": "text", "text": "S", **mark}]
    assert a["content"] == "a"
    assert b["content"] == [{"type": "text", "text": "b", **mark}]
    assert image["content"][1] == {"type": "text", "text": "...", **mark}
    assert sent(request(user("a"), cache=False), cache="last_two")["messages"][0]["content"] == "a"


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": ["string", "null"]},
        "b": {"type": "array", "items": {"type": "object", "properties": {"c": {}}}},
    },
    "required": ["a"],
}


def test_tools() -> None:
    tools = [ToolDefinition("f", SCHEMA, "does f"), ToolDefinition("mcp--x", SCHEMA)]
    strict, mcp = sent(request(tools=tools))["tools"]
    assert strict["function"] == {
        "name": "f",
        "description": "does f",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"c": {}},
                        "required": ["c"],
                        "additionalProperties": False,
                    },
                },
            },
            "required": ["a", "b"],
            "additionalProperties": False,
        },
    }
    assert mcp["function"] == {"name": "mcp--x", "strict": False, "parameters": SCHEMA}
    plain = sent(request(tools=tools), schemas="plain")["tools"][0]["function"]
    assert plain == {"name": "f", "description": "does f", "parameters": SCHEMA}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        (NamedTool("f"), {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_tool_choice(choice: Any, expected: Any) -> None:
    tools = [ToolDefinition("f", {"type": "object"})]
    assert sent(request(tools=tools, tool_choice=choice))["tool_choice"] == expected
    assert "tool_choice" not in sent(request(tool_choice=choice))


def test_structured_output() -> None:
    loose = JsonSchema("answer", {"type": "object", "properties": {"a": {"type": "string"}}})
    tight = JsonSchema("answer", {**loose.schema, "required": ["a"], "additionalProperties": False})
    body = sent(request(response_format=loose))
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": loose.schema},
    }
    assert sent(request(response_format=tight))["response_format"]["json_schema"]["strict"] is True
    assert "response_format" not in sent(request(response_format="text"))
    with pytest.raises(Unsupported, match="responseFormat"):
        sent(request(response_format=loose), response_formats="json")
    with pytest.raises(Unsupported, match="responseFormat"):
        sent(request(response_format="json"), response_formats="none")


@pytest.mark.parametrize(
    ("style", "reasoning", "expected"),
    [
        ("effort", Reasoning("low"), {"reasoning_effort": "low"}),
        ("effort", Reasoning("none"), {"reasoning_effort": "none"}),
        ("effort", Reasoning(budget_tokens=1024), {"reasoning_effort": "low"}),
        ("effort", Reasoning(budget_tokens=8192), {"reasoning_effort": "medium"}),
        ("effort", Reasoning(budget_tokens=30000), {"reasoning_effort": "high"}),
        ("effort", Reasoning(), {}),
        ("openrouter", Reasoning("low"), {"reasoning": {"effort": "low"}}),
        ("openrouter", Reasoning("low", 2000), {"reasoning": {"max_tokens": 2000}}),
        ("openrouter", Reasoning("none"), {"reasoning": {"enabled": False}}),
        ("thinking", Reasoning("high"), {"thinking": {"type": "enabled"}}),
        ("thinking", Reasoning("none"), {"thinking": {"type": "disabled"}}),
        ("enable_thinking", Reasoning("low", 99), {"enable_thinking": True, "thinking_budget": 99}),
        ("enable_thinking", Reasoning("none", 99), {"enable_thinking": False}),
        ("none", Reasoning("high"), {}),
    ],
)
def test_reasoning_styles(style: str, reasoning: Reasoning, expected: Any) -> None:
    body = sent(request(reasoning=reasoning), reasoning_style=style)
    del body["messages"], body["model"]
    assert body == expected


def test_a_body_is_not_shared_with_the_request_or_the_profile() -> None:
    profile = ChatProfile(extra={"thinking": {"type": "enabled"}}, schemas="strict")
    schema = json.loads(json.dumps(SCHEMA))
    body: Any = OpenAiChat(profile).body(request(tools=[ToolDefinition("f", schema)]), stream=False)
    body["messages"].clear()
    body["tools"][0]["function"]["parameters"]["required"].append("zz")
    assert schema == SCHEMA
    assert profile.extra == {"thinking": {"type": "enabled"}}


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
