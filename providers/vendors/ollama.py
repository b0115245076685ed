"""Ollama: its own format (`/api/chat`), or with `api = "chat"` the OpenAI one it serves beside it.

https://docs.ollama.com/api
"""

import msgspec

from providers.base import Model, ModelFeatures
from providers.dialects.base import Dialect
from providers.dialects.ollama import Ollama
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.errors import Malformed, NotConfigured
from providers.http.client import HttpResponse
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider
from providers.vendors.deadline import within

_CHAT = ChatProfile(path="/v1/chat/completions", schemas="plain", think_tags=True)
_NATIVE = Ollama()


class _Details(msgspec.Struct):
    context_length: int | None = None


class _Tag(msgspec.Struct):
    name: str
    details: _Details | None = None
    capabilities: list[str] = []


class _Tags(msgspec.Struct):
    models: list[_Tag] = []


class OllamaProvider(HttpProvider):
    """The bare host. Asked without a model, and none being configured, the newest one answers."""

    kind = "ollama"
    default_base_url = "http://127.0.0.1:11434"
    needs_key = False
    raw_prompts = True

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if self.settings.api == "chat" and isinstance(request, ChatRequest):
            return OpenAiChat(_CHAT)
        return _NATIVE

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        if not request.model:
            deadline = request.trace.deadline if request.trace else None
            model = self.model or await within(deadline, self._first_model())
            request = msgspec.structs.replace(request, model=model)
        return await super()._send(dialect, request, stream=stream)

    async def _first_model(self) -> str:
        listed = await self.fetch_models()
        if not listed:
            raise NotConfigured(
                f"{self.name} has no model yet: `ollama pull NAME` fetches one, "
                f"providers.{self.name}.model names it"
            )
        self.model = listed[0].id
        return self.model

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        """Return what has been pulled: there is no catalog of that, so it is always asked for."""
        return await self.fetch_models()

    async def fetch_models(self) -> list[Model]:
        body = await self.get_json("/api/tags")
        try:
            listed = msgspec.convert(body, _Tags)
        except msgspec.ValidationError as error:
            raise Malformed(f"{self.name}: the list of models is not one") from error
        return [self._model(tag) for tag in listed.models]

    def _model(self, tag: _Tag) -> Model:
        able = tag.capabilities
        return Model(
            id=tag.name,
            provider=self.name,
            context_window=tag.details.context_length if tag.details else None,
            features=ModelFeatures(
                tools="tools" in able,
                vision="vision" in able,
                reasoning="thinking" in able,
                fim="insert" in able,
            ),
            source="live",
        )
