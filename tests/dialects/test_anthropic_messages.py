"""Anthropic's format: what is asked, and what its streams, answers and errors come to."""

import base64
import json
from typing import Any

import pytest

from providers.accumulate import Accumulator
from providers.dialects.anthropic_messages import AnthropicMessages, AnthropicProfile
from providers.dialects.anthropic_models import rules, version
from providers.errors import Malformed, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    Citation,
    CodeDelta,
    CompletionRequest,
    CompletionResponse,
    ExecutedCode,
    Finish,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    ReasoningDelta,
    ReasoningState,
    StreamStart,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolDefinition,
    UsageReport,
)
from tests.dialects.feeding import answer_of

Json = dict[str, Any]
MODEL = "claude-sonnet-4-5"


def body(profile: AnthropicProfile | None = None, *, stream: bool = True, **given: Any) -> Json:
    given.setdefault("messages", [Message("user", [Text("hi")])])
    request = ChatRequest(**{"model": MODEL, "cache": False, **given})
    return AnthropicMessages(profile).body(request, stream=stream)


# --- Requests ---------------------------------------------------------------------------------


def test_the_least_request_sends_nothing_that_was_not_asked_for() -> None:
    assert body() == {
        "model": MODEL,
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
        "stream": True,
    }


def test_system_texts_are_blocks_in_order_and_empty_ones_are_left_out() -> None:
    sent = body(
        system="one",
        messages=[
            Message("system", [Text("two")]),
            Message("user", [Text("hi")]),
            Message("system", [Text("")]),
        ],
    )
    assert sent["system"] == [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    assert len(sent["messages"]) == 1


def marked(sent: Json) -> list[tuple[int, int]]:
    """Return (message, block) of every cache mark."""
    return [
        (i, j)
        for i, message in enumerate(sent["messages"])
        for j, block in enumerate(message["content"])
        if block.get("cache_control") == {"type": "ephemeral"}
    ]


def test_cache_marks_are_on_system_and_the_last_two_user_messages() -> None:
    messages = [
        Message("user", [Text("a")]),
        Message("assistant", [Text("b")]),
        Message("user", [Text("c"), Image("image/png", "AAAA")]),
        Message("assistant", [Text("d")], [ToolCall("t", "f", "{}")]),
        Message("tool", [Text("e")], tool_call_id="t"),
    ]
    sent = body(messages=messages, system="s", cache=True)
    assert sent["system"][-1]["cache_control"] == {"type": "ephemeral"}
    assert marked(sent) == [(2, 1), (4, 0)]
    assert marked(body(messages=messages, system="s")) == []
    vertex = body(AnthropicProfile(variant="vertex"), messages=messages, system="s", cache=True)
    assert marked(vertex) == [(2, 0)]  # there, texts only


def test_a_lone_prompt_is_not_cached_and_cannot_be_filled_in() -> None:
    dialect = AnthropicMessages()
    sent = dialect.body(CompletionRequest(prompt="hi", model=MODEL), stream=False)
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]
    assert sent["stream"] is False
    with pytest.raises(Unsupported, match="suffix"):
        dialect.body(CompletionRequest(prompt="a", suffix="b", model=MODEL), stream=True)
    with pytest.raises(Unsupported, match="seed"):
        body(seed=1)


def test_tool_results_become_one_user_message_with_the_text_that_follows() -> None:
    sent = body(
        messages=[
            Message("assistant", [], [ToolCall("a", "f", '{"x": 1}'), ToolCall("b", "g", "")]),
            Message("tool", [Text("one")], tool_call_id="a"),
            Message("tool", [Text("t"), Image("image/png", "AA")], tool_call_id="b", is_error=True),
            Message("user", [Text("and now?")]),
        ]
    )
    assert sent["messages"] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "one"},
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [
                        {"type": "text", "text": "t"},
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": "AA"},
                        },
                    ],
                    "is_error": True,
                },
                {"type": "text", "text": "and now?"},
            ],
        },
    ]


