"""Anthropic: the Messages API.

https://platform.claude.com/docs/en/api/messages
"""

import msgspec

from providers.base import Model, TokenCount
from providers.dialects.anthropic_messages import AnthropicMessages, AnthropicProfile
from providers.errors import Malformed
from providers.settings import Key
from providers.types import ChatRequest, CompletionRequest, Message
from providers.vendors.base import HttpProvider
from providers.vendors.model_list import models_of

VERSION = "2023-06-01"
TOOL_STREAMING = "fine-grained-tool-streaming-2025-05-14"
LONG_OUTPUT = "output-128k-2025-02-19"
PROMPT_CACHING = "prompt-caching-2024-07-31"


class _Count(msgspec.Struct):
    input_tokens: int


class Anthropic(HttpProvider):
    """`authToken` in place of `apiKey` is sent as a Bearer token, as gateways want it."""

    kind = "anthropic"
    default_base_url = "https://api.anthropic.com"
    default_model = "claude-sonnet-4-5"

    def key_setting(self) -> Key | list[Key] | None:
        return self.settings.auth_token or super().key_setting()

    def auth_headers(self, key: str) -> dict[str, str]:
        if self.settings.auth_token is not None:
            return {"authorization": f"Bearer {key}"}
        return {"x-api-key": key}

    def standing_headers(self) -> dict[str, str]:
        return {"anthropic-version": VERSION}

    def request_headers(
        self, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> dict[str, str]:
        betas = self._betas(request.model, stream=stream)
        beta = {"anthropic-beta": ",".join(betas)} if betas else {}
        return self.standing_headers() | beta

    def _betas(self, model: str, *, stream: bool) -> list[str]:
        own = self.settings.betas or []
        if not stream:
            return own
        first = LONG_OUTPUT if model.startswith("claude-3-7") and ":" in model else TOOL_STREAMING
        return list(dict.fromkeys([first, *own, PROMPT_CACHING]))

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> AnthropicMessages:
        known = self.context.catalog.find(self.kind, request.model, self.name)
        return AnthropicMessages(
            AnthropicProfile(
                prompt_format=self.settings.prompt_format or "messages",
                max_output_tokens=known.max_output_tokens if known else None,
            )
        )

    async def fetch_models(self) -> list[Model]:
        return models_of(await self.get_json("/v1/models?limit=1000"), self)

    async def count_tokens(self, messages: list[Message], model: str) -> TokenCount:
        """Ask the service: https://platform.claude.com/docs/en/api/messages-count-tokens."""
        request = ChatRequest(messages=messages, model=model, cache=False)
        body = self.dialect_for(request).body(request, stream=False)
        asked = {name: body[name] for name in ("model", "messages", "system") if name in body}
        answer = await self.post_json("/v1/messages/count_tokens", asked)
        try:
            return TokenCount(msgspec.convert(answer, _Count).input_tokens, "api")
        except msgspec.ValidationError as error:
            raise Malformed(f"{self.name}: the count of tokens is not one") from error
