"""Chat Completions: what is sent, after a profile of what the service wants."""

import json
from typing import Any

import pytest

from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.errors import Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
)

CHAT = OpenAiChat()


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


def test_a_user_who_says_nothing() -> None:
    assert sent(request(user()))["messages"] == [{"role": "user", "content": ""}]