@pytest.mark.parametrize("arguments", ["[1, 2]", '{"cut', "12"])
def test_arguments_that_are_no_object_are_kept_as_text(arguments: str) -> None:
    sent = body(messages=[Message("assistant", [], [ToolCall("a", "f", arguments)])])
    assert sent["messages"][0]["content"][0]["input"] == {"arguments": arguments}


def test_images_by_data_url_and_address() -> None:
    parts = [Image(url="https://x.test/a.png"), Image(url="data:image/gif;base64,R0lG")]
    sources = [
        block["source"]
        for block in body(messages=[Message("user", list(parts))])["messages"][0]["content"]
    ]
    assert sources == [
        {"type": "url", "url": "https://x.test/a.png"},
        {"type": "base64", "media_type": "image/gif", "data": "R0lG"},
    ]
    with pytest.raises(Unsupported, match="messages"):
        body(messages=[Message("assistant", list(parts))])


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        (NamedTool("f"), {"type": "tool", "name": "f"}),
    ],
)
def test_tool_choice(choice: Any, sent: Json) -> None:
    tools = [ToolDefinition("f", {"type": "object"}), ToolDefinition("g", {}, "does g")]
    asked = body(tools=tools, tool_choice=choice)
    assert asked["tool_choice"] == sent
    assert asked["tools"] == [
        {"name": "f", "input_schema": {"type": "object"}},
        {
            "name": "g",
            "description": "does g",
            "input_schema": {"type": "object", "properties": {}},
        },
    ]
    assert "tool_choice" not in body(tool_choice=choice)


# A redacted block's data and a signature of a model that leaves its thinking out, made by hand
# after the shape of the real ones: a protobuf whose header may name the kind of block.
REDACTED = base64.b64encode(b"\x12\x30\x0a\x10\x08\x07\x18\x02" + bytes(40)).decode()
OMITTED = base64.b64encode(b"\x12\x30\x0a\x20\x08\x10\x18\x02B\x08thinking" + bytes(30)).decode()


