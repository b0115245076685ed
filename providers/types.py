"""Requests, responses and the one event union that every provider speaks.

Nothing here knows a wire format or an editor. Token structs are `gc=False`: they hold strings and
numbers only, so the collector never has to look at them (`docs/adr` says what that saves).
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from providers.errors import Attempt, ProviderError

FinishReason = Literal["stop", "length", "toolCalls", "contentFilter", "other"]


class Struct(msgspec.Struct):
    """Base of the plain records of this package."""


NO_HEADERS: Mapping[str, str] = MappingProxyType({})
NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class CallTrace:
    """One upstream request: when it must be over, and what happened on the wire meanwhile.

    Times are of the running loop's clock, in seconds; None until it happened. `headers` are the
    answer's, with lower-case names, until the rate limiter has learned from them. `fresh`: no
    connection of an earlier request is to be used. `key`: which of the provider's keys is to be
    used, None for any.
    """

    __slots__ = ("deadline", "first_byte_at", "fresh", "headers", "key", "sent_at", "status")

    def __init__(self, deadline: float | None = None, *, fresh: bool = False) -> None:
        self.deadline = deadline
        self.fresh = fresh
        self.key: int | None = None
        self.sent_at: float | None = None
        self.first_byte_at: float | None = None
        self.status: int | None = None
        self.headers: Mapping[str, str] = NO_HEADERS


# --- What a request is made of -------------------------------------------------


class Text(Struct, tag="text", gc=False):
    text: str


class Image(Struct, tag="image", gc=False):
    """An image: base64 `data` with its `mime_type`, or a `url`."""

    mime_type: str | None = None
    data: str | None = None
    url: str | None = None


class ReasoningState(Struct, tag="reasoning", gc=False):
    """Reasoning of an earlier answer; `opaque` goes back to the provider untouched."""

    text: str
    opaque: str | None = None


class ExecutedCode(Struct, tag="code", gc=False):
    """Code that the provider ran itself; never part of an answer's text."""

    language: str
    code: str
    output: str | None = None


Part = Text | Image | ReasoningState | ExecutedCode


class ToolCall(Struct, gc=False):
    """`arguments` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str
    opaque: str | None = None


class Message(Struct):
    """One turn. `content` is always a list of parts; `tool_*` fields belong to role `tool`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: list[Part]
    tool_calls: list[ToolCall] = []
    tool_call_id: str | None = None
    is_error: bool = False


class ToolDefinition(Struct):
    """`parameters` is a JSON Schema object."""

    name: str
    parameters: dict[str, object]
    description: str | None = None


class NamedTool(Struct, gc=False):
    """Tool choice: this tool and no other."""

    name: str


class Reasoning(Struct, gc=False):
    effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    budget_tokens: int | None = None


class JsonSchema(Struct):
    """Structured output: the answer's text is JSON of this schema."""

    name: str
    schema: dict[str, object]


class RequestOptions(Struct, kw_only=True):
    """What a completion and a chat request have in common. None means: do not send it."""

    model: str = ""
    system: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    tools: Sequence[ToolDefinition] = ()
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    reasoning: Reasoning | None = None
    response_format: Literal["text", "json"] | JsonSchema | None = None
    cache: bool = True
    # For the manager keyed by provider; for a provider its own, merged into the body deeply, last.
    provider_options: Mapping[str, Any] = NO_OPTIONS
    trace: CallTrace | None = None


class ChatRequest(RequestOptions, kw_only=True):
    """A conversation."""

    messages: list[Message]


class CompletionRequest(RequestOptions, kw_only=True):
    """A prompt; with `suffix`, the text to be filled in stands between the two (FIM).

    `raw`: the prompt is for the model as it is, no conversation is made of it.
    """

    prompt: str
    suffix: str | None = None
    raw: bool = False

    def to_chat(self) -> ChatRequest:
        """Return the same request as a conversation of one user message (`suffix` is dropped)."""
        # Written out: made from a dictionary of its fields it would take seven times longer.
        return ChatRequest(
            messages=[Message("user", [Text(self.prompt)])],
            model=self.model,
            system=self.system,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            stop=self.stop,
            seed=self.seed,
            tools=self.tools,
            tool_choice=self.tool_choice,
            reasoning=self.reasoning,
            response_format=self.response_format,
            cache=self.cache,
            provider_options=self.provider_options,
            trace=self.trace,
        )


# --- What an answer is made of ---------------------------------------------------


class Usage(Struct, gc=False):
    """Tokens. `input_tokens` includes cache reads and writes, `output_tokens` reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0


class StreamStart(Struct, gc=False):
    """First event of an upstream answer: its id and the model that answers ("" when not said)."""

    id: str
    model: str


class TextDelta(Struct, gc=False):
    """Never empty."""

    text: str


class ReasoningDelta(Struct, gc=False):
    """`opaque` completes the reasoning block it comes with; `text` may then be empty."""

    text: str
    opaque: str | None = None


class ToolCallDelta(Struct, gc=False):
    """A fragment of the call at `index` (counted per answer from 0, in order of appearance).

    `id` and `name` come once, with the first fragment; `arguments` and `opaque` are concatenated.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    opaque: str | None = None


class CodeDelta(Struct, gc=False):
    """A whole block of code that the provider ran."""

    language: str
    code: str
    output: str | None = None


class Citation(Struct, gc=False):
    url: str
    title: str | None = None


class UsageReport(Struct):
    """Replaces what an earlier report of the same answer said. `cost_usd`: the provider's own."""

    usage: Usage
    cost_usd: float | None = None


class Finish(Struct, gc=False):
    """The answer is whole. `raw` is the provider's own word for it."""

    reason: FinishReason
    raw: str | None = None


StreamToken = (
    StreamStart
    | TextDelta
    | ReasoningDelta
    | ToolCallDelta
    | CodeDelta
    | Citation
    | UsageReport
    | Finish
)


class CompletionResponse(Struct, kw_only=True):
    """A whole answer: what `complete` and `chat` return, and what a stream adds up to."""

    id: str = ""
    model: str = ""
    text: str = ""
    reasoning: list[ReasoningState] = []
    tool_calls: list[ToolCall] = []
    citations: list[Citation] = []
    code: list[ExecutedCode] = []
    finish_reason: FinishReason = "other"
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    cost_usd: float | None = None


# --- What the manager adds -------------------------------------------------------------


class RetryNotice(Struct):
    """A request failed and is tried again, or elsewhere, after `wait` seconds.

    `provider` and `model` are those that failed; `attempt` counts from 1.
    """

    provider: str
    model: str
    attempt: int
    wait: float
    error: ProviderError


class Started(Struct, gc=False):
    """First event of a (new) upstream answer, with the name of the provider that gives it."""

    id: str
    provider: str
    model: str


class Timing(Struct, gc=False):
    """Milliseconds since the request was accepted; `dispatch_ms` leaves out queueing."""

    dispatch_ms: float = 0.0
    first_token_ms: float = 0.0
    total_ms: float = 0.0


class Cost(Struct, gc=False):
    """`estimate`: the answer was cut short before any usage came."""

    usd: float
    source: Literal["provider", "catalog", "estimate"]


class Outcome(Struct):
    """What a request came to. `response.text` is whole, streamed or not."""

    provider: str
    model: str
    response: CompletionResponse
    usage: Usage
    cost: Cost | None
    timing: Timing
    attempts: list[Attempt]


ManagerToken = StreamToken | Started | RetryNotice
"""What the manager's stream yields: `StreamStart` is replaced by `Started`."""
