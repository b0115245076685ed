"""The params, results, progress values and error data of the `ai/*` methods.

One struct per type of docs/protocol.md. Field names are snake_case here and
camelCase on the wire. Optional results are left out of the JSON when absent;
a field that is ``null`` on the wire says so in its type.

A request's unknown fields are ignored by msgspec; `sidecar.unknown_fields` logs
them once per name.

Longer than other files, because it is the one page of all that an editor sees.
"""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, UnsetType

FinishReason = Literal["stop", "length", "toolCalls", "contentFilter", "other"]

ErrorKind = Literal[
    "authentication",
    "permission",
    "quota",
    "rateLimit",
    "overloaded",
    "contextLength",
    "contentFilter",
    "invalidRequest",
    "modelNotFound",
    "providerNotFound",
    "notConfigured",
    "network",
    "timeout",
    "malformedStream",
    "truncatedStream",
    "circuitOpen",
    "budgetExceeded",
    "server",
]

ProgressToken = str | int


class Wire(msgspec.Struct, rename="camel", omit_defaults=True):
    """Base of everything that is read from or written to the editor."""


# --- Parts and messages ------------------------------------------------------


class TextPart(Wire, tag="text", tag_field="type", gc=False):
    text: str


class ImagePart(Wire, tag="image", tag_field="type", gc=False):
    """An image, as base64 `data` with its `mime_type`, or as a `url`: exactly one of the two."""

    mime_type: str | None = None
    data: str | None = None
    url: str | None = None

    def __post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            raise ValueError("an image part has either `data` with `mimeType`, or `url`")
        if self.data is not None and not self.mime_type:
            raise ValueError("an image part with `data` needs `mimeType`")


class ReasoningPart(Wire, tag="reasoning", tag_field="type", gc=False):
    """A model's reasoning; `opaque` goes back to the provider it came from, untouched."""

    text: str
    opaque: str | None = None


class CodePart(Wire, tag="code", tag_field="type", gc=False):
    """Code the provider executed; not part of the answer's text."""

    language: str
    code: str
    output: str | None = None


Part = TextPart | ImagePart | ReasoningPart | CodePart


class ToolCall(Wire):
    """A call the model asks for; `arguments` is JSON text, kept as the model wrote it."""

    id: str
    name: str
    arguments: str
    opaque: str | None = None


class SystemMessage(Wire, tag="system", tag_field="role"):
    content: str | list[Part]


class UserMessage(Wire, tag="user", tag_field="role"):
    content: str | list[Part]


class AssistantMessage(Wire, tag="assistant", tag_field="role"):
    content: str | list[Part] = ""
    tool_calls: list[ToolCall] | None = None


class ToolMessage(Wire, tag="tool", tag_field="role"):
    tool_call_id: str
    content: str | list[Part]
    is_error: bool | None = None


Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage


# --- Params ------------------------------------------------------------------


class ToolDefinition(Wire):
    """`parameters` is a JSON Schema object, passed on as it came."""

    name: str
    parameters: dict[str, Any]
    description: str | None = None


class NamedToolChoice(Wire):
    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedToolChoice


class Reasoning(Wire):
    effort: Literal["none", "minimal", "low", "medium", "high"] | None = None
    budget_tokens: int | None = None


class TextFormat(Wire, tag="text", tag_field="type"):
    pass


class JsonFormat(Wire, tag="json", tag_field="type"):
    pass


class JsonSchemaFormat(Wire, tag="jsonSchema", tag_field="type"):
    name: str
    schema: dict[str, Any]


ResponseFormat = TextFormat | JsonFormat | JsonSchemaFormat


class CompletionParams(Wire):
    """Params of `ai/complete` and `ai/stream`: exactly one of `prompt` and `messages`."""

    prompt: str | None = None
    messages: list[Message] | None = None
    system: str | None = None
    provider: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] | None = None
    seed: int | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: ToolChoice | None = None
    reasoning: Reasoning | None = None
    response_format: ResponseFormat | None = None
    cache: bool = True
    fallback: list[str] | None = None
    timeout_ms: int | None = None
    provider_options: dict[str, dict[str, Any]] | None = None
    work_done_token: ProgressToken | None = None
    partial_result_token: ProgressToken | None = None


class ModelsParams(Wire):
    provider: str | None = None
    refresh: bool = False