def test_reasoning_goes_back_untouched() -> None:
    parts = [
        ReasoningState("step", "c2ln"),
        ReasoningState("", REDACTED),
        ReasoningState("", OMITTED),
        ReasoningState("no signature"),
        ReasoningState("", '{"type":"reasoning","id":"rs_1"}'),
        ExecutedCode("python", "1"),
        Text("answer"),
    ]
    sent = body(messages=[Message("assistant", list(parts)), Message("user", [parts[0]])])
    assert sent["messages"] == [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "step", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": REDACTED},
                {"type": "thinking", "thinking": "", "signature": OMITTED},
                {"type": "text", "text": "answer"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("limit", "reasoning", "max_tokens", "budget"),
    [
        (None, Reasoning(budget_tokens=3000), 16384, 3000),
        (None, Reasoning(effort="low"), 16384, 8192),
        (4000, Reasoning(effort="high"), 4000, 3200),
        (10000, Reasoning(budget_tokens=9999), 10000, 8000),
        (None, Reasoning(budget_tokens=5), 16384, 1024),
        (None, Reasoning(effort="none", budget_tokens=5000), 8192, None),
        (None, Reasoning(budget_tokens=0), 8192, None),
        (None, Reasoning(), 8192, None),
        (77, None, 77, None),
    ],
)
def test_thinking_budget(
    limit: int | None, reasoning: Reasoning | None, max_tokens: int, budget: int | None
) -> None:
    sent = body(max_tokens=limit, reasoning=reasoning, temperature=0.3, top_p=0.9)
    assert sent["max_tokens"] == max_tokens
    assert sent["top_p"] == 0.9
    if budget is None:
        assert "thinking" not in sent
        assert sent["temperature"] == 0.3
    else:
        assert sent["thinking"] == {"type": "enabled", "budget_tokens": budget}
        assert sent["temperature"] == 1


def test_models_that_take_a_level_take_nothing_else() -> None:
    given: Json = {"model": "claude-opus-4-8", "temperature": 0.2, "top_p": 0.5}
    sent = body(reasoning=Reasoning("high"), **given)
    assert sent["thinking"]["type"] == "adaptive"
    assert sent["output_config"] == {"effort": "high"}
    assert not {"temperature", "top_p"} & set(sent)
    assert body(reasoning=Reasoning("minimal"), **given)["output_config"] == {"effort": "low"}
    assert "output_config" not in body(reasoning=Reasoning(budget_tokens=4000), **given)
    assert "thinking" not in body(**given)


def test_the_catalog_and_the_oldest_models_limit_the_answer() -> None:
    assert body(AnthropicProfile(max_output_tokens=4000))["max_tokens"] == 4000
    assert body(model="claude-3-opus-20240229")["max_tokens"] == 4096
    assert body(AnthropicProfile(max_output_tokens=4000), max_tokens=9000)["max_tokens"] == 9000


def test_the_thinking_suffix_is_not_the_services() -> None:
    sent = body(model="claude-3-7-sonnet-20250219:thinking")
    assert sent["model"] == "claude-3-7-sonnet-20250219"
    assert sent["thinking"]["budget_tokens"] == 8192
    plain = body(model="claude-3-7-sonnet-20250219", reasoning=Reasoning("high"))
    assert "thinking" not in plain


@pytest.mark.parametrize(
    ("choice", "names", "sent"),
    [
        (None, ["f", "structured_answer"], {"type": "any"}),
        ("auto", ["f", "structured_answer"], {"type": "any"}),
        ("none", ["f", "structured_answer"], {"type": "tool", "name": "structured_answer"}),
        ("required", ["f"], {"type": "any"}),
        (NamedTool("f"), ["f"], {"type": "tool", "name": "f"}),
    ],
)
def test_structured_output_beside_tools(choice: Any, names: list[str], sent: Json) -> None:
    made = body(
        model="claude-3-haiku-20240307",
        tools=[ToolDefinition("f", {"type": "object"})],
        tool_choice=choice,
        response_format=JsonSchema("thing", {"type": "object"}),
    )
    assert [tool["name"] for tool in made["tools"]] == names
    assert made["tool_choice"] == sent


def test_stop_and_structured_output() -> None:
    schema: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted = JsonSchema("thing", schema)
    sent = body(stop=["END"], response_format=wanted)
    assert sent["stop_sequences"] == ["END"]
    assert sent["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    older = body(model="claude-3-haiku-20240307", response_format=wanted)
    assert older["tools"][0]["input_schema"] == schema
    assert older["tool_choice"] == {"type": "tool", "name": older["tools"][0]["name"]}
    asked = body(response_format="json", system="s")
    assert asked["system"][0]["text"] == "s"
    assert "JSON" in asked["system"][1]["text"]
    assert "system" not in body(response_format="text")


def test_variants_differ_in_path_model_and_version() -> None:
    request = ChatRequest(model="claude-opus-4@20250514", messages=[], cache=False)
    prefix = "/v1/projects/p/locations/l/publishers/anthropic/models"
    vertex = AnthropicMessages(AnthropicProfile(variant="vertex", path_prefix=prefix))
    assert vertex.path(request, stream=True) == f"{prefix}/{request.model}:streamRawPredict"
    assert vertex.path(request, stream=False) == f"{prefix}/{request.model}:rawPredict"
    sent = vertex.body(request, stream=True)
    assert sent["anthropic_version"] == "vertex-2023-10-16"
    assert "model" not in sent
    assert AnthropicMessages().path(request, stream=True) == "/v1/messages"
    profile = AnthropicProfile(variant="bedrock", betas=("one",))
    sent = AnthropicMessages(profile).body(request, stream=True)
    assert sent["anthropic_version"] == "bedrock-2023-05-31"
    assert sent["anthropic_beta"] == ["one"]
    assert not {"model", "stream"} & set(sent)


def test_human_assistant_prompt() -> None:
    legacy = AnthropicProfile(prompt_format="human-assistant")
    conversation = [
        Message("user", [Text("a"), Text("b")]),
        Message("assistant", [Text("c")]),
        Message("user", [Text("d")]),
    ]
    sent = body(legacy, messages=conversation, system="s", cache=True)
    text = "Human: ab\n\nAssistant: c\n\nHuman: d\n\nAssistant:"
    assert sent["messages"] == [{"role": "user", "content": text}]
    assert sent["system"][0]["text"] == "s"
    prefilled = body(legacy, messages=conversation[:2])
    assert prefilled["messages"][0]["content"] == "Human: ab\n\nAssistant: c"
    with pytest.raises(Unsupported, match="tools"):
        body(legacy, tools=[ToolDefinition("f", {})])
    with pytest.raises(Unsupported, match="images"):
        body(legacy, messages=[Message("user", [Image(url="https://x.test/y")])])


@pytest.mark.parametrize(
    ("model", "number"),
    [
        ("claude-sonnet-4-5-20250929", (4, 5)),
        ("claude-sonnet-4-20250514", (4, 0)),
        ("claude-3-7-sonnet@20250219", (3, 7)),
        ("eu.anthropic.claude-opus-4-6-v1", (4, 6)),
        ("anthropic.claude-v2:1", (2, 1)),
        ("anthropic/claude-opus-4.7", (4, 7)),
        ("claude-fable-5", (5, 0)),
        ("kimi-k2", None),
    ],
)
def test_versions(model: str, number: tuple[int, int] | None) -> None:
    assert version(model) == number


def test_an_unknown_name_gets_what_the_format_documents() -> None:
    assert rules("kimi-k2") == rules("claude-sonnet-4-5")


# --- Streams -----------------------------------------------------------------------------------


def sse(*events: Json, names: bool = True) -> bytes:
    lines = [
        (f"event: {event['type']}\n" if names else "")
        + f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
        for event in events
    ]
    return "".join(lines).encode()


def start(**usage: Any) -> Json:
    message = {"id": "msg_1", "model": "claude-x", "content": [], "usage": usage}
    return {"type": "message_start", "message": message}


def begin(index: int, **block: Any) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **change: Any) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": change}


def text(index: int, words: str) -> Json:
    return delta(index, type="text_delta", text=words)


def close(index: int) -> Json:
    return {"type": "content_block_stop", "index": index}


def stopped(reason: str, **usage: Any) -> Json:
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


STOP: Json = {"type": "message_stop"}
PING: Json = {"type": "ping"}


def whole(*events: Json, names: bool = True) -> CompletionResponse:
    answer, error, tokens = answer_of(AnthropicMessages(), sse(*events, names=names))
    assert error is None
    assert isinstance(tokens[-1], Finish)
    assert sum(isinstance(token, StreamStart) for token in tokens) == 1
    assert not any(isinstance(token, TextDelta) and not token.text for token in tokens)
    return answer


@pytest.mark.parametrize("names", [True, False])
def test_text(names: bool) -> None:
    answer = whole(
        start(input_tokens=12, cache_creation_input_tokens=30, cache_read_input_tokens=40),
        PING,
        begin(0, type="text", text="pre "),
        text(0, "Zażółć "),
        text(0, ""),
        {"type": "brand_new", "x": 1},
        text(0, "👩‍👩‍👧\u2028"),
        close(0),
        begin(1, type="text", text=""),
        text(1, "end"),
        close(1),
        stopped("end_turn", output_tokens=15, output_tokens_details={"thinking_tokens": 4}),
        STOP,
        names=names,
    )
    assert (answer.id, answer.model) == ("msg_1", "claude-x")
    assert answer.text == "pre Zażółć 👩‍👩‍👧\u2028end"
    assert (answer.finish_reason, answer.raw_finish_reason) == ("stop", "end_turn")
    usage = answer.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_write_tokens, usage.cache_read_tokens) == (82, 30, 40)
    assert (usage.output_tokens, usage.reasoning_tokens, usage.total_tokens) == (15, 4, 97)


