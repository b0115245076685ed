"""xAI: Chat Completions by default, Responses with `api = "responses"`.

Live search is asked for with `providerOptions` (`search_parameters`); what it found comes as
citations. https://docs.x.ai/docs/api-reference
"""

import re
from typing import TypeVar, cast

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat, effort_of
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest
from providers.vendors.chat_vendor import ChatVendor

# The others reason as much as they like, and answer `reasoning_effort` with a 400.
_TAKES_EFFORT = re.compile(r"^grok-3-mini")
_EFFORTS = ("low", "high")

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
        return ChatProfile(stream_options=False, parallel_tool_calls=True)

    def chat_dialect(self, profile: ChatProfile) -> OpenAiChat:
        return XAiChat(profile)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        if isinstance(request, ChatRequest) and self.settings.api == "responses":
            return XAiResponses(_RESPONSES)
        return super().dialect_for(request)


class XAiChat(OpenAiChat):
    """Chat Completions, with an effort where the model takes it."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return super().body(_with_known_effort(request), stream=stream)


class XAiResponses(OpenAiResponses):
    """Responses, with an effort where the model takes it."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        body = super().body(_with_known_effort(request), stream=stream)
        lone = (
            not (request.system or request.tools) and len(cast("list[object]", body["input"])) < 2
        )
        if lone and not stream:
            del body["include"]  # no conversation that the reasoning could go back to
        return body


Request = TypeVar("Request", ChatRequest, CompletionRequest, ChatRequest | CompletionRequest)


def _with_known_effort(request: Request) -> Request:
    """Leave out an effort that the model does not take: it is no reason to fail."""
    if request.reasoning is None:
        return request
    if _TAKES_EFFORT.search(request.model) and effort_of(request.reasoning) in _EFFORTS:
        return request
    return msgspec.structs.replace(request, reasoning=None)
