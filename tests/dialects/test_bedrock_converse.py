"""Bedrock's Converse format: what is asked, and what its streams, answers and errors come to."""

import json
from struct import pack
from typing import Any
from zlib import crc32

import pytest

from providers.accumulate import Accumulator
from providers.dialects.bedrock_converse import BedrockConverse, BedrockProfile
from providers.dialects.bedrock_models import base_model, family, path_of, region_of
from providers.errors import Malformed, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    Citation,
    CompletionRequest,
    CompletionResponse,
    Finish,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    ReasoningState,
    StreamStart,
    Text,
    TextDelta,
    ToolCall,
    ToolDefinition,
    UsageReport,
)
from tests.dialects.feeding import answer_of

Json = dict[str, Any]
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-pro-v1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"


def body(profile: BedrockProfile | None = None, *, stream: bool = False, **given: Any) -> Json:
    given.setdefault("messages", [Message("user", [Text("hi")])])
    request = ChatRequest(**{"model": CLAUDE, "cache": False, **given})
    return BedrockConverse(profile).body(request, stream=stream)


# --- Requests -----------------------------------------------------------------------------------


def test_the_least_request() -> None:
    least = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    assert body(model=LLAMA) == least
    assert body() == {**least, "inferenceConfig": {"maxTokens": 8192}}
    beta = {"anthropic_beta": ["fine-grained-tool-streaming-2025-05-14"]}
    assert body(stream=True)["additionalModelRequestFields"] == beta
    assert "additionalModelRequestFields" not in body(model=LLAMA, stream=True)


def test_sampling_limits_and_stop() -> None:
    sent = body(max_tokens=5, temperature=0.1, top_p=0.2, stop=["x"], model=LLAMA)
    assert sent["inferenceConfig"] == {
        "maxTokens": 5,
        "temperature": 0.1,
        "topP": 0.2,
        "stopSequences": ["x"],
    }
    known = BedrockProfile(max_output_tokens=2048, context_window=8001)
    assert body(known, model=LLAMA)["inferenceConfig"] == {"maxTokens": 1601}
    assert body(known)["inferenceConfig"] == {"maxTokens": 2048}
    with pytest.raises(Unsupported, match="seed"):
        body(seed=3)
    with pytest.raises(Unsupported, match="suffix"):
        BedrockConverse().body(CompletionRequest(prompt="a", suffix="b"), stream=False)


def test_thinking_goes_into_the_models_own_fields() -> None:
    sent = body(reasoning=Reasoning("low"), temperature=0.5)
    assert sent["additionalModelRequestFields"] == {
        "thinking": {"type": "enabled", "budget_tokens": 8192}
    }
    assert sent["inferenceConfig"] == {"maxTokens": 16384, "temperature": 1}
    newest = body(model="anthropic.claude-opus-4-8", reasoning=Reasoning("high"), temperature=0.5)
    extra = newest["additionalModelRequestFields"]
    assert extra["thinking"]["type"] == "adaptive"
    assert extra["output_config"] == {"effort": "high"}
    assert newest["inferenceConfig"] == {"maxTokens": 16384}
    assert body(reasoning=Reasoning("low"), model=NOVA).keys() == {"messages"}


