"""The embedded model: llama.cpp's server in a child process, spoken to like any other service.

Its OpenAI dialect is the one that is used. With `baseUrl` set, that server is asked and no child is
started. https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from functools import partial

import msgspec

from providers.base import Model, ModelFeatures, ProviderCapabilities, TokenCount
from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import CompletionsProfile, OpenAiCompletions
from providers.errors import Malformed, ModelNotFound, Unsupported
from providers.http.client import HttpRequest, HttpResponse
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest, Message
from providers.vendors.base import UNARY_BODY_LIMIT, HttpProvider
from providers.vendors.context import ProviderContext
from providers.vendors.deadline import within
from providers.vendors.local_server import MAX_TOKENS, LocalServer
from providers.vendors.local_weights import CONTEXT_WINDOW, model_name
from providers.wire import json_text

_PROMPTS = OpenAiCompletions(CompletionsProfile(infill="^/infill"))
_DIALECT = OpenAiChat(ChatProfile(schemas="plain", reasoning_style="none"))
# A tiny model says the same until its tokens are used up. `providerOptions` win over these.
_NO_LOOPS = {
    "repeat_penalty": 1.1,
    "repeat_last_n": 256,
    "dry_multiplier": 0.8,
    "dry_penalty_last_n": MAX_TOKENS,
}
_OWN = _DIALECT.with_profile(images=False, extra=_NO_LOOPS)


class _Counted(msgspec.Struct):
    input_tokens: int


class LocalProvider(HttpProvider):
    """The model that answers where nothing else is configured."""

    kind = "local"
    needs_key = False
    raw_prompts = True
    keep_alive = False  # after a streamed answer, a quarter of its reused connections fail

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        self.model = model_name(settings)
        self._key = ""
        self._server: LocalServer | None = None
        if not self.base_url:
            self._server = LocalServer(settings, on_status=partial(context.on_status, name))

    @property
    def server(self) -> LocalServer | None:
        """The child process's keeper; None where `baseUrl` names another server."""
        return self._server

    def works_as_it_is(self) -> bool:
        return self._server is not None and self._server.state().problem is None

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if self._server is not None and request.model not in ("", self.model):
            raise ModelNotFound(f"the local model is `{self.model}`, there is no `{request.model}`")
        if isinstance(request, CompletionRequest):
            if request.raw or request.suffix is not None:
                return _PROMPTS
        elif request.tools and self._is_own:
            raise Unsupported("tools: the embedded model calls none")
        return _OWN if self._is_own else _DIALECT

    @property
    def _is_own(self) -> bool:
        """Whether it is the embedded model, not a file or a server of the user's own."""
        return self._server is not None and self.settings.model_path is None

    def url(self, path: str) -> str:
        root = self.base_url.removesuffix("/v1")
        return root + path[1:] if path.startswith("^") else super().url(path)

    def auth_headers(self, key: str) -> dict[str, str]:
        bearer = self._key or key
        return {"authorization": f"Bearer {bearer}"} if bearer else {}

    def capabilities(self) -> ProviderCapabilities:
        return ProviderCapabilities(max_tokens=MAX_TOKENS, functions=False, vision=False)

    async def list_models(self, *, refresh: bool = False) -> list[Model]:
        """Return the one model there is; with `refresh`, only if its process answers."""
        if refresh:
            return await self.fetch_models()
        return [self._listed()]

    async def fetch_models(self) -> list[Model]:
        await self._locate(None)
        if self._server is None:
            return await super().fetch_models()
        await self.get_json("/models")
        return [msgspec.structs.replace(self._listed(), source="live")]

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Count with the model's own tokenizer and template."""
        request = ChatRequest(messages=messages, model=model)
        body = json_text.encode(self.dialect_for(request).body(request, stream=False))
        await self._locate(None)
        url = self.url("/chat/completions/input_tokens")
        headers = await self.headers("POST", url, body, "application/json", {})
        response = await self.context.client.send(HttpRequest("POST", url, headers, body, False))
        if response.status != 200:
            raise await self._error(_DIALECT, response)
        try:
            counted = msgspec.json.decode(await response.read(UNARY_BODY_LIMIT), type=_Counted)
        except msgspec.MsgspecError as error:
            raise Malformed(f"{self.name}: the count of tokens is not what was expected") from error
        finally:
            response.close()
        return TokenCount(counted.input_tokens, "tokenizer")

    async def aclose(self) -> None:
        if self._server is not None:
            await self._server.aclose()

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        await self._locate(request.trace.deadline if request.trace else None)
        return await super()._send(dialect, request, stream=stream)

    async def _locate(self, deadline: float | None) -> None:
        """Have the child running, and know its address and key."""
        if self._server is None:
            return
        self.base_url, self._key = await within(deadline, self._server.address())
        self.context.redactor.learn(self._key)

    def _listed(self) -> Model:
        own = self.settings.model_path is None
        return Model(
            id=self.model,
            provider=self.name,
            context_window=CONTEXT_WINDOW if own else None,
            max_output_tokens=MAX_TOKENS if own else None,
            features=ModelFeatures(continues=own),
        )