def test_usage_is_told_before_the_answer_is_whole() -> None:
    body = sse(start(input_tokens=7, output_tokens=1), begin(0, type="text"), text(0, "x"))
    _, error, tokens = answer_of(AnthropicMessages(), body)
    assert isinstance(error, Truncated)
    assert [type(token) for token in tokens] == [StreamStart, UsageReport, TextDelta]


def test_reasoning_signatures_and_redacted_blocks() -> None:
    answer = whole(
        start(),
        begin(0, type="thinking", thinking="so ", signature=""),
        delta(0, type="thinking_delta", thinking="be it"),
        delta(0, type="signature_delta", signature="c2ln"),
        close(0),
        begin(1, type="redacted_thinking", data="RURB"),
        close(1),
        begin(2, type="thinking", thinking="", signature=""),
        delta(2, type="signature_delta", signature="b21p"),
        close(2),
        begin(3, type="text", text=""),
        text(3, "Answer"),
        close(3),
        stopped("end_turn"),
        STOP,
    )
    assert answer.reasoning == [
        ReasoningState("so be it", "c2ln"),
        ReasoningState("", "RURB"),
        ReasoningState("", "b21p"),
    ]
    assert answer.text == "Answer"


def test_fragments_stay_with_their_own_call() -> None:
    answer = whole(
        start(),
        begin(0, type="text", text=""),
        begin(1, type="tool_use", id="a", name="f", input={}),
        begin(2, type="tool_use", id="b", name="g", input={}),
        delta(1, type="input_json_delta", partial_json=""),
        delta(1, type="input_json_delta", partial_json='{"x":'),
        delta(2, type="input_json_delta", partial_json='{"y":'),
        text(0, "Let me look."),
        delta(2, type="input_json_delta", partial_json='"é"}'),
        delta(1, type="input_json_delta", partial_json="1}"),
        close(2),
        close(1),
        close(0),
        begin(3, type="tool_use", id="c", name="h", input={}),
        close(3),
        begin(4, type="tool_use", id="d", name="i", input={"z": [1]}),
        close(4),
        stopped("tool_use"),
        STOP,
    )
    assert answer.tool_calls == [
        ToolCall("a", "f", '{"x":1}'),
        ToolCall("b", "g", '{"y":"é"}'),
        ToolCall("c", "h", "{}"),
        ToolCall("d", "i", '{"z":[1]}'),
    ]
    assert answer.finish_reason == "toolCalls"


