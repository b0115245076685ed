"""Responses: what is read of its events, however a service sends them, and what is sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import (
    InvalidRequest,
    Malformed,
    Quota,
    RateLimited,
    ServerFailed,
    Truncated,
    Unsupported,
)
from providers.types import (
    ChatRequest,
    Citation,
    CodeDelta,
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

RESPONSES = OpenAiResponses()
USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 15,
}
COUNTED = UsageReport(Usage(10, 5, 4, 0, 3, 15))
STOP = Finish("stop", "completed")


def ev(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def created() -> dict[str, Any]:
    return ev("created", response={"id": "r1", "model": "m", "status": "in_progress"})


def completed(*output: Any, kind: str = "completed", **more: Any) -> dict[str, Any]:
    response = {"id": "r1", "model": "m", "status": kind, "output": list(output), "usage": USAGE}
    return ev(kind, response={**response, **more})


def text(delta: str, output: int | None = 0, content: int = 0) -> dict[str, Any]:
    return ev("output_text.delta", delta=delta, output_index=output, content_index=content)


def message(*parts: Any) -> dict[str, Any]:
    content = [{"type": "output_text", "text": p} if isinstance(p, str) else p for p in parts]
    return {"type": "message", "role": "assistant", "content": content}


def called(
    arguments: Any = '{"x":1}', item_id: str = "fc", call_id: str = "a", name: str = "f"
) -> Any:
    return {
        "type": "function_call",
        "id": item_id,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def stream(*events: Any, named: bool = True) -> bytes:
    out = b""
    for event in events:
        if named and isinstance(event, dict):
            out += b"event: " + event["type"].encode() + b"\n"
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        out += b"data: " + data + b"\n\n"
    return out


def read(*events: Any, named: bool = True) -> list[StreamToken]:
    _, error, tokens = answer_of(RESPONSES, stream(*events, named=named))
    if error is not None:
        raise error
    assert tokens[0] == StreamStart("r1", "m")
    return tokens[1:]


@pytest.mark.parametrize("named", [True, False])
def test_text(named: bool) -> None:
    tokens = read(
        created(),
        ev("in_progress", response={"id": "r1"}),
        ev("output_item.added", output_index=0, item={"type": "message", "content": []}),
        text("Hel"),
        text(""),
        text("lo"),
        ev("output_text.done", output_index=0, content_index=0, text="Hello"),
        ev("content_part.done", output_index=0, content_index=0,
           part={"type": "output_text", "text": "Hello"}),
        ev("output_item.done", output_index=0, item=message("Hello")),
        completed(message("Hello")),
        named=named,
    )  # fmt: skip
    assert tokens == [TextDelta("Hel"), TextDelta("lo"), COUNTED, STOP]


@pytest.mark.parametrize(
    "events",
    [
        [ev("output_text.done", output_index=0, content_index=0, text="whole")],
        [ev("content_part.done", output_index=0, content_index=0,
            part={"type": "output_text", "text": "whole"})],
        [ev("output_item.done", output_index=0, item=message("whole"))],
        [ev("output_text.done", text="whole"), ev("output_item.done", item=message("whole"))],
        [],
        [ev("text.delta", delta="whole")],
    ],
)  # fmt: skip
def test_text_that_comes_whole_is_read_once(events: list[Any]) -> None:
    tokens = read(created(), *events, completed(message("whole")))
    assert "".join(t.text for t in tokens if isinstance(t, TextDelta)) == "whole"


def test_a_second_part_that_comes_whole() -> None:
    tokens = read(
        created(),
        text("a", 0),
        ev("output_item.done", output_index=0, item=message("a")),
        ev("output_item.done", output_index=1, item=message("b", "c")),
        completed(message("a"), message("b", "c")),
    )
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["a", "b", "c"]


def test_several_messages_in_the_terminal_event_only() -> None:
    tokens = read(created(), completed(message("a"), message("b", "c")))
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["a", "b", "c"]


def test_refusal() -> None:
    part = {"type": "refusal", "refusal": "I can't."}
    tokens = read(
        created(),
        ev("refusal.delta", delta="I can't.", output_index=0, content_index=0),
        ev("refusal.done", refusal="I can't.", output_index=0, content_index=0),
        completed(message(part)),
    )
    filtered = Finish("contentFilter", "completed")
    assert tokens == [TextDelta("I can't."), COUNTED, filtered]
    assert read(created(), completed(message(part))) == tokens


def test_tool_calls_that_interleave() -> None:
    tokens = read(
        created(),
        ev("output_item.added", output_index=0, item=called("", "fc1", "a", "f")),
        ev("output_item.added", output_index=1, item=called("", "fc2", "b", "g")),
        ev("function_call_arguments.delta", item_id="fc1", output_index=0, delta='{"x":'),
        ev("function_call_arguments.delta", item_id="fc2", output_index=1, delta="{}"),
        ev("function_call_arguments.delta", item_id="fc1", output_index=0, delta="1}"),
        ev("function_call_arguments.done", item_id="fc1", arguments='{"x":1}'),
        ev("output_item.done", output_index=0, item=called('{"x":1}', "fc1", "a", "f")),
        ev("output_item.done", output_index=1, item=called("{}", "fc2", "b", "g")),
        completed(called('{"x":1}', "fc1", "a", "f"), called("{}", "fc2", "b", "g")),
    )
    assert tokens == [
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(1, "b", "g"),
        ToolCallDelta(0, arguments='{"x":'),
        ToolCallDelta(1, arguments="{}"),
        ToolCallDelta(0, arguments="1}"),
        COUNTED,
        Finish("toolCalls", "completed"),
    ]


ADDED = ev("output_item.added", output_index=0, item=called(""))
ITEM_DONE = ev("output_item.done", output_index=0, item=called())
ARGUMENTS = ev("function_call_arguments.done", item_id="fc", output_index=0, arguments='{"x":1}')
DELTA = ev("function_call_arguments.delta", output_index=0, delta='{"x":1}')


@pytest.mark.parametrize(
    "events",
    [
        [ITEM_DONE],
        [ADDED, ARGUMENTS, ITEM_DONE],
        [ADDED, ITEM_DONE],
        [ADDED, {**DELTA, "item_id": "fc"}, ARGUMENTS, ITEM_DONE],
        [ADDED, DELTA, ITEM_DONE],
        [ADDED, {**DELTA, "item_id": "another"}, ITEM_DONE],
        [ev("output_item.added", output_index=0, item=called()), DELTA, ITEM_DONE],
        [ev("output_item.done", output_index=0, item=called({"x": 1}))],
        [],
    ],
)
@pytest.mark.parametrize("repeated", [True, False])
def test_a_tool_call_is_read_once_however_it_comes(events: list[Any], repeated: bool) -> None:
    if not events and not repeated:
        return
    body = stream(created(), *events, completed(*([called()] if repeated else [])))
    answer, error, _ = answer_of(RESPONSES, body)
    assert error is None
    assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == [("a", "f", '{"x":1}')]
    assert answer.finish_reason == "toolCalls"


def test_a_custom_tools_input_is_its_argument() -> None:
    item = {"type": "custom_tool_call", "id": "c", "call_id": "a", "name": "run", "input": "ls"}
    tokens = read(created(), ev("output_item.done", output_index=0, item=item), completed())
    assert tokens[:2] == [ToolCallDelta(0, "a", "run"), ToolCallDelta(0, arguments="ls")]


REASONING = {
    "type": "reasoning",
    "id": "rs",
    "summary": [{"type": "summary_text", "text": "hm"}],
    "encrypted_content": "ENC",
    "status": None,
}


@pytest.mark.parametrize(
    "events",
    [
        [ev("reasoning_summary_text.delta", output_index=0, delta="hm")],
        [ev("reasoning_text.delta", output_index=0, delta="hm")],
        [ev("reasoning_text.delta", delta="hm")],
        [],
    ],
)
@pytest.mark.parametrize("with_item", [True, False])
def test_reasoning_and_its_encrypted_item(events: list[Any], with_item: bool) -> None:
    place = {"output_index": events[0].get("output_index")} if events else {}
    done = [ev("output_item.done", item=REASONING, **place)] if with_item else []
    tokens = read(created(), *events, *done, completed(REASONING, message("x")))
    thought = [t for t in tokens if isinstance(t, ReasoningDelta)]
    assert "".join(t.text for t in thought) == "hm"
    (opaque,) = [t.opaque for t in thought if t.opaque is not None]
    assert json.loads(opaque) == REASONING
    turn = Message("assistant", [ReasoningState("hm", opaque), Text("x")])
    items: Any = RESPONSES.body(ChatRequest(messages=[turn]), stream=False)["input"]
    assert items[0] == {name: v for name, v in REASONING.items() if name != "status"}


def test_reasoning_without_encrypted_content_has_nothing_to_send_back() -> None:
    item = {**REASONING, "encrypted_content": None}
    tokens = read(created(), ev("output_item.done", output_index=0, item=item), completed())
    assert tokens[0] == ReasoningDelta("hm")
    assert not any(isinstance(t, ReasoningDelta) and t.opaque for t in tokens)


def test_code_and_citations() -> None:
    code = {
        "type": "code_interpreter_call",
        "id": "ci",
        "code": "print(1)",
        "outputs": [{"type": "logs", "logs": "1\n"}, {"type": "image", "url": "u"}],
    }
    cite = {"type": "url_citation", "url": "https://a", "title": "A"}
    part = {"type": "output_text", "text": "x", "annotations": [cite]}
    tokens = read(
        created(),
        ev("code_interpreter_call_code.delta", delta="print(1)", output_index=0),
        ev("output_item.done", output_index=0, item=code),
        text("x", 1),
        ev("output_text.annotation.added", annotation=cite, output_index=1),
        ev("output_item.done", output_index=1, item=message(part)),
        completed(code, message(part)),
    )
    assert tokens == [
        CodeDelta("python", "print(1)", "1\n"),
        TextDelta("x"),
        Citation("https://a", "A"),
        COUNTED,
        STOP,
    ]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", "length"), ("content_filter", "contentFilter"), ("odd", "other")],
)
def test_incomplete(reason: str, finish: Any) -> None:
    details = {"incomplete_details": {"reason": reason}}
    tokens = read(created(), text("x"), completed(message("x"), kind="incomplete", **details))
    assert tokens[-1] == Finish(finish, reason)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m"}, RateLimited),
        ({"type": "error", "error": {"type": "insufficient_quota", "message": "m"}}, Quota),
        (ev("failed", response={"status": "failed", "error": {"code": "server_error",
                                                              "message": "m"}}), ServerFailed),
        (ev("failed", error={"code": "rate_limit_exceeded", "message": "m"}), RateLimited),
        (ev("failed", response={"status": "failed", "error": {"code": "invalid_image_url",
                                                              "message": "m"}}), InvalidRequest),
        (ev("failed", response={"status": "failed", "error": None}), ServerFailed),
        (completed(status="failed", error={"code": "rate_limit_exceeded", "message": "m"}),
         RateLimited),
        ({"type": "x", "error": {"message": "m", "code": 429}}, RateLimited),
    ],
)  # fmt: skip
def test_errors_keep_their_kind(broken: Any, error: type[Exception]) -> None:
    answer, found, _ = answer_of(RESPONSES, stream(created(), text("par"), broken))
    assert type(found) is error
    assert answer.text == "par"


def test_the_end() -> None:
    tokens = read(created(), text("x"), completed(message("x")), b"[DONE]", text("late"))
    assert tokens[-1] == STOP
    with pytest.raises(Truncated):
        read(created(), text("x"), b"[DONE]")
    with pytest.raises(Malformed):
        read(created(), b"{nope")
    with pytest.raises(Malformed):
        read(created(), b'{"type":"response.output_text.delta","output_index":"x"}')


def test_unknown_events_are_skipped() -> None:
    tokens = read(
        created(),
        {"type": "keepalive"},
        ev("web_search_call.searching", item_id="w"),
        ev("audio_transcript.delta", delta="spoken"),
        ev("image_generation_call.partial_image", partial_image_b64="AAAA"),
        text("x"),
        completed(message("x")),
    )
    assert tokens == [TextDelta("x"), COUNTED, STOP]


def test_a_gateway_that_answers_with_chat_chunks() -> None:
    chunk = b'{"id":"c","choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}'
    body = stream(chunk, b"[DONE]", named=False)
    answer, error, tokens = answer_of(RESPONSES, body)
    assert (error, answer.text, answer.finish_reason) == (None, "x", "stop")
    assert isinstance(tokens[-1], Finish)
    cut = stream(b'{"id":"c","choices":[{"delta":{"content":"x"}}]}', named=False)
    assert isinstance(answer_of(RESPONSES, cut)[1], Truncated)


def test_lone_surrogates() -> None:
    body = stream(created(), text("a\ud83d"), text("\ude00"), completed(message("a\ud83d\ude00")))
    answer, error, _ = answer_of(RESPONSES, body)
    assert (error, answer.text) == (None, "a😀")


def test_a_whole_answer() -> None:
    whole = completed(REASONING, message("x"), called())["response"]
    tokens = RESPONSES.read_unary(json.dumps(whole).encode())
    assert tokens[0] == StreamStart("r1", "m")
    assert tokens[1] == ReasoningDelta("hm")
    assert isinstance(tokens[2], ReasoningDelta)
    assert tokens[3:] == [
        TextDelta("x"),
        ToolCallDelta(0, "a", "f"),
        ToolCallDelta(0, arguments='{"x":1}'),
        COUNTED,
        Finish("toolCalls", "completed"),
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"id":"x"}', b'{"output":7}', b"<html>"])
def test_a_whole_answer_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        RESPONSES.read_unary(body)


def test_a_whole_answer_with_an_error_keeps_its_kind() -> None:
    for body in (
        b'{"error":{"message":"m","code":"rate_limit_exceeded"}}',
        b'{"status":"failed","output":[],"error":{"message":"m","code":"rate_limit_exceeded"}}',
    ):
        with pytest.raises(RateLimited):
            RESPONSES.read_unary(body)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "response",
                        "output",
                        "item",
                        "delta",
                        "error",
                        "part",
                        "content",
                        "choices",
                        "arguments",
                        "status",
                        "annotation",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
    ),
    st.sampled_from(
        [
            "created",
            "completed",
            "output_item.done",
            "output_item.added",
            "failed",
            "function_call_arguments.delta",
            "content_part.done",
            "incomplete",
        ]
    ),
)
def test_any_json_is_read_or_refused(value: Any, kind: str) -> None:  # fmt: skip
    """Whatever comes, only errors of our own tree come out."""
    if isinstance(value, dict):
        value = {**value, "type": f"response.{kind}"}
    tokens_of(RESPONSES, [stream(created(), named=False) + stream(value, named=False)])


# --- What is sent -------------------------------------------------------------------------------


def request(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=list(messages) or [user(Text("Hi"))], **more)


def user(*parts: Any) -> Message:
    return Message("user", list(parts))


def sent(given: ChatRequest | CompletionRequest, stream: bool = False, **profile: Any) -> Any:
    body = RESPONSES.with_profile(**profile).body(given, stream=stream)
    return json.loads(json.dumps(body))


HI = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert sent(request()) == {"model": "m", "input": [HI], "store": False}
    assert sent(CompletionRequest(prompt="Hi"), True) == {
        "input": [HI],
        "store": False,
        "stream": True,
    }


def test_parameters() -> None:
    body = sent(request(system="S", max_tokens=5, temperature=0.0, top_p=0.5))
    assert body["instructions"] == "S"
    assert body["max_output_tokens"] == 5
    assert (body["temperature"], body["top_p"]) == (0.0, 0.5)
    without = sent(request(temperature=0.0), omit=frozenset({"temperature"}))
    assert "temperature" not in without


@pytest.mark.parametrize(("name", "value"), [("stop", ["x"]), ("seed", 1)])
def test_what_the_format_cannot_carry_is_named(name: str, value: Any) -> None:
    with pytest.raises(Unsupported, match=name):
        sent(request(**{name: value}))
    assert name not in sent(request(**{name: value}), omit=frozenset({name}))


def test_turns() -> None:
    items = sent(
        request(
            user(Text("See"), Image("image/png", "QUJD"), Image(url="https://x")),
            Message("assistant", [Text("Ok")], [ToolCall("call_1!", "f", "")]),
            Message("tool", [Text("a"), Image("image/png", "QUJD")], tool_call_id="call_1!"),
            Message("system", [Text("Now.")]),
        )
    )["input"]
    assert items == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
                {"type": "input_image", "image_url": "https://x"},
            ],
        },
        {"role": "assistant", "content": [{"type": "output_text", "text": "Ok"}]},
        {"type": "function_call", "call_id": "call_1_", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1_", "output": "a"},
        {"role": "developer", "content": [{"type": "input_text", "text": "Now."}]},
    ]


def test_images() -> None:
    given = request(user(Image(url="https://x")))
    with pytest.raises(Unsupported, match="images"):
        sent(given, images=False)
    part = sent(given, image_detail=True)["input"][0]["content"][0]
    assert part["detail"] == "auto"
    result = Message("tool", [Text("a"), Image(url="https://x")], tool_call_id="c")
    output = sent(request(result), tool_images=True)["input"][0]["output"]
    assert [part["type"] for part in output] == ["input_text", "input_image"]


@pytest.mark.parametrize("opaque", [None, "", "sig", "[]", '{"type":"thinking"}'])
def test_state_of_another_service_is_dropped(opaque: str | None) -> None:
    turn = Message("assistant", [ReasoningState("hm", opaque), Text("x")])
    (only,) = sent(request(turn))["input"]
    assert only["content"] == [{"type": "output_text", "text": "x"}]


def test_reasoning() -> None:
    body = sent(request(reasoning=Reasoning("high")))
    assert body["reasoning"] == {"effort": "high", "summary": "auto"}
    assert body["include"] == ["reasoning.encrypted_content"]
    assert sent(request(), default_effort="medium", summary=None)["reasoning"] == {
        "effort": "medium"
    }
    assert "include" in sent(request(), reasons=True)
    assert "reasoning" not in sent(request(), reasons=True)


def test_tools_and_formats() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    tools = [ToolDefinition("f", schema, "d"), ToolDefinition("mcp--x", schema)]
    body = sent(request(tools=tools, tool_choice=NamedTool("f")))
    strict, mcp = body["tools"]
    assert strict == {
        "type": "function",
        "name": "f",
        "description": "d",
        "strict": True,
        "parameters": {**schema, "required": ["a"], "additionalProperties": False},
    }
    assert (mcp["strict"], mcp["parameters"]) == (False, {**schema, "additionalProperties": False})
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert "tool_choice" not in sent(request(tool_choice="auto"))
    body = sent(request(response_format=JsonSchema("n", schema)), verbosity="low")
    assert body["text"] == {
        "verbosity": "low",
        "format": {"type": "json_schema", "name": "n", "schema": schema, "strict": False},
    }
    assert sent(request(response_format="json"))["text"] == {"format": {"type": "json_object"}}
    assert "text" not in sent(request(response_format="text"))


def test_a_user_who_says_nothing() -> None:
    (said,) = sent(request(user()))["input"]
    assert said["content"] == [{"type": "input_text", "text": ""}]
