"""Responses, OpenAI's current format: bodies out, answers in.

Nothing is stored at the service: reasoning comes back to us encrypted and goes back with the next
request. https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from providers.dialects.base import Dialect, Framing, Reader
from providers.dialects.call_ids import CallIdStyle, call_id
from providers.dialects.errors import error_of_answer
from providers.dialects.openai_chat import effort_of, function_of
from providers.dialects.openai_responses_reader import ResponsesReader
from providers.dialects.tool_schema import SchemaStyle, closed_schema, is_strict
from providers.errors import Malformed, ResponseError, Unsupported
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
    StreamToken,
    Text,
)
from providers.wire import json_text

Json = dict[str, Any]
Body = dict[str, object]
_OBJECT: msgspec.json.Decoder[Json] = msgspec.json.Decoder(Json)


class ResponsesProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What a service, or one of its models, wants in a request.

    `reasons`: the model reasons, so its encrypted reasoning is asked for. `default_effort` is sent
    where the request names none; `summary` None asks for no summary. `message_type`: assistant
    messages say `type: message` (xAI). `tool_images`: whether images of a tool's result go along.
    `cache_retention` is sent where the request allows caching. `omit` names body fields that are
    never sent; `extra` is merged into every body.
    """

    path: str = "/responses"
    reasons: bool = False
    default_effort: str | None = None
    summary: Literal["auto", "concise", "detailed"] | None = "auto"
    verbosity: Literal["low", "medium", "high"] | None = None
    omit: frozenset[str] = frozenset()
    schemas: SchemaStyle = "strict_nullable"
    call_ids: CallIdStyle = "openai"
    parallel_tool_calls: bool | None = None
    message_type: bool = False
    image_detail: bool = False
    images: bool = True
    tool_images: bool = False
    text_separator: str = ""
    empty_tool_result: str = ""
    cache_retention: str | None = None
    extra: Json = msgspec.field(default_factory=dict[str, Any])


class OpenAiResponses(Dialect):
    """The dialect. `with_profile` gives another one for one model or one request."""

    framing: Framing = "sse"

    def __init__(self, profile: ResponsesProfile | None = None) -> None:
        self.profile = profile or ResponsesProfile()

    def with_profile(self, **changes: Any) -> "OpenAiResponses":
        """Return a dialect whose profile differs in `changes`."""
        return OpenAiResponses(msgspec.structs.replace(self.profile, **changes))

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return self.profile.path

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        """Return the body. `stop` and `seed` are not in this format: use Chat Completions."""
        profile = self.profile
        chat = request.to_chat() if isinstance(request, CompletionRequest) else request
        for name, value in (("stop", chat.stop), ("seed", chat.seed)):
            if value is not None and name not in profile.omit:
                raise Unsupported(f"{name}: the Responses API has no such parameter")
        body: dict[str, object] = {"input": input_items(chat, profile), "store": False}
        plain = {
            "model": chat.model or None,
            "instructions": chat.system,
            "max_output_tokens": chat.max_tokens,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "stream": stream or None,
            "prompt_cache_retention": profile.cache_retention if chat.cache else None,
        }
        body.update({name: value for name, value in plain.items() if value is not None})
        _add_reasoning(body, chat, profile)
        _add_tools(body, chat, profile)
        _add_text(body, chat, profile)
        body.update(profile.extra)
        for name in profile.omit:
            body.pop(name, None)
        return body

    def reader(self) -> Reader:
        return ResponsesReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return ResponsesReader().read_whole(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)


# --- Input items ------------------------------------------------------------------------------


def input_items(request: ChatRequest, profile: ResponsesProfile) -> list[Json]:
    """Return the conversation as input items. Raises `Unsupported` for images not taken."""
    items: list[Json] = []
    for message in request.messages:
        match message.role:
            case "system":
                items.append({"role": "developer", "content": _input(message.content, profile)})
            case "user":
                items.append({"role": "user", "content": _input(message.content, profile)})
            case "assistant":
                _assistant(message, profile, items)
            case "tool":
                items.append(_tool_output(message, profile))
    return items


