"""Cohere's own chat format, `/v2/chat`: bodies out; answers are read in `cohere_reader.py`.

A pure dialect. Source: docs.cohere.com, "Chat" and "Chat with Streaming" of API v2, "Reasoning",
"Structured Outputs", "Tool Use".
"""

from collections.abc import Mapping

import msgspec

from providers.dialects.base import Dialect, Reader
from providers.dialects.cohere_reader import PLAN, THINKING, CohereReader, read_whole
from providers.dialects.errors import error_of_answer
from providers.errors import ResponseError, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    ReasoningState,
    RequestOptions,
    StreamToken,
    Text,
    ToolDefinition,
)

Json = dict[str, object]

MOST_TOP_P = 0.99
"""`p` above this is a 400; left out it would be 0.75, and so further from what was asked for."""

EMPTY_RESULT = "(empty)"
IMAGE_OF_A_RESULT = "(an image, which a tool's result cannot carry here)"


class CohereProfile(msgspec.Struct, frozen=True):
    """What one model wants. `reasons`: it thinks, so that it is asked to and given its thoughts."""

    reasons: bool = True


class Cohere(Dialect):
    """`POST /v2/chat`."""

    framing = "sse"

    def __init__(self, profile: CohereProfile | None = None) -> None:
        self.profile = profile or CohereProfile()

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return "/v2/chat"

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> Json:
        if isinstance(request, CompletionRequest):
            if request.suffix is not None:
                raise Unsupported("suffix: Cohere has no filling in the middle")
            request = request.to_chat()
        body: Json = {"model": request.model, "stream": stream}
        body["messages"] = _messages(request, reasons=self.profile.reasons)
        sampling: Json = {
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "p": None if request.top_p is None else min(request.top_p, MOST_TOP_P),
            "stop_sequences": request.stop or None,
            "seed": request.seed,
        }
        body.update({name: value for name, value in sampling.items() if value is not None})
        _add_tools(body, request)
        _add_format(body, request)
        thinking = _thinking(request) if self.profile.reasons else None
        if thinking is not None:
            body["thinking"] = thinking
        return body

    def reader(self) -> Reader:
        return CohereReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_whole(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


# --- Tools, formats, reasoning ----------------------------------------------------------------


def _add_tools(body: Json, request: RequestOptions) -> None:
    """Add tools and choice. One certain tool is said as: only this one, and one is to be called."""
    tools, choice = request.tools, request.tool_choice
    if not tools:
        return
    if isinstance(choice, NamedTool):
        tools = [tool for tool in tools if tool.name == choice.name]
        if not tools:
            raise Unsupported(f"toolChoice: there is no tool `{choice.name}`")
    body["tools"] = [_tool(tool) for tool in tools]
    if isinstance(choice, NamedTool) or choice == "required":
        body["tool_choice"] = "REQUIRED"
    elif choice == "none":
        body["tool_choice"] = "NONE"


def _tool(tool: ToolDefinition) -> Json:
    function: Json = {"name": tool.name, "parameters": tool.parameters}
    if tool.description is not None:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _add_format(body: Json, request: RequestOptions) -> None:
    wanted = request.response_format
    if wanted is None or wanted == "text":
        return
    if request.tools:
        raise Unsupported("responseFormat: Cohere takes one only where there are no tools")
    made: Json = {"type": "json_object"}
    if isinstance(wanted, JsonSchema):
        made["json_schema"] = wanted.schema
    body["response_format"] = made


def _thinking(request: RequestOptions) -> Json | None:
    """Return `thinking`: it knows on, off and a budget of tokens, but no efforts."""
    asked = request.reasoning
    if asked is None or (asked.effort is None and asked.budget_tokens is None):
        return None
    budget = asked.budget_tokens
    if asked.effort == "none" or (budget is not None and budget <= 0):
        return {"type": "disabled"}
    return {"type": "enabled"} if budget is None else {"type": "enabled", "token_budget": budget}


# --- Messages ---------------------------------------------------------------------------------


def _messages(request: ChatRequest, *, reasons: bool) -> list[Json]:
    made: list[Json] = []
    if request.system:
        made.append({"role": "system", "content": request.system})
    for message in request.messages:
        match message.role:
            case "system":
                made.append({"role": "system", "content": _text(message.content)})
            case "user":
                made.append({"role": "user", "content": _user_content(message.content)})
            case "assistant":
                said = _assistant(message, reasons=reasons)
                if len(said) > 1:  # one that says nothing is a 400
                    made.append(said)
            case "tool":
                made.append(_result(message))
    return made


def _text(parts: list[Part]) -> str:
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def _user_content(parts: list[Part]) -> str | list[Json]:
    if not any(isinstance(part, Image) for part in parts):
        return _text(parts)
    content: list[Json] = []
    for part in parts:
        match part:
            case Text():
                content.append({"type": "text", "text": part.text})
            case Image():
                url = part.url or f"data:{part.mime_type};base64,{part.data}"
                content.append({"type": "image_url", "image_url": {"url": url}})
            case ReasoningState() | ExecutedCode():
                pass  # of an answer, and so never the user's
    return content


def _assistant(message: Message, *, reasons: bool) -> Json:
    """Return an earlier answer. Reasoning goes back as what it came as, marked by its `opaque`."""
    made: Json = {"role": "assistant"}
    states = [part for part in message.content if isinstance(part, ReasoningState) and part.text]
    content: list[Json] = [
        {"type": "thinking", "thinking": state.text}
        for state in states
        if reasons and state.opaque == THINKING
    ]
    text = _text(message.content)
    if content:
        made["content"] = [*content, {"type": "text", "text": text}] if text else content
    elif text:
        made["content"] = text
    if message.tool_calls:
        plan = "".join(state.text for state in states if state.opaque == PLAN)
        if plan:
            made["tool_plan"] = plan
        made["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _arguments(call.arguments)},
            }
            for call in message.tool_calls
        ]
    return made


def _arguments(text: str) -> str:
    """Return a call's arguments; a tool without parameters is called with "", or with `null`."""
    return "{}" if text.strip() in ("", "null") else text


def _result(message: Message) -> Json:
    texts = [part.text for part in message.content if isinstance(part, Text)]
    if any(isinstance(part, Image) for part in message.content):
        texts.append(IMAGE_OF_A_RESULT)
    return {
        "role": "tool",
        "tool_call_id": message.tool_call_id or "",
        "content": "\n".join(texts) or EMPTY_RESULT,
    }
