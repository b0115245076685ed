"""OpenRouter: many services behind one address; Chat Completions, or `api = "responses"`.

https://openrouter.ai/docs/api-reference
"""

import re
from typing import Any, cast

from providers.catalog.presets import R1
from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor
from providers.vendors.openai_models import SAMPLING, refuses_sampling

REFERER = "https://lapce.dev"
TITLE = "Lapce"
TOOL_STREAMING = "fine-grained-tool-streaming-2025-05-14"
UNSIGNED_CALL = "skip_thought_signature_validator"
"""What Google's documentation ("Thought signatures") gives for a call that another model made."""

_R1 = re.compile(r"^deepseek/deepseek-r1|^perplexity/sonar-reasoning$")
_CACHED_BY_CLAUDE = re.compile(r"^anthropic/claude-")
# Those that keep what is marked; newer ones of Google's keep every long prefix by themselves.
_CACHED_BY_GEMINI = re.compile(r"^google/gemini-(?:2\.5-flash|2\.0-flash-001|flash-1\.5)")


class OpenRouter(ChatVendor):
    """`referer` and `title` say which program asks; an empty model lets OpenRouter choose."""

    kind = "openrouter"
    default_base_url = "https://openrouter.ai/api/v1"
    default_model = "openrouter/auto"

    def standing_headers(self) -> dict[str, str]:
        return {
            "http-referer": self.settings.referer or REFERER,
            "x-title": self.settings.title or TITLE,
        }

    def request_headers(
        self, request: ChatRequest | CompletionRequest, *, stream: bool
    ) -> dict[str, str]:
        headers = self.standing_headers()
        if request.model.startswith("anthropic/"):
            headers["x-anthropic-beta"] = TOOL_STREAMING
        return headers

    def profile_for(self, model: str) -> ChatProfile:
        return profile_of(model)

    def chat_dialect(self, profile: ChatProfile) -> OpenAiChat:
        return OpenRouterChat(profile)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, ChatRequest) and self.settings.api == "responses":
            return OpenAiResponses(ResponsesProfile(reasons=True, parallel_tool_calls=True))
        return super().dialect_for(request)


def profile_of(model: str) -> ChatProfile:
    """Return what the model behind OpenRouter wants."""
    wanted: dict[str, Any] = {
        "reasoning": "reasoning_details",
        "reasoning_style": "openrouter",
        "keep_details": True,
    }
    if _R1.search(model):
        wanted = R1 | {"reasoning_style": "openrouter", "keep_details": True}
    if _CACHED_BY_CLAUDE.search(model):
        wanted["cache"] = "last_two"
    elif _CACHED_BY_GEMINI.search(model):
        wanted["cache"] = "every_tenth"
    if model.startswith("openai/") and refuses_sampling(model):
        wanted["omit"] = SAMPLING
    return ChatProfile(**wanted)


class OpenRouterChat(OpenAiChat):
    """Chat Completions with what only models behind OpenRouter need."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        body = super().body(request, stream=stream)
        if request.model.startswith("google/gemini"):
            for message in cast("list[dict[str, Any]]", body["messages"]):
                _sign(message)
        return body


def _sign(message: dict[str, Any]) -> None:
    """Say of calls without a signature that they have none; else Gemini 3 refuses them."""
    calls = message.get("tool_calls")
    details: list[dict[str, Any]] = message.get("reasoning_details") or []
    if not calls or any(entry.get("type") == "reasoning.encrypted" for entry in details):
        return
    message["reasoning_details"] = [
        *details,
        {
            "type": "reasoning.encrypted",
            "data": UNSIGNED_CALL,
            "id": calls[0]["id"],
            "format": "google-gemini-v1",
            "index": 0,
        },
    ]
