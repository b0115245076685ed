"""xAI: Chat Completions by default, Responses with `api = "responses"`.

Live search is asked for with `providerOptions` (`search_parameters`); what it found comes as
citations. https://docs.x.ai/docs/api-reference
"""

import re

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, ReasoningStyle
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor

# The others reason as much as they like, and answer `reasoning_effort` with a 400.
_TAKES_EFFORT = re.compile(r"^grok-3-mini|multi-agent")

_RESPONSES = ResponsesProfile(
    reasons=True,
    schemas="strict",
    call_ids="as_is",
    message_type=True,
    image_detail=True,
    text_separator="\n",
    empty_tool_result="(empty)",
    parallel_tool_calls=True,
)


class XAi(ChatVendor):
    """Usage comes with the stream unasked, so no `stream_options` are sent."""

    kind = "xai"
    default_base_url = "https://api.x.ai/v1"
    default_model = "grok-4.20"

    def profile_for(self, model: str) -> ChatProfile:
        style: ReasoningStyle = "effort" if _TAKES_EFFORT.search(model) else "none"
        return ChatProfile(stream_options=False, parallel_tool_calls=True, reasoning_style=style)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, ChatRequest) and self.settings.api == "responses":
            return OpenAiResponses(responses_profile(request.model))
        return super().dialect_for(request)


def responses_profile(model: str) -> ResponsesProfile:
    """Return what a model wants in Responses."""
    if _TAKES_EFFORT.search(model):
        return _RESPONSES
    return msgspec.structs.replace(_RESPONSES, omit=frozenset({"reasoning"}))