def test_turns_alternate_and_results_come_first() -> None:
    sent = body(
        messages=[
            Message("user", [Text("a"), Text(" \n")]),
            Message("user", [Text("b")]),
            Message("assistant", [Text("c")], [ToolCall("id!é" * 30, "f", '{"x":1}')]),
            Message("tool", [Text("r"), Image("image/png", "AA")], tool_call_id="id!é" * 30),
            Message("tool", [], tool_call_id="t2", is_error=True),
            Message("user", [Text("d")]),
            Message("assistant", [ReasoningState("lost")]),
            Message("user", [Text("e")]),
        ]
    )
    roles = [message["role"] for message in sent["messages"]]
    assert roles == ["user", "assistant", "user"]
    assert sent["messages"][0]["content"] == [{"text": "a"}, {"text": "b"}]
    call = sent["messages"][1]["content"][1]["toolUse"]
    assert len(call["toolUseId"]) == 64
    assert sent["messages"][2]["content"] == [
        {
            "toolResult": {
                "toolUseId": call["toolUseId"],
                "content": [
                    {"text": "r"},
                    {"image": {"format": "png", "source": {"bytes": "AA"}}},
                ],
                "status": "success",
            }
        },
        {"toolResult": {"toolUseId": "t2", "content": [{"text": ""}], "status": "error"}},
        {"text": "d"},
        {"text": "e"},
    ]
    # A call in the history needs its tool, though none may be called any more.
    assert [t["toolSpec"]["name"] for t in sent["toolConfig"]["tools"]] == ["f"]


def test_a_result_has_no_status_where_the_model_does_not_know_it() -> None:
    messages = [Message("tool", [Text("r")], tool_call_id="t")]
    (block,) = body(model=LLAMA, messages=messages)["messages"][0]["content"]
    assert "status" not in block["toolResult"]


def test_reasoning_goes_back_untouched() -> None:
    parts = [
        ReasoningState("step", "c2ln"),
        ReasoningState("", "UkVEQUNURUQ="),
        ReasoningState("x", '{"not": "ours"}'),
        Text("answer"),
    ]
    (message,) = body(messages=[Message("assistant", list(parts))])["messages"]
    assert message["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "step", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "UkVEQUNURUQ="}},
        {"text": "answer"},
    ]


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        (Image("image/bmp", "AA"), "image/bmp"),
        (Image(url="https://x.test/a.png"), "address"),
    ],
)
def test_images_that_cannot_be_sent(image: Image, fault: str) -> None:
    with pytest.raises(Unsupported, match=fault):
        body(messages=[Message("user", [image])])


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (None, None),
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        (NamedTool("f"), {"tool": {"name": "f"}}),
    ],
)
def test_tools(choice: Any, sent: Json | None) -> None:
    tools = [ToolDefinition("f", {"type": "object", "properties": {}}, "does f")]
    config = body(tools=tools, tool_choice=choice)["toolConfig"]
    assert config.get("toolChoice") == sent
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    spec = {"name": "f", "description": "does f", "inputSchema": {"json": schema}}
    assert config["tools"] == [{"toolSpec": spec}]
    assert "toolConfig" not in body(tools=tools, tool_choice="none")


def test_structured_output() -> None:
    wanted = JsonSchema("thing", {"type": "object"})
    text = body(response_format=wanted)["outputConfig"]["textFormat"]
    assert text["type"] == "json_schema"
    assert json.loads(text["structure"]["jsonSchema"]["schema"]) == {"type": "object"}
    older = body(response_format=wanted, model=NOVA)
    assert "outputConfig" not in older
    name = older["toolConfig"]["tools"][0]["toolSpec"]["name"]
    assert older["toolConfig"]["toolChoice"] == {"tool": {"name": name}}


@pytest.mark.parametrize(
    ("choice", "names", "sent"),
    [
        (None, ["f", "structured_answer"], {"any": {}}),
        ("auto", ["f", "structured_answer"], {"any": {}}),
        ("none", ["structured_answer"], {"tool": {"name": "structured_answer"}}),
        ("required", ["f"], {"any": {}}),
        (NamedTool("f"), ["f"], {"tool": {"name": "f"}}),
    ],
)
def test_structured_output_beside_tools(choice: Any, names: list[str], sent: Json) -> None:
    tools = [ToolDefinition("f", {"type": "object"})]
    wanted = JsonSchema("thing", {"type": "object"})
    config = body(tools=tools, tool_choice=choice, response_format=wanted, model=NOVA)["toolConfig"]
    assert [tool["toolSpec"]["name"] for tool in config["tools"]] == names
    assert config["toolChoice"] == sent