class ProvidersParams(Wire):
    pass


class HealthParams(Wire):
    provider: str | None = None
    live: bool = False


class CountTokensParams(Wire):
    """Exactly one of `text` and `messages`."""

    text: str | None = None
    messages: list[Message] | None = None
    provider: str | None = None
    model: str | None = None


class MetricsParams(Wire):
    pass


# --- Results -----------------------------------------------------------------


class Usage(Wire, omit_defaults=False, gc=False):
    """Tokens. `input_tokens` includes cache reads and writes, `output_tokens` reasoning."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0


class Cost(Wire):
    usd: float
    source: Literal["provider", "catalog", "estimate"]


class Timing(Wire, omit_defaults=False, gc=False):
    """Milliseconds. `dispatch_ms` leaves out queueing."""

    dispatch_ms: float
    first_token_ms: float
    total_ms: float


class PartialAnswer(Wire):
    text: str


class Attempt(Wire):
    """One upstream request; the last one of a request that succeeded has no `error`."""

    provider: str
    model: str
    ms: float
    error: "ErrorData | None" = None


class ErrorData(Wire):
    """`data` of a −32803 error."""

    kind: ErrorKind
    retryable: bool
    provider: str | None = None
    model: str | None = None
    status: int | None = None
    request_id: str | None = None
    retry_after_ms: int | None = None
    partial: PartialAnswer | None = None
    attempts: list[Attempt] | None = None


class CitationItem(Wire):
    url: str
    title: str | None = None


class CodeItem(Wire):
    language: str
    code: str
    output: str | None = None


class CompletionResult(Wire):
    """Result of `ai/complete` and `ai/stream`.

    `text` is empty when it was all sent as progress. `cost` is null when unknown, never 0 for that.
    """

    id: str
    provider: str
    model: str
    text: str
    finish_reason: FinishReason
    usage: Usage
    cost: Cost | None
    timing: Timing
    attempts: list[Attempt]
    reasoning: list[ReasoningPart] | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    citations: list[CitationItem] | UnsetType = UNSET
    code: list[CodeItem] | UnsetType = UNSET


class ModelSupports(Wire, omit_defaults=False):
    streaming: bool = True
    tools: bool = False
    vision: bool = False
    reasoning: bool = False
    prompt_cache: bool = False
    fim: bool = False


class ModelPrice(Wire):
    """US dollars per million tokens."""

    input_per_m_tok: float = msgspec.field(name="inputPerMTok")
    output_per_m_tok: float = msgspec.field(name="outputPerMTok")
    cache_read_per_m_tok: float | None = msgspec.field(name="cacheReadPerMTok", default=None)
    cache_write_per_m_tok: float | None = msgspec.field(name="cacheWritePerMTok", default=None)


class ModelInfo(Wire, omit_defaults=False):
    """`context_window` and `max_output_tokens` are null when neither service nor catalog says."""

    id: str
    provider: str
    context_window: int | None
    max_output_tokens: int | None
    supports: ModelSupports
    source: Literal["catalog", "live"]
    price: ModelPrice | UnsetType = UNSET


class ModelsResult(Wire):
    models: list[ModelInfo]


class RateLimitInfo(Wire):
    """A provider's published tier, as information only."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class Capabilities(Wire, omit_defaults=False):
    max_tokens: int
    streaming: bool
    functions: bool
    vision: bool
    embeddings: bool
    rate_limits: RateLimitInfo


class RateState(Wire, omit_defaults=False):
    """`limit` and `remaining` are requests per minute, null while none is known."""

    limit: int | None = None
    remaining: int | None = None
    in_flight: int = 0


class ProviderInfo(Wire, omit_defaults=False):
    id: str
    kind: str
    configured: bool
    is_default: bool
    base_url: str
    capabilities: Capabilities
    circuit: Literal["closed", "open", "halfOpen"]
    rate: RateState
    key_source: str | UnsetType = UNSET
    cooldown_ms: int | UnsetType = UNSET
    config_error: str | UnsetType = UNSET


class ProvidersResult(Wire):
    providers: list[ProviderInfo]


class ProviderHealth(Wire):
    id: str
    status: Literal["healthy", "degraded", "unhealthy", "unknown"]
    latency_ms: float | None = None
    error: ErrorData | None = None


class HealthResult(Wire):
    providers: list[ProviderHealth]