def _input(parts: list[Part], profile: ResponsesProfile) -> list[Json]:
    content: list[Json] = []
    for part in parts:
        match part:
            case Text():
                content.append({"type": "input_text", "text": part.text})
            case Image():
                content.append(_image(part, profile))
            case ReasoningState() | ExecutedCode():
                pass  # of an answer, and so never the user's
    # The API refuses a message of no parts, not one of no text.
    return content or [{"type": "input_text", "text": ""}]


def _image(image: Image, profile: ResponsesProfile) -> Json:
    if not profile.images:
        raise Unsupported("messages: this model takes no images")
    url = image.url or f"data:{image.mime_type};base64,{image.data}"
    item: Json = {"type": "input_image", "image_url": url}
    if profile.image_detail:
        item["detail"] = "auto"
    return item


def _assistant(message: Message, profile: ResponsesProfile, items: list[Json]) -> None:
    texts: list[Json] = []

    def flush() -> None:
        if texts:
            kind: Json = {"type": "message"} if profile.message_type else {}
            items.append({**kind, "role": "assistant", "content": texts.copy()})
            texts.clear()

    for part in message.content:
        if isinstance(part, Text):
            if part.text:
                texts.append({"type": "output_text", "text": part.text})
        elif isinstance(part, ReasoningState):
            item = _reasoning_item(part.opaque)
            if item is not None:
                flush()
                items.append(item)
    flush()
    items.extend(
        {
            "type": "function_call",
            "call_id": call_id(call.id, profile.call_ids),
            "name": call.name,
            "arguments": call.arguments or "{}",
        }
        for call in message.tool_calls
    )


def _reasoning_item(opaque: str | None) -> Json | None:
    """Return the reasoning item as it came; state that another provider gave is none."""
    if opaque is None:
        return None
    try:
        item = json_text.decode(_OBJECT, opaque.encode("utf-8", "replace"))
    except Malformed:
        return None
    if item.get("type") != "reasoning":
        return None
    # A null or a status in an item is refused on the way back.
    item = {name: value for name, value in item.items() if value is not None and name != "status"}
    item.setdefault("summary", [])
    return item


def _tool_output(message: Message, profile: ResponsesProfile) -> Json:
    texts = [part.text for part in message.content if isinstance(part, Text)]
    images = [part for part in message.content if isinstance(part, Image)]
    output: str | list[Json] = profile.text_separator.join(texts) or profile.empty_tool_result
    if images and profile.tool_images:
        output = _input(message.content, profile)
    return {
        "type": "function_call_output",
        "call_id": call_id(message.tool_call_id or "", profile.call_ids),
        "output": output,
    }


# --- Parameters ---------------------------------------------------------------------------------


def _add_reasoning(
    body: dict[str, object], request: ChatRequest, profile: ResponsesProfile
) -> None:
    effort = effort_of(request.reasoning) if request.reasoning is not None else None
    effort = effort or profile.default_effort
    if effort is not None:
        reasoning: Json = {"effort": effort}
        if profile.summary is not None:
            reasoning["summary"] = profile.summary
        body["reasoning"] = reasoning
    if effort is not None or profile.reasons:
        body["include"] = ["reasoning.encrypted_content"]


def _add_tools(body: Body, request: ChatRequest, profile: ResponsesProfile) -> None:
    if not request.tools:
        return
    tools: list[Json] = []
    for tool in request.tools:
        function: Json = {"type": "function", **function_of(tool, profile.schemas)}
        if profile.schemas == "strict_nullable" and not function["strict"]:
            function["parameters"] = closed_schema(tool.parameters)
        tools.append(function)
    body["tools"] = tools
    choice = request.tool_choice
    if isinstance(choice, NamedTool):
        body["tool_choice"] = {"type": "function", "name": choice.name}
    elif choice is not None:
        body["tool_choice"] = choice
    if profile.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = profile.parallel_tool_calls


def _add_text(body: Body, request: ChatRequest, profile: ResponsesProfile) -> None:
    text: Json = {}
    wanted = request.response_format
    if isinstance(wanted, JsonSchema):
        text["format"] = {
            "type": "json_schema",
            "name": wanted.name,
            "schema": wanted.schema,
            "strict": is_strict(wanted.schema),
        }
    elif wanted == "json":
        text["format"] = {"type": "json_object"}
    if profile.verbosity is not None:
        text["verbosity"] = profile.verbosity
    if text:
        body["text"] = text