def test_a_structured_answer_of_any_shape() -> None:
    free = {"type": "object", "additionalProperties": {"type": "string"}}
    closed = {"additionalProperties": False}
    for given, schema in [
        ({"type": "object"}, {"type": "object"}),
        (free, free),
        ({"type": "object", "properties": {"a": free}},
         {"type": "object", "properties": {"a": free}} | closed),
    ]:  # fmt: skip
        config = body(response_format=JsonSchema("x", given), model=NOVA)["toolConfig"]
        assert config["tools"][0]["toolSpec"]["inputSchema"]["json"] == schema


POINT = {"cachePoint": {"type": "default"}}


def test_cache_points_where_the_model_takes_them_and_they_can_matter() -> None:
    long = "word " * 1000
    messages = [
        Message("user", [Text(long)]),
        Message("assistant", [Text("a")]),
        Message("user", [Text("b")]),
        Message("assistant", [Text("c")]),
        Message("user", [Text("d")]),
    ]

    def points(**given: Any) -> list[Any]:
        sent = body(messages=list(messages), **given)
        places: list[Any] = [
            i for i, message in enumerate(sent["messages"]) if message["content"][-1] == POINT
        ]
        return [*places, *(["system"] if sent.get("system", [{}])[-1] == POINT else [])]

    assert points(cache=True, system=long) == [4, "system"]
    assert points(cache=True, system="short") == [4]
    assert points(cache=False, system=long) == []
    assert points(cache=True, system="short", model=NOVA) == ["system"]
    assert points(cache=True, system=long, model=LLAMA) == []
    assert points(cache=True, system=long, model="anthropic.claude-3-haiku-20240307-v1:0") == []
    messages[0] = Message("user", [Text("short")])
    assert points(cache=True, system="short") == []  # too little to be cached at all


@pytest.mark.parametrize(
    ("model", "path", "base", "region"),
    [
        (CLAUDE, "anthropic.claude-sonnet-4-5-20250929-v1%3A0", CLAUDE, ""),
        (f"apac.{CLAUDE}", "apac.anthropic.claude-sonnet-4-5-20250929-v1%3A0", CLAUDE, ""),
        (f"global.{CLAUDE}", "global.anthropic.claude-sonnet-4-5-20250929-v1%3A0", CLAUDE, ""),
        (
            f"arn:aws:bedrock:us-west-2::foundation-model/{CLAUDE}",
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            CLAUDE,
            "us-west-2",
        ),
        (
            f"arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.{CLAUDE}",
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2F"
            "eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            CLAUDE,
            "eu-west-1",
        ),
        (
            "arn:aws-cn:bedrock:cn-north-1:1:application-inference-profile/ab/../c?d#e é",
            "arn%3Aaws-cn%3Abedrock%3Acn-north-1%3A1%3Aapplication-inference-profile%2F"
            "ab%2F..%2Fc%3Fd%23e%20%C3%A9",
            "ab/../c?d#e é",
            "cn-north-1",
        ),
    ],
)
def test_ids(model: str, path: str, base: str, region: str) -> None:
    assert path_of(model, "converse") == f"/model/{path}/converse"
    assert base_model(model) == base
    assert region_of(model) == region
    request = ChatRequest(model=model, messages=[])
    assert BedrockConverse().path(request, stream=True) == f"/model/{path}/converse-stream"


@pytest.mark.parametrize(
    ("model", "ours"),
    [
        ("us.amazon.titan-text-express-v1", "titan"),
        ("amazon.nova-lite-v1:0", "nova"),
        ("us-gov.meta.llama3-8b-instruct-v1:0", "llama"),
        ("eu.mistral.pixtral-large-2502-v1:0", "mistral"),
        ("cohere.command-r-v1:0", "cohere"),
        ("ai21.jamba-1-5-mini-v1:0", "ai21"),
        ("openai.gpt-oss-20b-1:0", "openai"),
        ("arn:aws:bedrock:us-east-1:1:provisioned-model/xyz", "unknown"),
        ("deepseek.r1-v1:0", "unknown"),
    ],
)
def test_families(model: str, ours: str) -> None:
    assert family(model) == ours


