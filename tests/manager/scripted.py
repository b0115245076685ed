"""A provider that does what a script says, one entry per upstream request."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from providers.base import AiProvider, HealthStatus, Model, ProviderCapabilities, TokenCount
from providers.errors import ProviderError, ResponseError
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.run import Run
from providers.settings import ProvidersConfig
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Finish,
    ManagerToken,
    Message,
    RetryNotice,
    Started,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
)

HANG = "hang"
Step = StreamToken | ProviderError | str
Script = Sequence[Step]

ANSWER: Script = (StreamStart("r1", "m"), TextDelta("Hello"), TextDelta(" world"), Finish("stop"))


class ScriptedProvider(AiProvider):
    """Every request takes the next script; the last one repeats. `HANG` waits for ever."""

    model = "m"

    def __init__(self, name: str, scripts: Sequence[Script], recoveries: int = 0) -> None:
        self._name = name
        self._scripts = list(scripts)
        self._recoveries = recoveries
        self.requests: list[ChatRequest] = []
        self.open = 0

    @property
    def name(self) -> str:
        return self._name

    async def chat_stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        self.requests.append(request)
        script = self._scripts[min(len(self.requests), len(self._scripts)) - 1]
        self.open += 1
        try:
            for step in script:
                if isinstance(step, ProviderError):
                    raise step
                if isinstance(step, str):
                    await asyncio.Event().wait()
                else:
                    yield [step]
        finally:
            self.open -= 1

    def complete_stream(
        self, request: CompletionRequest
    ) -> AsyncGenerator[list[StreamToken], None]:
        return self.chat_stream(request.to_chat())

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        text = ""
        async for tokens in self.chat_stream(request):
            text += "".join(t.text for t in tokens if isinstance(t, TextDelta))
        return CompletionResponse(id="r1", model="m", text=text, finish_reason="stop")

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self.chat(request.to_chat())

    async def recover(self, error: ResponseError) -> bool:
        self._recoveries -= 1
        return self._recoveries >= 0

    async def health_check(self) -> HealthStatus:
        return HealthStatus("healthy", 1.0)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        return [Model("m", self._name)]

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(1, "estimate")

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities()


def manager_of(config: ProvidersConfig, *providers: ScriptedProvider) -> ProviderManager:
    """A manager whose registry already holds `providers` (as tables of kind `mock`)."""
    manager = ProviderManager(config, environ={})
    for provider in providers:
        manager._registry._made[provider.name] = provider
    return manager


def ask(text: str = "hi") -> ChatRequest:
    return ChatRequest(messages=[Message("user", [Text(text)])])


async def gather(run: Run) -> list[ManagerToken]:
    return [token async for tokens in run for token in tokens]


def text_of(tokens: list[ManagerToken]) -> str:
    return "".join(t.text for t in tokens if isinstance(t, TextDelta))


__all__ = [
    "ANSWER",
    "HANG",
    "RetryNotice",
    "ScriptedProvider",
    "Started",
    "Target",
    "ask",
    "gather",
    "manager_of",
    "text_of",
]
