"""A provider that plays a script: which batches come, when, and how it ends.

It is registered like any other kind, so the real manager, handlers and connection run above it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

from providers.accumulate import Accumulator
from providers.base import AiProvider, HealthStatus, Model, ProviderCapabilities, TokenCount
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Finish,
    Message,
    StreamStart,
    StreamToken,
    TextDelta,
    Usage,
    UsageReport,
)
from providers.vendors.context import ProviderContext

KIND = "tests.sidecar.scripted:ScriptedProvider"
Script = Callable[[ChatRequest | CompletionRequest], AsyncGenerator[list[StreamToken], None]]

scripts: dict[str, Script] = {}
"""Model name -> script. Filled by the tests."""


class Gate:
    """A script waits here until the test lets it go on; it tells what it has done."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.reached = asyncio.Event()
        self.closed = asyncio.Event()
        self.pulled = 0


def start() -> list[StreamToken]:
    return [StreamStart("r-1", "m-1")]


def end() -> list[StreamToken]:
    return [UsageReport(Usage(3, 4, total_tokens=7)), Finish("stop")]


def says(*batches: list[str]) -> Script:
    """A script of text: each list is what one read of the socket brought."""

    async def script(request: ChatRequest | CompletionRequest):
        yield start()
        for texts in batches:
            await asyncio.sleep(0)
            yield [TextDelta(text) for text in texts]
        yield end()

    return script


class ScriptedProvider(AiProvider):
    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        self._name = name
        self._context = context
        self.model = settings.model or "default"

    @property
    def name(self) -> str:
        return self._name

    def _play(self, request: ChatRequest | CompletionRequest):
        self._context.on_status(self._name, "")
        return scripts[request.model](request)

    async def _whole(self, request: ChatRequest | CompletionRequest) -> CompletionResponse:
        answer = Accumulator()
        async for tokens in self._play(request):
            answer.add(tokens)
        return answer.response()

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self._whole(request)

    def complete_stream(self, request: CompletionRequest):
        return self._play(request)

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        return await self._whole(request)

    def chat_stream(self, request: ChatRequest):
        return self._play(request)

    async def health_check(self) -> HealthStatus:
        return HealthStatus("healthy", 1.0)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        return [Model(name, self._name) for name in scripts]

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(len(messages), "api")

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities()