# --- Streams --------------------------------------------------------------------------------


def frame(payload: bytes, **headers: str) -> bytes:
    head = b""
    for name, value in headers.items():
        label, words = b":" + name.replace("_", "-").encode(), value.encode()
        head += pack("!B", len(label)) + label + b"\x07" + pack("!H", len(words)) + words
    prelude = pack("!II", 16 + len(head) + len(payload), len(head))
    data = prelude + pack("!I", crc32(prelude)) + head + payload
    return data + pack("!I", crc32(data))


def event(kind: str, /, **fields: Any) -> bytes:
    payload = json.dumps({**fields, "p": "abcdef"}).encode()
    return frame(payload, event_type=kind, message_type="event")


def thrown(kind: str, **fields: Any) -> bytes:
    return frame(json.dumps(fields).encode(), exception_type=kind, message_type="exception")


def delta(index: int, **change: Any) -> bytes:
    return event("contentBlockDelta", contentBlockIndex=index, delta=change)


def begin(index: int, call: str, name: str, **more: Any) -> bytes:
    use = {"toolUseId": call, "name": name, **more}
    return event("contentBlockStart", contentBlockIndex=index, start={"toolUse": use})


def close(index: int) -> bytes:
    return event("contentBlockStop", contentBlockIndex=index)


START = event("messageStart", role="assistant")
USAGE = event(
    "metadata",
    usage={
        "inputTokens": 100,
        "outputTokens": 20,
        "totalTokens": 190,
        "cacheReadInputTokens": 40,
        "cacheWriteInputTokens": 30,
    },
    metrics={"latencyMs": 3},
)


def stop(reason: str) -> bytes:
    return event("messageStop", stopReason=reason)


def whole(*events: bytes) -> CompletionResponse:
    answer, error, tokens = answer_of(BedrockConverse(), b"".join(events))
    assert error is None
    assert isinstance(tokens[-1], Finish)
    assert sum(isinstance(token, Finish) for token in tokens) == 1
    assert not any(isinstance(token, TextDelta) and not token.text for token in tokens)
    return answer


def test_text_and_usage() -> None:
    answer = whole(
        START,
        event("brandNew", x=1),
        delta(0, text="Zażółć 👩‍👩‍👧"),
        delta(0, text=""),
        close(0),
        delta(1, text="\u2028end"),
        close(1),
        stop("end_turn"),
        USAGE,
    )
    assert answer.text == "Zażółć 👩‍👩‍👧\u2028end"
    assert answer.finish_reason == "stop"
    usage = answer.usage
    assert usage is not None
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens) == (170, 40, 30)
    assert (usage.output_tokens, usage.total_tokens) == (20, 190)


def test_finish_waits_for_the_usage_and_does_without() -> None:
    _, error, tokens = answer_of(BedrockConverse(), START + stop("end_turn") + USAGE)
    assert error is None
    assert [type(token) for token in tokens] == [StreamStart, UsageReport, Finish]
    assert whole(START, delta(0, text="x"), stop("max_tokens")).finish_reason == "length"
    early = whole(START, USAGE, delta(0, text="x"), stop("end_turn"))
    assert (early.text, early.finish_reason) == ("x", "stop")
    late = whole(START, stop("end_turn"), USAGE, delta(0, text="x"), stop("max_tokens"), USAGE)
    assert (late.text, late.finish_reason) == ("", "stop")