class CountTokensResult(Wire):
    tokens: int
    method: Literal["tokenizer", "api", "estimate"]


class Percentiles(Wire, omit_defaults=False):
    """Milliseconds; 0 while nothing was measured."""

    p50: float = 0.0
    p95: float = 0.0
    p99: float = 0.0


class ConnectionCounts(Wire, omit_defaults=False):
    opened: int = 0
    reused: int = 0


class ProviderMetrics(Wire, omit_defaults=False):
    id: str
    requests: int
    ok: int
    cancelled: int
    errors: dict[str, int]
    retries: int
    failovers: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    dispatch_ms: Percentiles
    first_token_ms: Percentiles
    connections: ConnectionCounts


class InlineMetrics(Wire, omit_defaults=False):
    """Completions while typing: how many were asked for, and what became of those given."""

    requests: int = 0
    shown: int = 0
    accepted: int = 0
    partly_accepted: int = 0


class MetricsResult(Wire, omit_defaults=False):
    """`inline` is there once a completion was asked for."""

    uptime_ms: int
    rss_bytes: int
    providers: list[ProviderMetrics]
    inline: InlineMetrics | UnsetType = UNSET


# --- Progress values of ai/stream ---------------------------------------------


class StartProgress(Wire, tag="start", tag_field="kind", gc=False):
    id: str
    provider: str
    model: str


class TextProgress(Wire, tag="text", tag_field="kind", gc=False):
    text: str


class ReasoningProgress(Wire, tag="reasoning", tag_field="kind", gc=False):
    text: str
    opaque: str | None = None


class ToolCallProgress(Wire, tag="toolCall", tag_field="kind", gc=False):
    """A fragment: concatenate `arguments` (and `opaque`) of equal `index`."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str | None = None
    opaque: str | None = None


class CodeProgress(Wire, tag="code", tag_field="kind", gc=False):
    language: str
    code: str
    output: str | None = None


class CitationProgress(Wire, tag="citation", tag_field="kind", gc=False):
    url: str
    title: str | None = None


class RetryProgress(Wire, tag="retry", tag_field="kind"):
    """`provider` and `model` are those that failed; `attempt` counts from 1."""

    provider: str
    model: str
    attempt: int
    wait_ms: int
    error: ErrorData


ProgressValue = (
    StartProgress
    | TextProgress
    | ReasoningProgress
    | ToolCallProgress
    | CodeProgress
    | CitationProgress
    | RetryProgress
)

PROGRESS_KINDS: tuple[str, ...] = (
    "start",
    "text",
    "reasoning",
    "toolCall",
    "code",
    "citation",
    "retry",
)


# --- Beside ai/* ----------------------------------------------------------------


class StatusParams(Wire):
    """Params of the `ai/didChangeStatus` notification."""

    busy: bool
    kind: Literal["Normal", "Warning", "Error", "Inactive"]
    message: str
    provider: str | UnsetType = UNSET
    model: str | UnsetType = UNSET
    tokens: int | UnsetType = UNSET
    cost_usd: float | UnsetType = UNSET


class LmRequestParams(Wire):
    """Params of the `ai/lm/request` request to the client. `id` is that of the request itself."""

    id: str
    messages: list[Message]
    model: str | None = None
    tools: list[ToolDefinition] | None = None
    max_tokens: int | None = None


class LmDelta(Wire):
    """Params of the client's `ai/lm/delta`: a piece of text, a tool call, or both."""

    id: str
    text: str | None = None
    tool_call: ToolCall | None = None


class LmUsage(Wire):
    """What the editor knows of an answer's tokens; what it leaves out is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class LmError(Wire):
    """`kind` as in `ErrorData`; one that is missing or not of that list counts as `server`."""

    message: str
    kind: str | None = None


class LmEnd(Wire):
    """Params of the client's `ai/lm/end`: the answer is whole, or, with `error`, has failed."""

    id: str
    usage: LmUsage | None = None
    error: LmError | None = None


# --- JSON-RPC envelopes ----------------------------------------------------------


class Envelope(msgspec.Struct, gc=False):
    """Any incoming message, its payloads left undecoded."""

    jsonrpc: str = ""
    method: str | UnsetType = UNSET
    id: int | str | UnsetType | None = UNSET
    params: Raw = msgspec.field(default_factory=lambda: Raw(b"{}"))
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET
