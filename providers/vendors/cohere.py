"""Cohere: its own chat format, API v2. https://docs.cohere.com/reference/chat"""

from urllib.parse import quote

import msgspec

from providers.base import Model, ModelFeatures
from providers.dialects.base import Dialect
from providers.dialects.cohere import Cohere, CohereProfile
from providers.errors import Malformed
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider

_PAGES = 20  # of a thousand models each


class _Listed(msgspec.Struct):
    name: str
    endpoints: list[str] | None = None
    context_length: float | None = None
    features: list[str] | None = None
    is_deprecated: bool | None = None


class _List(msgspec.Struct):
    models: list[_Listed]
    next_page_token: str | None = None


class CohereProvider(HttpProvider):
    """The bare host: `/v2/chat` and `/v1/models` are appended."""

    kind = "cohere"
    default_base_url = "https://api.cohere.com"
    default_model = "command-a-03-2025"

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        known = self.context.catalog.find(self.kind, request.model or self.model, self.name)
        # A model that nobody knows is asked for what was asked for; it may well reason.
        return Cohere(CohereProfile(reasons=known is None or known.features.reasoning))

    async def fetch_models(self) -> list[Model]:
        """Ask for every page of the list of models that converse."""
        found: list[Model] = []
        page = ""
        for _ in range(_PAGES):
            body = await self.get_json(f"/v1/models?endpoint=chat&page_size=1000{page}")
            try:
                listed = msgspec.convert(body, _List)
            except msgspec.ValidationError as error:
                raise Malformed(f"{self.name}: the list of models is not one") from error
            found += [self._model(entry) for entry in listed.models if _converses(entry)]
            if not listed.next_page_token:
                break
            page = f"&page_token={quote(listed.next_page_token, safe='')}"
        return found

    def _model(self, entry: _Listed) -> Model:
        known = self.context.catalog.find(self.kind, entry.name, self.name)
        able = entry.features or []
        own = ModelFeatures(
            tools="tools" in able, vision="vision" in able, reasoning="reasoning" in able
        )
        window = int(entry.context_length) if entry.context_length else None
        return Model(
            id=entry.name,
            provider=self.name,
            context_window=window or (known.context_window if known else None),
            max_output_tokens=known.max_output_tokens if known else None,
            features=known.features if known else own,
            price=known.price if known else None,
            source="live",
            retired=bool(entry.is_deprecated),
        )


def _converses(entry: _Listed) -> bool:
    return entry.endpoints is None or "chat" in entry.endpoints
