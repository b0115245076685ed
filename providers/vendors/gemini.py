"""Google's Gemini API (not Vertex): generateContent, as events or as a JSON array.

The key goes into a header, never into an address. https://ai.google.dev/api
"""

from urllib.parse import quote

import msgspec

from providers.base import Model, TokenCount
from providers.dialects.gemini import Gemini, GeminiProfile
from providers.errors import Malformed
from providers.types import ChatRequest, CompletionRequest, Message
from providers.vendors.base import HttpProvider

API_VERSION = "v1beta"


class _Listed(msgspec.Struct, rename="camel"):
    name: str
    input_token_limit: int | None = None
    output_token_limit: int | None = None
    supported_generation_methods: list[str] = []


class _List(msgspec.Struct, rename="camel"):
    models: list[_Listed] = []
    next_page_token: str | None = None


class _Count(msgspec.Struct, rename="camel"):
    total_tokens: int


class GeminiApi(HttpProvider):
    """`stream = "json"` asks for an array, not for events; `safetySettings` go into each body."""

    kind = "gemini"
    default_base_url = "https://generativelanguage.googleapis.com"
    default_model = "gemini-2.5-flash"

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key} if key else {}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Gemini:
        settings = self.settings
        return Gemini(
            GeminiProfile(
                stream=settings.stream or "sse",
                api_version=settings.api_version or API_VERSION,
                safety_settings=settings.safety_settings,
            )
        )

    async def fetch_models(self) -> list[Model]:
        """Ask for every page of the list; embedding models are left out."""
        version = self.settings.api_version or API_VERSION
        found: list[Model] = []
        page = ""
        while True:
            body = await self.get_json(f"/{version}/models?pageSize=1000{page}")
            try:
                listed = msgspec.convert(body, _List)
            except msgspec.ValidationError as error:
                raise Malformed(f"{self.name}: the list of models is not one") from error
            found += [self._model(entry) for entry in listed.models if _generates(entry)]
            if not listed.next_page_token or len(found) > 10_000:
                return found
            page = f"&pageToken={quote(listed.next_page_token, safe='')}"

    def _model(self, entry: _Listed) -> Model:
        name = entry.name.removeprefix("models/")
        known = self.context.catalog.find(self.kind, name, self.name)
        return Model(
            id=name,
            provider=self.name,
            context_window=entry.input_token_limit or (known.context_window if known else None),
            max_output_tokens=entry.output_token_limit
            or (known.max_output_tokens if known else None),
            features=known.features if known else self.assumed(),
            price=known.price if known else None,
            source="live",
        )

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Ask the service: https://ai.google.dev/api/tokens."""
        request = ChatRequest(messages=messages, model=model or self.model)
        dialect = self.dialect_for(request)
        body = dialect.body(request, stream=False)
        path = dialect.path(request, stream=False).removesuffix(":generateContent")
        answer = await self.post_json(f"{path}:countTokens", {"contents": body["contents"]})
        try:
            return TokenCount(msgspec.convert(answer, _Count).total_tokens, "api")
        except msgspec.ValidationError as error:
            raise Malformed(f"{self.name}: the count of tokens is not one") from error


def _generates(entry: _Listed) -> bool:
    return "generateContent" in entry.supported_generation_methods
