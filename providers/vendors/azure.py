"""Azure OpenAI: one deployment per address, and the hosts of Azure AI (`*.services.ai.azure.com`).

https://learn.microsoft.com/azure/ai-foundry/openai/reference
"""

from urllib.parse import quote, urlsplit

import msgspec

from providers.base import Model
from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile
from providers.dialects.openai_completions import CompletionsProfile, OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import NotConfigured
from providers.http.client import HttpResponse
from providers.settings import Key, ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor
from providers.vendors.context import ProviderContext
from providers.vendors.model_list import models_of
from providers.vendors.openai import chat_profile, responses_profile

API_VERSION = "2024-08-01-preview"
INFERENCE_VERSION = "2024-05-01-preview"
MODELS_VERSION = "2024-10-21"
"""The list of models is not part of every preview."""

_INFERENCE_HOST = ".services.ai.azure.com"


class Azure(ChatVendor):
    """`accessToken` (Entra) is sent as Bearer, `apiKey` as `api-key`; the token wins.

    The endpoint may be given bare, up to `/openai`, up to `/openai/deployments/NAME`, or up to
    `/openai/v1`. Without `deployment` the model's name is the deployment's.
    """

    kind = "azure"

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        if not self.base_url:
            raise NotConfigured(
                f"providers.{name}.endpoint: expected the resource's address "
                '(like "https://my-resource.openai.azure.com")'
            )
        parts = urlsplit(self.base_url)
        path = parts.path
        inside = "/openai" in path or "/deployments" in path
        self._inference = (parts.hostname or "").endswith(_INFERENCE_HOST) and not inside
        self._v1 = path.endswith("/openai/v1")
        self._deployed_url = self.base_url if "/deployments/" in path else ""
        self._bare = path == ""
        before = path.partition("/openai")[0].partition("/deployments")[0]
        self._root = f"{parts.scheme}://{parts.netloc}{before}/openai"
        given = path.partition("/deployments/")[2].partition("/")[0]
        self._deployment = given or settings.deployment or ""
        self.model = settings.model or self._deployment

    def key_setting(self) -> Key | list[Key] | None:
        return self.settings.access_token or super().key_setting()

    def auth_headers(self, key: str) -> dict[str, str]:
        if not key:
            return {}
        if self._inference or self.settings.access_token is not None:
            return {"authorization": f"Bearer {key}"}
        return {"api-key": key}

    def profile_for(self, model: str) -> ChatProfile:
        # Whatever the deployment is called: what its model wants is learned where it is not told.
        path = self.url_for("/chat/completions", model)
        return msgspec.structs.replace(chat_profile(model), path=path)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, CompletionRequest):
            path = self.url_for("/completions", request.model)
            return OpenAiCompletions(CompletionsProfile(path=path))
        if self.settings.api == "responses":
            profile = responses_profile(request.model)
            path = self.url_for("/responses", request.model)
            return OpenAiResponses(
                msgspec.structs.replace(profile, path=path, cache_retention=None)
            )
        return super().dialect_for(request)

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        if not (request.model or self._deployment):
            raise NotConfigured(
                f"providers.{self.name}.deployment: no deployment is configured, and the request "
                "names no model"
            )
        if self._deployment and (self._v1 or self.settings.api == "responses"):
            # Here the body says which deployment is meant.
            request = msgspec.structs.replace(request, model=self._deployment)
        return await super()._send(dialect, request, stream=stream)

    # --- addresses ------------------------------------------------------------------

    def url(self, path: str) -> str:
        return path  # all of ours are whole addresses

    def url_for(self, path: str, model: str) -> str:
        """Return the address of `path` (`/chat/completions`, `/responses`) for `model`."""
        version = self.settings.api_version
        if self._inference:
            root = self.base_url.removesuffix("/models") + "/models"
            return f"{root}{path}?api-version={version or INFERENCE_VERSION}"
        if self._v1 or path == "/responses":
            return f"{self._root}/v1{path}" + (f"?api-version={version}" if version else "")
        deployed = self._deployed_url
        if not deployed:
            # A bare host is the resource's own; a longer path is taken as it stands.
            root = self._root if self._bare else self.base_url
            deployed = f"{root}/deployments/{quote(self._deployment or model, safe='')}"
        return f"{deployed}{path}?api-version={version or API_VERSION}"

    async def fetch_models(self) -> list[Model]:
        url = f"{self._root}/models?api-version={MODELS_VERSION}"
        return models_of(await self.get_json(url), self)
