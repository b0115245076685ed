"""`mock`: the whole `AiProvider` interface, scripted, without any network: for tests of clients.

The script is chosen by the model's name:

- `echo` (the default) answers with the last message's text, a word at a time;
- `error-KIND` (`error-rateLimit`, `error-server`, …) fails with an error of that kind;
- `break-N` breaks the stream after N words of an echo; `slow-N` waits N milliseconds before each;
- `tools` calls the first tool of the request with empty arguments.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from typing import get_args

from providers.accumulate import Accumulator
from providers.base import (
    AiProvider,
    HealthStatus,
    Model,
    ModelFeatures,
    ProviderCapabilities,
    TokenCount,
    TokenStream,
)
from providers.errors import ErrorKind, InvalidRequest, ProviderError, ResponseError, Truncated
from providers.estimate import estimate_tokens, tokens_of_text
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Finish,
    Message,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from providers.vendors.context import ProviderContext

_MODELS = ("echo", "tools", "slow-10", "break-2", "error-server")
_RETRYABLE = ("rateLimit", "overloaded", "server", "network", "timeout")


class MockProvider(AiProvider):
    """Answers from its model's name; see the head of this file."""

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        self._name = name
        self.model = settings.model or "echo"

    @property
    def name(self) -> str:
        return self._name

    async def health_check(self) -> HealthStatus:
        return HealthStatus("healthy", 0.0)

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(max_tokens=4096, vision=False)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        features = ModelFeatures(tools=True)
        return [Model(model, self._name, 8192, 4096, features) for model in _MODELS]

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(estimate_tokens(messages), "estimate")

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self.chat(request.to_chat())

    def complete_stream(self, request: CompletionRequest) -> TokenStream:
        return self.chat_stream(request.to_chat())

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        answer = Accumulator()
        async for tokens in self.chat_stream(request):
            answer.add(tokens)
        return answer.response()

    async def chat_stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        model = request.model or self.model
        if match := re.fullmatch(r"error-(\w+)", model):
            raise _error(match[1])
        limit, delay = _number("break", model), _number("slow", model) or 0
        yield [StreamStart("mock-1", model)]
        if model == "tools" and request.tools:
            yield [ToolCallDelta(0, "call_mock_1", request.tools[0].name, "{}")]
        else:
            for index, word in enumerate(re.findall(r"\S+\s*|\s+", _last_text(request))):
                if index == limit:
                    raise Truncated("the scripted stream broke off")
                await asyncio.sleep(delay / 1000)
                yield [TextDelta(word)]
        yield _end(request, "toolCalls" if model == "tools" and request.tools else "stop")


def _end(request: ChatRequest, reason: "str") -> list[StreamToken]:
    read, written = estimate_tokens(request.messages), tokens_of_text(_last_text(request))
    usage = Usage(input_tokens=read, output_tokens=written, total_tokens=read + written)
    return [UsageReport(usage), Finish("toolCalls" if reason == "toolCalls" else "stop", reason)]


def _last_text(request: ChatRequest) -> str:
    parts = request.messages[-1].content if request.messages else []
    return "".join(part.text for part in parts if isinstance(part, Text))


def _number(word: str, model: str) -> int | None:
    match = re.fullmatch(rf"{word}-(\d+)", model)
    return int(match[1]) if match else None


def _error(kind: str) -> ProviderError:
    kinds: tuple[ErrorKind, ...] = get_args(ErrorKind)
    for known in kinds:
        if known == kind:
            return ResponseError(
                f"a scripted error of kind {kind}", kind=known, retryable=known in _RETRYABLE
            )
    return InvalidRequest(f"model: expected error-KIND with one of {', '.join(kinds)}, got {kind}")
