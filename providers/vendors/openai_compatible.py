"""Any service that speaks OpenAI's format, under any name: `kind = "openai-compatible"`."""

from urllib.parse import urlsplit

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile
from providers.dialects.openai_completions import CompletionsProfile
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.errors import (
    Authentication,
    Malformed,
    NotConfigured,
    Permission,
    ResponseError,
)
from providers.http.client import HttpResponse
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor
from providers.vendors.context import ProviderContext
from providers.vendors.deadline import within
from providers.vendors.openai_models import O_SERIES_PREFIX, SAMPLING, is_o_series


class FirstModelVendor(ChatVendor):
    """Asked without a model, and none being configured, it takes the first that the service lists.

    That is asked once. Servers on the user's own machine mostly have one model, under a name that
    nobody wants to write down.
    """

    needs_key = False

    async def _send(
        self, dialect: Dialect, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> HttpResponse:
        if not request.model:
            deadline = request.trace.deadline if request.trace else None
            model = self.model or await within(deadline, self._first_model())
            request = msgspec.structs.replace(request, model=model)
            dialect = self.dialect_for(request)
        return await super()._send(dialect, request, stream=stream)

    async def _first_model(self) -> str:
        """Return the first model of the list; "" where the service has no list to ask for."""
        try:
            listed = await self.fetch_models()
        except (Authentication, Permission):
            raise
        except (ResponseError, Malformed):
            return ""  # some servers of one model have no list, and want no name
        if not listed:
            raise NotConfigured(
                f"providers.{self.name}.model: the service lists no model, so one must be named"
            )
        self.model = listed[0].id
        return self.model


class OpenAiCompatible(FirstModelVendor):
    """Chat Completions by default; `api` chooses `responses` or `completions`."""

    kind = "openai-compatible"
    profile = ChatProfile(
        parallel_tool_calls=True,
        think_tags=True,
        reasoning="reasoning_details",
        keep_details=True,
    )
    fim = CompletionsProfile()

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        if not self.base_url:
            raise NotConfigured(
                f"providers.{name}.baseUrl: expected the address of the service, up to and "
                'including its version (like "http://127.0.0.1:8000/v1")'
            )
        host = urlsplit(self.base_url).hostname or ""
        self._at_xai = host == "x.ai" or host.endswith(".x.ai")

    def profile_for(self, model: str) -> ChatProfile:
        profile = self.profile
        if self._at_xai:
            profile = msgspec.structs.replace(profile, stream_options=False)
        if not is_o_series(model):
            return profile
        return msgspec.structs.replace(
            profile,
            system="developer",
            system_prefix=O_SERIES_PREFIX,
            max_tokens="max_completion_tokens",
            omit=profile.omit | SAMPLING,
        )

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, ChatRequest) and self.settings.api == "responses":
            return OpenAiResponses(ResponsesProfile(parallel_tool_calls=True))
        return super().dialect_for(request)