def test_reasoning() -> None:
    answer = whole(
        START,
        delta(0, reasoningContent={"text": "so "}),
        delta(0, reasoningContent={"text": "be it"}),
        delta(0, reasoningContent={"signature": "c2"}),
        delta(0, reasoningContent={"signature": "ln"}),
        close(0),
        delta(1, reasoningContent={"redactedContent": "UkVE"}),
        close(1),
        delta(2, reasoningContent={"text": "unclosed"}),
        delta(2, reasoningContent={"signature": "eA=="}),
        stop("end_turn"),
    )
    assert answer.reasoning == [
        ReasoningState("so be it", "c2ln"),
        ReasoningState("", "UkVE"),
        ReasoningState("unclosed", "eA=="),
    ]


def test_fragments_stay_with_their_own_call() -> None:
    answer = whole(
        START,
        delta(0, text="Ok."),
        begin(1, "a", "f"),
        begin(2, "b", "g"),
        delta(1, toolUse={"input": ""}),
        delta(1, toolUse={"input": '{"x":'}),
        delta(2, toolUse={"input": '{"y":'}),
        delta(1, toolUse={"input": "1}"}),
        delta(2, toolUse={"input": '"é"}'}),
        close(2),
        close(1),
        begin(3, "c", "h"),
        close(3),
        begin(4, "s", "web", type="server_tool_use"),
        delta(4, toolUse={"input": "{}"}),
        close(4),
        stop("tool_use"),
        USAGE,
    )
    assert answer.tool_calls == [
        ToolCall("a", "f", '{"x":1}'),
        ToolCall("b", "g", '{"y":"é"}'),
        ToolCall("c", "h", "{}"),
    ]
    assert answer.finish_reason == "toolCalls"


def test_the_answer_tool_is_text_again() -> None:
    answer = whole(
        START,
        begin(0, "a", "structured_answer"),
        delta(0, toolUse={"input": '{"a":1}'}),
        close(0),
        stop("tool_use"),
    )
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ('{"a":1}', [], "stop")


def test_citations_with_an_address() -> None:
    answer = whole(
        START,
        delta(0, text="x"),
        delta(0, citation={"title": "A", "location": {"web": {"url": "https://a.test"}}}),
        delta(0, citation={"title": "B", "source": "https://b.test"}),
        delta(0, citation={"title": "C", "location": {"documentChar": {"start": 0}}}),
        delta(0, citation={"title": "D", "source": "facts.txt"}),
        stop("end_turn"),
    )
    assert answer.citations == [Citation("https://a.test", "A"), Citation("https://b.test", "B")]


@pytest.mark.parametrize(
    ("raw", "ours"),
    [
        ("stop_sequence", "stop"),
        ("guardrail_intervened", "contentFilter"),
        ("content_filtered", "contentFilter"),
        ("model_context_window_exceeded", "length"),
        ("malformed_tool_use", "other"),
    ],
)
def test_finish_reasons(raw: str, ours: str) -> None:
    answer = whole(START, delta(0, text="x"), stop(raw), USAGE)
    assert (answer.finish_reason, answer.raw_finish_reason) == (ours, raw)


@pytest.mark.parametrize(
    ("kind", "message", "ours", "retryable"),
    [
        ("throttlingException", "Too many tokens, please wait", "rateLimit", True),
        ("serviceUnavailableException", "Try later", "overloaded", True),
        ("internalServerException", "Oops", "server", True),
        ("modelStreamErrorException", "Broken", "server", True),
        ("modelTimeoutException", "Slow", "timeout", True),
        ("validationException", "blank text", "invalidRequest", False),
        ("validationException", "Input is too long for requested model.", "contextLength", False),
        ("validationException", "prompt is too long: 9 tokens > 8", "contextLength", False),
        ("accessDeniedException", "No", "permission", False),
        ("weirdException", "odd", "server", True),
    ],
)
def test_exceptions_keep_their_kind(kind: str, message: str, ours: str, retryable: bool) -> None:
    body = START + delta(0, text="par") + thrown(kind, message=message)
    answer, error, _ = answer_of(BedrockConverse(), body + USAGE)
    assert answer.text == "par"
    assert error is not None
    assert (error.kind, error.retryable, error.message) == (ours, retryable, message)