def test_what_the_service_runs_itself_is_no_tool_call() -> None:
    answer = whole(
        start(),
        begin(0, type="server_tool_use", id="s1", name="bash_code_execution", input={}),
        delta(0, type="input_json_delta", partial_json='{"command": "ec'),
        delta(0, type="input_json_delta", partial_json='ho hi"}'),
        close(0),
        begin(
            1,
            type="bash_code_execution_tool_result",
            tool_use_id="s1",
            content={"type": "bash_code_execution_result", "stdout": "hi\n", "stderr": "!"},
        ),
        close(1),
        begin(2, type="server_tool_use", id="s2", name="web_search", input={}),
        delta(2, type="input_json_delta", partial_json='{"query": "x"}'),
        close(2),
        begin(3, type="web_search_tool_result", tool_use_id="s2", content=[{"url": "u"}]),
        close(3),
        begin(4, type="mcp_tool_use", id="m", name="ask", input={}),
        delta(4, type="input_json_delta", partial_json="{}"),
        close(4),
        begin(5, type="server_tool_use", id="s3", name="code_execution", input={"code": "1+1"}),
        close(5),
        stopped("end_turn"),
        STOP,
    )
    assert answer.tool_calls == []
    assert answer.code == [
        ExecutedCode("bash", "echo hi", "hi\n!"),
        ExecutedCode("python", "1+1"),  # begun, and no result came
    ]


def test_citations_with_an_address() -> None:
    def cited(**citation: Any) -> Json:
        return delta(0, type="citations_delta", citation=citation)

    answer = whole(
        start(),
        begin(0, type="text", text="", citations=[]),
        cited(type="web_search_result_location", url="https://a.test", title="A"),
        cited(type="search_result_location", source="https://b.test", title="B"),
        cited(type="char_location", document_title="no address"),
        cited(),
        text(0, "cited"),
        close(0),
        stopped("end_turn"),
        STOP,
    )
    assert answer.citations == [Citation("https://a.test", "A"), Citation("https://b.test", "B")]


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("tool_use", "toolCalls"),
        ("refusal", "contentFilter"),
        ("pause_turn", "other"),
        ("something_new", "other"),
    ],
)
def test_finish_reasons(raw: str, ours: str) -> None:
    assert whole(start(), stopped(raw), STOP).finish_reason == ours


