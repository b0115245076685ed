"""`vscode-lm`: models that the editor itself has, asked through the editor.

How the editor is asked is behind the port `EditorModels` (`vendors.context`): this file knows no
JSON-RPC. Without an editor that announced it, nothing can be asked, and it says so.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import msgspec

from providers.accumulate import Accumulator
from providers.base import (
    AiProvider,
    HealthStatus,
    Model,
    ProviderCapabilities,
    TokenCount,
    TokenStream,
)
from providers.errors import NotConfigured, TimedOut, Unsupported
from providers.estimate import estimate_tokens
from providers.settings import ProviderSettings
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Message,
    StreamToken,
)
from providers.vendors.context import EditorModels, ProviderContext


class VsCodeLm(AiProvider):
    """One request to the editor per answer; a unary one is a stream that was collected."""

    kind = "vscode-lm"

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        self._name = name
        self._context = context
        self.model = settings.model or ""  # "": the editor's own choice

    @property
    def name(self) -> str:
        return self._name

    def key_source(self) -> str | None:
        return "the editor's own login"

    def capabilities(self) -> ProviderCapabilities:
        model = self._context.catalog.find(self.kind, self.model) if self.model else None
        if model is None:
            return ProviderCapabilities()
        most = model.max_output_tokens or 4096
        return ProviderCapabilities(most, True, model.features.tools, model.features.vision)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        """Return the catalog's models: what the editor really has depends on its user's plan."""
        return self._context.catalog.models(self.kind, self._name)

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        return TokenCount(estimate_tokens(messages), "estimate")

    async def health_check(self) -> HealthStatus:
        """Say whether there is an editor to ask; "unknown" if so: nothing cheap can be asked."""
        if self._context.editor_models is None:
            return HealthStatus("unhealthy", error=_nobody())
        return HealthStatus("unknown")

    # --- requests -----------------------------------------------------------------------------

    async def complete(self, request: CompletionRequest) -> CompletionResponse:
        return await self.chat(_as_chat(request))

    def complete_stream(self, request: CompletionRequest) -> TokenStream:
        return self.chat_stream(_as_chat(request))

    async def chat(self, request: ChatRequest) -> CompletionResponse:
        answer = Accumulator()
        async with contextlib.aclosing(self.chat_stream(request)) as stream:
            async for tokens in stream:
                answer.add(tokens)
        return answer.response()

    async def chat_stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        editor = self._editor()
        _refuse(request)
        clock = asyncio.get_running_loop().time
        asked = msgspec.structs.replace(request, model=request.model or self.model)
        timeouts, trace = self._context.timeouts, request.trace
        if trace is not None:
            trace.sent_at = clock()
        patience = timeouts.first_byte
        async with contextlib.aclosing(editor.ask(asked)) as answer:
            while True:
                tokens = await self._next(answer, patience, request)
                if tokens is None:
                    return
                if trace is not None and trace.first_byte_at is None:
                    trace.first_byte_at = clock()
                patience = timeouts.idle
                yield tokens

    async def _next(
        self, answer: TokenStream, patience: float, request: ChatRequest
    ) -> list[StreamToken] | None:
        until = asyncio.get_running_loop().time() + patience
        deadline = request.trace.deadline if request.trace is not None else None
        late = deadline is not None and deadline < until
        try:
            async with asyncio.timeout_at(deadline if late else until):
                return await anext(answer, None)
        except TimeoutError:
            phase = "total" if late else "idle"
            raise TimedOut(f"{self._name}: nothing came from the editor", phase=phase) from None

    def _editor(self) -> EditorModels:
        editor = self._context.editor_models
        if editor is None:
            raise _nobody()
        return editor


def _nobody() -> NotConfigured:
    return NotConfigured(
        "this editor offers no models of its own (a client offers them with the capability "
        "`experimental.aiSidecar.lm`, as the VS Code extension does)"
    )


def _as_chat(request: CompletionRequest) -> ChatRequest:
    if request.suffix is not None:
        raise Unsupported("suffix: models of the editor do not fill in the middle")
    return request.to_chat()


def _refuse(request: ChatRequest) -> None:
    """Raise for what the request to the editor has no field for and must not be lost silently."""
    if request.tools and request.tool_choice not in (None, "auto", "none"):
        raise Unsupported("toolChoice: a model of the editor cannot be made to call a tool")
    if request.response_format not in (None, "text"):
        raise Unsupported("responseFormat: models of the editor have no structured output")
    for name, given in (("stop", request.stop), ("seed", request.seed)):
        if given:
            raise Unsupported(f"{name}: a request to the editor has no field for it")
    if request.provider_options:
        raise Unsupported("providerOptions: a request to the editor has no body to merge them into")
