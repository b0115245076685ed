"""`AiProvider`: the nine things every provider can do, and what it says about itself."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar, Literal

import msgspec

from providers.errors import ResponseError
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Message,
    StreamToken,
    Struct,
)

TokenStream = AsyncGenerator[list[StreamToken], None]
"""What a streaming call yields: all the tokens that one read of the socket brought, never an empty
list. Close it (`aclose`, or cancel the task that reads it) and the upstream socket is closed."""


class RateLimits(msgspec.Struct, gc=False, frozen=True):
    """The provider's published tier, as information only."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class ProviderCapabilities(Struct):
    """`max_tokens` is the largest answer of the provider's default model, in tokens."""

    max_tokens: int = 4096
    streaming: bool = True
    functions: bool = True
    vision: bool = True
    embeddings: bool = False
    rate_limits: RateLimits = RateLimits()


class ModelFeatures(msgspec.Struct, gc=False, frozen=True):
    """`fim`: it fills in between prompt and suffix.

    `continues`: it goes on from a raw prompt better than it converses.
    """

    streaming: bool = True
    tools: bool = False
    vision: bool = False
    reasoning: bool = False
    prompt_cache: bool = False
    fim: bool = False
    continues: bool = False


class Price(Struct, gc=False):
    """US dollars per million tokens; None: tokens of the cache cost what others cost.

    A request whose whole prompt is larger than `beyond_tokens` costs `beyond` instead.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write: float | None = None
    beyond_tokens: int | None = None
    beyond: "Price | None" = None


class Model(Struct):
    """`context_window` and `max_output_tokens` in tokens; None when nobody says.

    `retired`: known, but no longer served by the service that made it. `asked_at`: when the service
    listed it, in seconds since 1970; None for what is in the catalog or was asked for just now.
    """

    id: str
    provider: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    features: ModelFeatures = ModelFeatures()
    price: Price | None = None
    source: Literal["catalog", "live"] = "catalog"
    retired: bool = False
    asked_at: float | None = None


class HealthStatus(Struct):
    """`latency_ms` of the question asked; `detail` says in one sentence what is wrong."""

    status: Literal["healthy", "degraded", "unhealthy", "unknown"]
    latency_ms: float | None = None
    error: Exception | None = None


class TokenCount(Struct, gc=False):
    tokens: int
    method: Literal["tokenizer", "api", "estimate"]


class AiProvider(ABC):
    """One configured provider. Every method raises `ProviderError`s only, cancellation aside."""

    base_url: str = ""
    model: str = ""  # what answers when a request names no model; "" if nobody knows one
    key_count: int = 1  # so many keys of one request may be refused before it fails
    starts_a_program: ClassVar[bool] = False
    """Whether each request starts a program: seconds of a whole core. Nothing is then asked for
    that nobody waits for. `registry.starts_a_program` says it without the class."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name it is configured under."""

    def fit_keys(self) -> Sequence[int]:
        """Return the numbers of its keys that may be used now; empty if all rest or are refused."""
        return ()

    def key_source(self) -> str | None:
        """Return where its key comes from ("env OPENAI_API_KEY"), never the key."""
        return None

    def works_as_it_is(self) -> bool:
        """Say whether it answers though nobody configured it. A look at the disk, no more."""
        return False

    async def recover(self, error: ResponseError) -> bool:
        """Say whether, after `error`, the same request is worth sending again at once.

        True when something was changed that `error` complained about: a key was resolved anew, or
        the endpoint was found not to know a parameter. Each cause is answered with true once only.
        """
        return False

    async def aclose(self) -> None:  # noqa: B027 (most providers hold nothing of their own)
        """Let go of what the provider itself holds (a child process); connections are shared."""

    @abstractmethod
    async def health_check(self) -> HealthStatus:
        """Ask the service now, with the cheapest request it has. Never raises `ProviderError`."""

    @abstractmethod
    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        """Answer a prompt with the service's unary request."""

    @abstractmethod
    def complete_stream(self, request: CompletionRequest) -> TokenStream:
        """Answer a prompt as a stream."""

    @abstractmethod
    async def chat(self, request: ChatRequest) -> CompletionResponse:
        """Answer a conversation with the service's unary request."""

    @abstractmethod
    def chat_stream(self, request: ChatRequest) -> TokenStream:
        """Answer a conversation as a stream."""

    @abstractmethod
    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        """Return the catalog's models, or with `refresh` those the service lists now."""

    @abstractmethod
    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Return how many tokens `messages` are for `model`, and how that was found."""

    @abstractmethod
    def capabilities(self) -> ProviderCapabilities:
        """Return what the provider can do at all; a model may do less."""
