"""A prompt made a conversation is the same request."""

from typing import Any

from providers.types import (
    CallTrace,
    CompletionRequest,
    Message,
    NamedTool,
    Reasoning,
    RequestOptions,
    Text,
    ToolDefinition,
)


def test_a_prompt_as_a_conversation_keeps_every_option() -> None:
    options: dict[str, Any] = {
        "model": "m",
        "system": "be short",
        "max_tokens": 1,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop": ["end"],
        "seed": 7,
        "tools": [ToolDefinition("t", {})],
        "tool_choice": NamedTool("t"),
        "reasoning": Reasoning("low"),
        "response_format": "json",
        "cache": False,
        "provider_options": {"x": 1},
        "trace": CallTrace(),
    }
    assert options.keys() == set(RequestOptions.__struct_fields__)
    chat = CompletionRequest(prompt="hi", suffix="dropped", **options).to_chat()
    assert chat.messages == [Message("user", [Text("hi")])]
    assert {name: getattr(chat, name) for name in options} == options
