"""The fields of Chat Completions answers that we read, and the finish table.

Every field is tolerant of null and everything else in an answer is skipped, so that additions to
the API break nothing. https://platform.openai.com/docs/api-reference/chat
"""

from typing import Any, Literal

import msgspec

from providers.dialects.openai_usage import WireUsage
from providers.types import FinishReason


class WireFunction(msgspec.Struct, gc=False):
    """`arguments` is JSON text; some services send the object itself."""

    name: str | None = None
    arguments: str | dict[str, Any] | list[Any] | None = None


class WireCustom(msgspec.Struct, gc=False):
    """A call whose input is free text."""

    name: str | None = None
    input: str | None = None


class WireToolCall(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | int | None = None
    function: WireFunction | None = None
    custom: WireCustom | None = None


class WireAnnotation(msgspec.Struct, gc=False):
    type: str | None = None
    url_citation: dict[str, Any] | None = None


class Delta(msgspec.Struct, gc=False):
    """`content` is text, or a list of parts (Mistral), or an object (Cloudflare)."""

    content: str | list[Any] | dict[str, Any] | None = None
    tool_calls: list[WireToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Any] | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    refusal: str | None = None
    function_call: WireFunction | None = None
    annotations: list[WireAnnotation] | None = None


class Choice(msgspec.Struct, gc=False):
    delta: Delta | None = None
    finish_reason: str | None = None
    index: int | None = None
    message: Delta | None = None
    error: Any = None


class SearchResult(msgspec.Struct, gc=False):
    url: str | None = None
    title: str | None = None


class XGroq(msgspec.Struct, gc=False):
    usage: WireUsage | None = None
    error: Any = None


class Chunk(msgspec.Struct, gc=False):
    """One event of a stream, or a whole answer."""

    choices: list[Choice] | None = None
    usage: WireUsage | None = None
    id: str | int | None = None
    model: str | None = None
    error: Any = None
    x_groq: XGroq | None = None
    citations: list[Any] | None = None
    search_results: list[SearchResult] | None = None


class PlainDelta(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    content: str
    role: str | None = None
    refusal: None = None
    tool_calls: None = None
    reasoning_content: None = None
    reasoning: None = None


class PlainChoice(msgspec.Struct, gc=False):
    delta: PlainDelta
    finish_reason: None = None
    index: Literal[0] = 0
    error: None = None


class PlainChunk(msgspec.Struct, gc=False):
    """The event that almost all events are: some text, and nothing else that we would read.

    What decodes as this needs no looking at; what does not is decoded as a `Chunk`.
    """

    choices: tuple[PlainChoice]
    usage: None = None
    error: None = None
    x_groq: None = None
    citations: None = None
    search_results: None = None


FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",  # Mistral: the context window is full
    "model_context_window_exceeded": "length",  # Z.ai
    "tool_calls": "toolCalls",
    "tool_call": "toolCalls",
    "tool_use": "toolCalls",
    "function_call": "toolCalls",
    "content_filter": "contentFilter",
    "content_filtered": "contentFilter",
    "sensitive": "contentFilter",  # Z.ai
    "safety": "contentFilter",
    "recitation": "contentFilter",
    "refusal": "contentFilter",
    "guardrail_intervened": "contentFilter",
}
"""The rest is "other": "error", DeepSeek's "insufficient_system_resource", vLLM's "abort"."""


def finish_reason(raw: str | None, *, refused: bool) -> FinishReason:
    """Return our word for the service's; a refusal is a content filter's work, whatever it says."""
    if refused:
        return "contentFilter"
    return FINISH.get(raw.lower(), "other") if raw else "other"
