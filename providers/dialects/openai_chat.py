"""Chat Completions, the format that most services speak: bodies out, answers in.

What differs from service to service, and from model to model, is a `ChatProfile`; choosing one is
the vendor's business. https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from providers.dialects.base import Dialect, Framing, Reader
from providers.dialects.errors import error_of_answer
from providers.dialects.openai_chat_reader import ChatReader
from providers.dialects.openai_messages import MessageProfile, messages_of
from providers.dialects.tool_schema import MCP_PREFIX, SchemaStyle, is_strict, strict_schema
from providers.errors import ResponseError, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    JsonSchema,
    NamedTool,
    Reasoning,
    StreamToken,
    ToolDefinition,
)

ReasoningStyle = Literal["effort", "openrouter", "thinking", "enable_thinking", "none"]
"""`effort`: `reasoning_effort` (OpenAI). `openrouter`: `reasoning: {effort | max_tokens}`.
`thinking`: `thinking: {type: enabled | disabled}` (DeepSeek, Z.ai, Moonshot). `enable_thinking`:
with `thinking_budget` (DashScope). `none`: nothing is sent."""

BUDGET_EFFORT = ((2048, "low"), (8192, "medium"))
"""Where a budget of tokens must be said as an effort: up to this many tokens, this effort."""


class ChatProfile(MessageProfile, frozen=True, kw_only=True):
    """What a service, or one of its models, wants in a request.

    `omit` names body fields that are never sent: what the model refuses (`temperature`, `top_p`,
    `seed`, `stop`, …). `parallel_tool_calls` is sent with tools where it is not None. `schemas`:
    how tools' schemas are made strict. `response_formats`: whether schemas, only plain JSON, or
    neither can be asked for. `extra` is merged into every body, `stream_extra` into those of
    streams. `think_tags` and `keep_details` are about reading: see `ChatReader`.
    """

    path: str = "/chat/completions"
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seed: Literal["seed", "random_seed"] = "seed"
    stream_options: bool = True
    omit: frozenset[str] = frozenset()
    schemas: SchemaStyle = "strict"
    parallel_tool_calls: bool | None = None
    response_formats: Literal["schema", "json", "none"] = "schema"
    reasoning_style: ReasoningStyle = "effort"
    extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    stream_extra: dict[str, Any] = msgspec.field(default_factory=dict[str, Any])
    think_tags: bool = False
    keep_details: bool = False


class OpenAiChat(Dialect):
    """The dialect. `with_profile` gives another one for one model or one request."""

    framing: Framing = "sse"

    def __init__(self, profile: ChatProfile | None = None) -> None:
        self.profile = profile or ChatProfile()

    def with_profile(self, **changes: Any) -> "OpenAiChat":
        """Return a dialect whose profile differs in `changes`."""
        return OpenAiChat(msgspec.structs.replace(self.profile, **changes))

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return self.profile.path

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        profile = self.profile
        chat = request.to_chat() if isinstance(request, CompletionRequest) else request
        body: dict[str, object] = {"messages": messages_of(chat, profile)}
        if chat.model:
            body["model"] = chat.model
        sampling = {
            profile.max_tokens: chat.max_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "stop": chat.stop,
            profile.seed: chat.seed,
        }
        body.update({name: value for name, value in sampling.items() if value is not None})
        if stream:
            body["stream"] = True
            if profile.stream_options:
                body["stream_options"] = {"include_usage": True}
        if chat.tools:
            _add_tools(body, chat, profile)
        if chat.response_format is not None:
            _add_format(body, chat, profile)
        if chat.reasoning is not None:
            _add_reasoning(body, chat.reasoning, profile.reasoning_style)
        body.update(profile.extra)
        if stream:
            for name, value in profile.stream_extra.items():
                body.setdefault(name, value)
        for name in profile.omit:
            body.pop(name, None)
        return body

    def reader(self) -> Reader:
        profile = self.profile
        return ChatReader(keep_details=profile.keep_details, think_tags=profile.think_tags)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        profile = self.profile
        reader = ChatReader(keep_details=profile.keep_details, think_tags=profile.think_tags)
        return reader.read_whole(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


# --- Tools, formats, reasoning --------------------------------------------------------------


def _add_tools(body: dict[str, object], request: ChatRequest, profile: ChatProfile) -> None:
    body["tools"] = [
        {"type": "function", "function": function_of(tool, profile.schemas)}
        for tool in request.tools
    ]
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif choice is not None:
        body["tool_choice"] = choice
    if profile.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = profile.parallel_tool_calls


def function_of(tool: ToolDefinition, schemas: SchemaStyle) -> dict[str, Any]:
    """Return a tool as `function` object."""
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    if schemas != "plain":
        function["strict"] = not tool.name.startswith(MCP_PREFIX)
        if function["strict"]:
            nullable = schemas == "strict_nullable"
            function["parameters"] = strict_schema(tool.parameters, nullable=nullable)
    return function


def _add_format(body: dict[str, object], request: ChatRequest, profile: ChatProfile) -> None:
    wanted = request.response_format
    if wanted == "text":
        return
    if profile.response_formats == "none":
        raise Unsupported("responseFormat: this service has no structured output")
    if not isinstance(wanted, JsonSchema):
        body["response_format"] = {"type": "json_object"}
        return
    if profile.response_formats == "json":
        raise Unsupported("responseFormat: this service takes `json`, but no schema")
    schema: dict[str, Any] = {"name": wanted.name, "schema": wanted.schema}
    if is_strict(wanted.schema):
        schema["strict"] = True
    body["response_format"] = {"type": "json_schema", "json_schema": schema}


def effort_of(reasoning: Reasoning) -> str | None:
    """Return the effort that is asked for, or that a budget of tokens comes nearest to."""
    if reasoning.effort is not None:
        return reasoning.effort
    if reasoning.budget_tokens is None:
        return None
    budget = reasoning.budget_tokens
    return next((effort for limit, effort in BUDGET_EFFORT if budget <= limit), "high")


def _add_reasoning(body: dict[str, object], reasoning: Reasoning, style: ReasoningStyle) -> None:
    effort, budget = reasoning.effort, reasoning.budget_tokens
    match style:
        case "effort":
            if (wanted := effort_of(reasoning)) is not None:
                body["reasoning_effort"] = wanted
        case "openrouter":
            if effort == "none":
                body["reasoning"] = {"enabled": False}
            elif budget is not None:
                body["reasoning"] = {"max_tokens": budget}
            elif effort is not None:
                body["reasoning"] = {"effort": effort}
        case "thinking":
            body["thinking"] = {"type": "disabled" if effort == "none" else "enabled"}
        case "enable_thinking":
            body["enable_thinking"] = effort != "none"
            if budget is not None and effort != "none":
                body["thinking_budget"] = budget
        case "none":
            pass