def test_error_frames_and_exceptions_without_a_message() -> None:
    failed = frame(b"", message_type="error", error_code="internalFailure", error_message="gone")
    _, error, _ = answer_of(BedrockConverse(), START + failed)
    assert error is not None
    assert (error.message, error.kind) == ("gone", "server")
    _, error, _ = answer_of(BedrockConverse(), thrown("throttlingException"))
    assert error is not None
    assert (error.message, error.kind) == ("throttlingException", "rateLimit")


@pytest.mark.parametrize(
    "broken",
    [
        frame(b"{nope", event_type="contentBlockDelta", message_type="event"),
        frame(b'{"delta":{"text":1}}', event_type="contentBlockDelta", message_type="event"),
        delta(7, toolUse={"input": "{}"}),
        b"\x00" * 16,
    ],
)
def test_what_is_not_the_format_is_malformed(broken: bytes) -> None:
    answer, error, _ = answer_of(BedrockConverse(), START + delta(0, text="ok") + broken)
    assert answer.text == "ok"
    assert isinstance(error, Malformed)


@pytest.mark.parametrize("cut", [b"", START, START + stop("end_turn")[:-1]])
def test_without_message_stop_it_is_truncated(cut: bytes) -> None:
    _, error, _ = answer_of(BedrockConverse(), cut)
    assert isinstance(error, Truncated)


# --- Unary answers and errors ---------------------------------------------------------------------


def test_a_unary_answer() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "UkVE"}},
        {"text": "A"},
        {
            "citationsContent": {
                "content": [{"text": "B"}],
                "citations": [{"location": {"web": {"url": "https://a.test"}}}],
            }
        },
        {"toolUse": {"toolUseId": "a", "name": "f", "input": {"x": 1}}},
        {"toolUse": {"toolUseId": "b", "name": "g", "input": {}}},
    ]
    answer = Accumulator()
    said = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    }
    answer.add(BedrockConverse().read_unary(json.dumps(said).encode()))
    response = answer.response()
    assert response.text == "AB"
    assert response.reasoning == [ReasoningState("hm", "c2ln"), ReasoningState("", "UkVE")]
    assert response.tool_calls == [ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", "{}")]
    assert response.citations == [Citation("https://a.test")]
    assert response.finish_reason == "toolCalls"
    assert response.usage is not None
    assert response.usage.total_tokens == 7


@pytest.mark.parametrize("body", [b"", b"{}", b'{"output":{}}', b"<html>"])
def test_an_unary_body_of_another_format_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        BedrockConverse().read_unary(body)


@pytest.mark.parametrize(
    ("status", "kind", "message", "ours"),
    [
        (400, "ValidationException", "Input is too long for requested model.", "contextLength"),
        (400, "ValidationException", "The provided model identifier is invalid.", "modelNotFound"),
        (400, "ValidationException", "text content blocks must be non-empty", "invalidRequest"),
        (400, "ServiceQuotaExceededException", "exceeds the service quota", "quota"),
        (403, "AccessDeniedException", "You don't have access", "permission"),
        (403, "UnrecognizedClientException", "The security token is invalid", "permission"),
        (404, "ResourceNotFoundException", "Could not resolve the model", "modelNotFound"),
        (429, "ThrottlingException", "Too many tokens, please wait", "rateLimit"),
        (500, "InternalServerException", "Oops", "server"),
        (503, "ServiceUnavailableException", "Bedrock is unable", "overloaded"),
    ],
)
def test_error_answers(status: int, kind: str, message: str, ours: str) -> None:
    headers = {
        "x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/",
        "x-amzn-requestid": "r-1",
    }
    body = json.dumps({"message": message}).encode()
    error = BedrockConverse().read_error(status, headers, body)
    assert (error.kind, error.status, error.request_id) == (ours, status, "r-1")
    assert error.message == message
