"""From the editor's params to the providers' requests: the only place where requests are converted.

msgspec has checked types by then; what is checked here are ranges and what belongs together. Every
error names the field as the client wrote it and what was expected.
"""

from typing import Literal, get_args

from protocol import ai
from providers.errors import ErrorKind, ResponseError
from providers.manager import Target
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    ReasoningState,
    StreamToken,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolDefinition,
    Usage,
)
from sidecar.envelope import InvalidParams

MAX_TEMPERATURE = 2.0
"""The largest any provider of the mission takes."""


def request(params: ai.CompletionParams) -> tuple[ChatRequest | CompletionRequest, Target]:
    """Return the request and where it wants to go. Raises `InvalidParams`."""
    _check(params)
    wanted: ChatRequest | CompletionRequest
    if params.messages is not None:
        wanted = ChatRequest(messages=messages(params.messages))
    else:
        wanted = CompletionRequest(prompt=params.prompt or "")
    wanted.system = params.system
    wanted.max_tokens = params.max_tokens
    wanted.temperature = params.temperature
    wanted.top_p = params.top_p
    wanted.stop = params.stop or None  # services refuse an empty list
    wanted.seed = params.seed
    if params.tools:
        wanted.tools = [ToolDefinition(t.name, t.parameters, t.description) for t in params.tools]
    if params.tool_choice is not None:
        wanted.tool_choice = _tool_choice(params.tool_choice)
    if params.reasoning is not None:
        wanted.reasoning = Reasoning(params.reasoning.effort, params.reasoning.budget_tokens)
    if params.response_format is not None:
        wanted.response_format = _response_format(params.response_format)
    wanted.cache = params.cache
    if params.provider_options:
        wanted.provider_options = params.provider_options
    target = Target(
        provider=params.provider,
        model=params.model,
        fallback=params.fallback,
        timeout=None if params.timeout_ms is None else params.timeout_ms / 1000,
    )
    return wanted, target


def count_request(params: ai.CountTokensParams) -> tuple[list[Message], Target]:
    """Return what is to be counted, and for which model. Raises `InvalidParams`."""
    if (params.text is None) == (params.messages is None):
        raise InvalidParams("text", "expected exactly one of text and messages")
    target = Target(provider=params.provider, model=params.model)
    if params.messages is not None:
        return messages(params.messages), target
    return [Message("user", [Text(params.text or "")])], target


def messages(given: list[ai.Message]) -> list[Message]:
    """Return the conversation."""
    return [_message(message) for message in given]


def _message(message: ai.Message) -> Message:
    content = message.content
    parts: list[Part] = (
        ([Text(content)] if content else [])
        if isinstance(content, str)
        else [_part(part) for part in content]
    )
    match message:
        case ai.ToolMessage(tool_call_id, _, is_error):
            return Message("tool", parts, tool_call_id=tool_call_id, is_error=bool(is_error))
        case ai.AssistantMessage(_, calls):
            tool_calls = [ToolCall(c.id, c.name, c.arguments, c.opaque) for c in calls or ()]
            return Message("assistant", parts, tool_calls=tool_calls)
        case ai.SystemMessage():
            return Message("system", parts)
        case ai.UserMessage():
            return Message("user", parts)


def _part(part: ai.Part) -> Part:
    match part:
        case ai.TextPart(text):
            return Text(text)
        case ai.ImagePart(mime_type, data, url):
            return Image(mime_type, data, url)
        case ai.ReasoningPart(text, opaque):
            return ReasoningState(text, opaque)
        case ai.CodePart(language, code, output):
            return ExecutedCode(language, code, output)


def _tool_choice(choice: ai.ToolChoice) -> Literal["auto", "none", "required"] | NamedTool:
    return NamedTool(choice.name) if isinstance(choice, ai.NamedToolChoice) else choice


def _response_format(wanted: ai.ResponseFormat) -> Literal["text", "json"] | JsonSchema:
    match wanted:
        case ai.TextFormat():
            return "text"
        case ai.JsonFormat():
            return "json"
        case ai.JsonSchemaFormat(name, schema):
            return JsonSchema(name, schema)


# --- answers of the editor's own models ---------------------------------------------------------

_KINDS: tuple[ErrorKind, ...] = get_args(ErrorKind)
_MAY_SUCCEED_LATER = frozenset({"rateLimit", "overloaded", "network", "timeout", "server"})


def lm_tokens(delta: ai.LmDelta, index: int) -> list[StreamToken]:
    """Return what a delta brings; `index` is that of its tool call."""
    tokens: list[StreamToken] = [TextDelta(delta.text)] if delta.text else []
    if (call := delta.tool_call) is not None:
        tokens.append(ToolCallDelta(index, call.id, call.name, call.arguments))
    return tokens


def lm_usage(said: ai.LmUsage) -> Usage:
    """Return the usage; what the editor does not know counts as none."""
    read, written = said.input_tokens or 0, said.output_tokens or 0
    return Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def lm_error(said: ai.LmError) -> ResponseError:
    """Return the error that an answer of the editor's model ended with."""
    kind: ErrorKind = "server"
    for known in _KINDS:
        if known == said.kind:
            kind = known
    return ResponseError(said.message, kind=kind, retryable=kind in _MAY_SUCCEED_LATER)


# --- checks ---------------------------------------------------------------------------------


def _check(params: ai.CompletionParams) -> None:
    if (params.prompt is None) == (params.messages is None):
        given = "neither" if params.prompt is None else "both"
        raise InvalidParams("prompt", f"expected exactly one of prompt and messages, got {given}")
    if params.messages is not None and not params.messages:
        raise InvalidParams("messages", "expected at least one message")
    if params.max_tokens is not None:
        _at_least("maxTokens", params.max_tokens, 1)
    if params.timeout_ms is not None:
        _at_least("timeoutMs", params.timeout_ms, 1)
    if params.temperature is not None:
        _within("temperature", params.temperature, 0.0, MAX_TEMPERATURE)
    if params.top_p is not None:
        _within("topP", params.top_p, 0.0, 1.0)
    if params.reasoning is not None and params.reasoning.budget_tokens is not None:
        _at_least("reasoning.budgetTokens", params.reasoning.budget_tokens, 0)
    if params.stop or params.fallback or params.tools:
        _check_lists(params)
    for field, value in (("provider", params.provider), ("model", params.model)):
        if value == "":
            raise InvalidParams(field, "expected a name, got an empty string")


def _check_lists(params: ai.CompletionParams) -> None:
    _no_empty("stop", params.stop or [])
    _no_empty("fallback", params.fallback or [])
    _no_empty("tools", [tool.name for tool in params.tools or ()], part=".name")


def _at_least(field: str, value: int, least: int) -> None:
    if value < least:
        raise InvalidParams(field, f"expected an integer of at least {least}, got {value}")


def _within(field: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise InvalidParams(field, f"expected a number from {least:g} to {most:g}, got {value:g}")


def _no_empty(field: str, values: list[str], part: str = "") -> None:
    for index, value in enumerate(values):
        if not value:
            raise InvalidParams(f"{field}[{index}]{part}", "expected a non-empty string")
