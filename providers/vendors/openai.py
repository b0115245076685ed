"""OpenAI: Responses by default, Chat Completions with `api = "chat"`, completions for FIM.

https://platform.openai.com/docs/api-reference
"""

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile
from providers.dialects.openai_completions import CompletionsProfile
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor
from providers.vendors.openai_models import (
    O_SERIES_PREFIX,
    SAMPLING,
    cache_retention,
    effort_in_name,
    is_o_series,
    name_at_service,
    reasons,
    refuses_sampling,
)


class OpenAi(ChatVendor):
    """`organization` and `project` are sent as OpenAI's own headers."""

    kind = "openai"
    default_base_url = "https://api.openai.com/v1"
    default_model = "gpt-5"
    fim = CompletionsProfile()

    def standing_headers(self) -> dict[str, str]:
        named = {
            "openai-organization": self.settings.organization,
            "openai-project": self.settings.project,
        }
        return {name: value for name, value in named.items() if value}

    def profile_for(self, model: str) -> ChatProfile:
        return chat_profile(model)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, ChatRequest) and self.settings.api in (None, "responses"):
            return NativeResponses(responses_profile(request.model))
        return super().dialect_for(request)


class NativeResponses(OpenAiResponses):
    """Responses, with the names that stand for a model and an effort resolved."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        named = name_at_service(request.model)
        if named != request.model:
            request = msgspec.structs.replace(request, model=named)
        return super().body(request, stream=stream)


def chat_profile(model: str) -> ChatProfile:
    """Return what a model of OpenAI's own wants in Chat Completions."""
    o_series = is_o_series(model)
    return ChatProfile(
        system="developer" if o_series else "system",
        system_prefix=O_SERIES_PREFIX if o_series else "",
        max_tokens="max_completion_tokens",
        omit=SAMPLING if refuses_sampling(model) else frozenset(),
        parallel_tool_calls=True,
        think_tags=True,
    )


def responses_profile(model: str) -> ResponsesProfile:
    """Return what a model of OpenAI's own wants in Responses."""
    return ResponsesProfile(
        reasons=reasons(model),
        default_effort=effort_in_name(model),
        omit=SAMPLING if refuses_sampling(model) else frozenset(),
        parallel_tool_calls=True,
        cache_retention=cache_retention(model),
    )
