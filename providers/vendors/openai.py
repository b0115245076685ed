"""OpenAI: Responses by default, Chat Completions with `api = "chat"`, completions for FIM.

https://platform.openai.com/docs/api-reference
"""

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.base import HttpProvider
from providers.vendors.openai_models import (
    SAMPLING,
    is_o_series,
    reasons,
    refuses_sampling,
)


class OpenAi(HttpProvider):
    """`organization` and `project` are sent as OpenAI's own headers."""

    kind = "openai"
    default_base_url = "https://api.openai.com/v1"
    default_model = "gpt-5"

    def auth_headers(self, key: str) -> dict[str, str]:
        return {"authorization": f"Bearer {key}"}

    def standing_headers(self) -> dict[str, str]:
        named = {
            "openai-organization": self.settings.organization,
            "openai-project": self.settings.project,
        }
        return {name: value for name, value in named.items() if value}

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, CompletionRequest) or self.settings.api == "completions":
            return OpenAiCompletions()
        if self.settings.api == "chat":
            return OpenAiChat(chat_profile(request.model))
        return OpenAiResponses(responses_profile(request.model))


def chat_profile(model: str) -> ChatProfile:
    """Return what a model of OpenAI's own wants in Chat Completions."""
    return ChatProfile(
        system="developer" if is_o_series(model) else "system",
        max_tokens="max_completion_tokens",
        omit=SAMPLING if refuses_sampling(model) else frozenset(),
        parallel_tool_calls=True,
    )


def responses_profile(model: str) -> ResponsesProfile:
    """Return what a model of OpenAI's own wants in Responses."""
    return ResponsesProfile(
        reasons=reasons(model),
        omit=SAMPLING if refuses_sampling(model) else frozenset(),
        parallel_tool_calls=True,
    )
