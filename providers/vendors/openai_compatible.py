"""Any service that speaks OpenAI's format, under any name: `kind = "openai-compatible"`.

"Compatible" services differ in which parameters they take. What one refuses is learned from its
400, once per provider, and left out from then on.
"""

import re
from typing import ClassVar

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import InvalidRequest, NotConfigured, ResponseError
from providers.settings import ProviderSettings
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider
from providers.vendors.context import ProviderContext

# What an answer is complete without.
_OPTIONAL = ("stream_options", "temperature", "top_p", "seed", "parallel_tool_calls")
_COMPLAINT = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|not allowed|extra"
    r"|does not exist|invalid param|isn't supported|only the default",
    re.IGNORECASE,
)


class OpenAiCompatible(HttpProvider):
    """Chat Completions by default; `api` chooses `responses` or `completions`."""

    kind: ClassVar[str] = "openai-compatible"
    needs_key = False
    profile: ClassVar[ChatProfile] = ChatProfile(parallel_tool_calls=True)

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        super().__init__(name, settings, context)
        if not self.base_url:
            raise NotConfigured(
                f"providers.{name}.baseUrl: expected the address of the service, up to and "
                'including its version (like "http://127.0.0.1:8000/v1")'
            )
        self._learned = self.profile
        self._known: set[str] = set()

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"} if key else {}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, CompletionRequest) or self.settings.api == "completions":
            return OpenAiCompletions()
        if self.settings.api == "responses":
            return OpenAiResponses()
        return OpenAiChat(self._learned)

    async def recover(self, error: ResponseError) -> bool:
        """Learn from a 400 which parameter the service does not take; then it is worth a try."""
        if isinstance(error, InvalidRequest) and self._learn(error.message):
            return True
        return await super().recover(error)

    def _learn(self, message: str) -> bool:
        """Change what is sent, if the message names a parameter. Each is learned once."""
        limit = "max_completion_tokens"
        if limit not in self._known and "max_tokens" in message and _about_limit(message):
            self._known.add(limit)
            self._learned = msgspec.structs.replace(self._learned, max_tokens=limit)
            return True
        if not _COMPLAINT.search(message):
            return False
        refused = next((name for name in _OPTIONAL if name in message), None)
        if refused is None or refused in self._known:
            return False
        self._known.add(refused)
        omit = self._learned.omit | {refused}
        self._learned = msgspec.structs.replace(self._learned, omit=omit)
        return True


def _about_limit(message: str) -> bool:
    """Whether the name of the parameter is complained about, and not its value."""
    return "max_completion_tokens" in message or bool(_COMPLAINT.search(message))