def test_a_second_message_start_and_late_events_change_nothing_but_usage() -> None:
    answer = whole(
        start(input_tokens=1),
        start(input_tokens=5, output_tokens=1),
        begin(0, type="text"),
        text(0, "x"),
        close(0),
        stopped("end_turn", output_tokens=2),
        STOP,
        begin(0, type="text", text="too "),
        text(0, "late"),
        stopped("max_tokens"),
        STOP,
    )
    assert answer.text == "x"
    assert answer.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7


def test_the_answer_tool_is_text_again() -> None:
    answer = whole(
        start(),
        begin(0, type="tool_use", id="a", name="structured_answer", input={}),
        delta(0, type="input_json_delta", partial_json='{"a":'),
        delta(0, type="input_json_delta", partial_json="1}"),
        close(0),
        stopped("tool_use"),
        STOP,
    )
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ('{"a":1}', [], "stop")


@pytest.mark.parametrize(
    ("kind", "ours", "retryable"),
    [
        ("overloaded_error", "overloaded", True),
        ("rate_limit_error", "rateLimit", True),
        ("api_error", "server", True),
        ("authentication_error", "authentication", False),
        ("invalid_request_error", "invalidRequest", False),
        ("what_is_this", "server", True),
    ],
)
def test_the_error_event_keeps_its_kind(kind: str, ours: str, retryable: bool) -> None:
    failure = {"type": "error", "error": {"type": kind, "message": "Because"}, "request_id": "r1"}
    body = sse(start(), begin(0, type="text"), text(0, "par"), failure)
    answer, error, _ = answer_of(AnthropicMessages(), body)
    assert answer.text == "par"
    assert error is not None
    assert (error.kind, error.retryable, error.request_id) == (ours, retryable, "r1")
    assert error.message == "Because"
    assert error.status is None


def test_errors_of_what_stands_before_the_service() -> None:
    """Vertex and gateways send their own shape, without a `type`; or no stream at all."""
    google = (
        b'data: {"error": {"code": 429, "message": "Slow", "status": "RESOURCE_EXHAUSTED"}}\n\n'
    )
    _, error, _ = answer_of(AnthropicMessages(), sse(start()) + google)
    assert error is not None
    assert (error.kind, error.message) == ("rateLimit", "Slow")
    plain = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    _, error, _ = answer_of(AnthropicMessages(), plain)
    assert error is not None
    assert (error.kind, error.message) == ("overloaded", "Overloaded")


@pytest.mark.parametrize(
    "broken",
    [
        b"data: {nope\n\n",
        b'data: {"index": 0}\n\n',
        b'data: {"type": 3}\n\n',
        b'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 1}}\n\n',
        b'data: {"type": "content_block_delta", "delta": '
        b'{"type": "input_json_delta", "partial_json": "{"}}\n\n',
        b'data: {"type": "\xff"}\n\n',
    ],
)
def test_what_is_not_the_format_is_malformed(broken: bytes) -> None:
    body = sse(start(), begin(0, type="text"), text(0, "ok")) + broken + sse(text(0, "after"))
    answer, error, _ = answer_of(AnthropicMessages(), body)
    assert answer.text == "ok"
    assert isinstance(error, Malformed)


@pytest.mark.parametrize("events", [[], [start()], [start(), stopped("end_turn")]])
def test_without_message_stop_it_is_truncated(events: list[Json]) -> None:
    _, error, _ = answer_of(AnthropicMessages(), sse(*events))
    assert isinstance(error, Truncated)


def test_halves_of_a_character_are_joined() -> None:
    body = sse(start(), begin(0, type="text"))
    for words in (r"a\ud83d", r"\ude00b\ud83d"):
        body += sse(text(0, "WORDS")).replace(b"WORDS", words.encode())
    answer, error, _ = answer_of(AnthropicMessages(), body + sse(stopped("end_turn"), STOP))
    assert error is None
    assert answer.text == "a😀b\ufffd"


