"""Amazon's OpenAI-compatible endpoints: Chat Completions, and Responses with `api = "responses"`.

Chat goes to `bedrock-runtime`, Responses to `bedrock-mantle`, where more models have it;
`baseUrl = "https://bedrock-mantle.REGION.api.aws/v1"` sends both there.
https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html
"""

import re
from urllib.parse import urlsplit

from providers.base import Model
from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import NotConfigured, ResponseError
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.aws_account import AwsProvider, suffix
from providers.vendors.context import ProviderContext

_WRONG_ROUTE = re.compile(r"isn.t supported on this route", re.IGNORECASE)
_OPENAI_IDS = re.compile(r"(?:^|\.)openai\.")
_CHAT = OpenAiChat(ChatProfile(max_tokens="max_completion_tokens"))
_RESPONSES = OpenAiResponses()


class Aws(AwsProvider):
    """Mantle serves some models under `/v1`, others under `/openai/v1`: learned from its 400."""

    kind = "aws"
    default_model = "openai.gpt-oss-120b-1:0"

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        if settings.api not in (None, "chat", "responses"):
            raise NotConfigured(
                f'providers.{name}.api: expected "chat" or "responses", got "{settings.api}"'
            )
        self._responses = settings.api == "responses"
        super().__init__(name, settings, context)
        if settings.model is None and (self._responses or _is_mantle(self.base_url)):
            self.model = "openai.gpt-oss-120b"  # mantle's names have no version
        self._other_route: set[str] = set()

    def origin(self, region: str) -> str:
        if self._responses:
            return f"https://bedrock-mantle.{region}.api.aws/v1"
        return f"https://bedrock-runtime.{region}.{suffix(region)}/openai/v1"

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        return _RESPONSES if self._responses else _CHAT

    def request_url(self, request: ChatRequest | CompletionRequest, path: str) -> str:
        url = super().request_url(request, path)
        if request.model not in self._other_route:
            return url
        before, found, after = url.partition("/openai/v1/")
        return f"{before}/v1/{after}" if found else url.replace("/v1/", "/openai/v1/", 1)

    async def recover(self, error: ResponseError) -> bool:
        model = error.model or ""
        if _WRONG_ROUTE.search(error.message) and model not in self._other_route:
            self._other_route.add(model)
            return True
        return await super().recover(error)

    def _signing_service(self, url: str) -> str:
        return "bedrock-mantle" if _is_mantle(url) else self.service

    async def fetch_models(self) -> list[Model]:
        """Ask the endpoint; `bedrock-runtime` has no list of its own, but the control plane has."""
        await self.settle()
        if self.own_host and not self._responses:
            return await self.foundation_models(_OPENAI_IDS)
        return await super().fetch_models()


def _is_mantle(url: str) -> bool:
    return (urlsplit(url).hostname or "").startswith("bedrock-mantle.")