# --- Unary answers and errors ---------------------------------------------------------------------


def unary(**message: Any) -> CompletionResponse:
    answer = Accumulator()
    whole = {"id": "msg_1", "type": "message", "model": "claude-x", **message}
    answer.add(AnthropicMessages().read_unary(json.dumps(whole).encode()))
    return answer.response()


def test_a_unary_answer_is_what_its_stream_would_be() -> None:
    answer = unary(
        content=[
            {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
            {"type": "redacted_thinking", "data": "RURB"},
            {"type": "text", "text": "A", "citations": [{"url": "https://a.test", "title": "t"}]},
            {"type": "text", "text": "B", "citations": None},
            {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
            {"type": "tool_use", "id": "b", "name": "g", "input": {}},
            {
                "type": "server_tool_use",
                "id": "s",
                "name": "code_execution",
                "input": {"code": "1"},
            },
            {
                "type": "code_execution_tool_result",
                "tool_use_id": "s",
                "content": {"type": "error", "error_code": "unavailable"},
            },
        ],
        stop_reason="tool_use",
        usage={"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": None},
    )
    assert answer.text == "AB"
    assert answer.reasoning == [ReasoningState("hm", "c2ln"), ReasoningState("", "RURB")]
    assert [(c.id, c.arguments) for c in answer.tool_calls] == [("a", '{"x":1}'), ("b", "{}")]
    assert answer.citations == [Citation("https://a.test", "t")]
    assert answer.code == [ExecutedCode("python", "1", "unavailable")]
    assert answer.usage is not None
    assert answer.usage.total_tokens == 7


def test_an_unary_answer_with_half_a_character() -> None:
    body = rb'{"content":[{"type":"text","text":"x\ud83d"},{"type":"tool_use","id":"a","name":"f",'
    body += rb'"input":{"y":["\ude00"]}}],"stop_reason":"tool_use"}'
    answer = Accumulator()
    answer.add(AnthropicMessages().read_unary(body))
    response = answer.response()
    assert response.text == "x\ufffd"
    assert json.loads(response.tool_calls[0].arguments) == {"y": ["\ufffd"]}


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>", b'{"content": 1}', b"[]"])
def test_an_unary_body_of_another_format_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        AnthropicMessages().read_unary(body)


def test_an_unary_error_with_status_200_keeps_its_kind() -> None:
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(Exception, match="Overloaded") as caught:
        AnthropicMessages().read_unary(body)
    assert getattr(caught.value, "kind", None) == "overloaded"


@pytest.mark.parametrize(
    ("status", "kind", "message", "ours"),
    [
        (
            400,
            "invalid_request_error",
            "prompt is too long: 300 tokens > 200 maximum",
            "contextLength",
        ),
        (
            400,
            "invalid_request_error",
            "messages: at least one message is required",
            "invalidRequest",
        ),
        (400, "invalid_request_error", "Your credit balance is too low to access the API", "quota"),
        (401, "authentication_error", "invalid x-api-key", "authentication"),
        (403, "permission_error", "not allowed", "permission"),
        (404, "not_found_error", "model: claude-none", "modelNotFound"),
        (413, "request_too_large", "Request exceeds the maximum size", "invalidRequest"),
        (429, "rate_limit_error", "would exceed the rate limit of 40,000 tokens", "rateLimit"),
        (500, "api_error", "Internal server error", "server"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
    ],
)
def test_error_answers(status: int, kind: str, message: str, ours: str) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    headers = {"request-id": "req_9", "retry-after": "7"}
    error = AnthropicMessages().read_error(status, headers, body)
    assert (error.kind, error.status, error.request_id) == (ours, status, "req_9")
    assert error.message == message
    assert error.retry_after == 7


def test_tokens_hold_no_more_than_strings() -> None:
    """The collector never looks at a token (`docs/adr`): none of these is tracked."""
    import gc

    made = [
        TextDelta("x"),
        ReasoningDelta("x"),
        ToolCallDelta(0, arguments="x"),
        CodeDelta("a", "b"),
    ]
    assert not any(gc.is_tracked(token) for token in made)
