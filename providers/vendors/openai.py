"""OpenAI: Responses by default, Chat Completions with `api = "chat"`, completions for FIM.

https://platform.openai.com/docs/api-reference
"""

from typing import Literal, TypeVar

import msgspec

from providers.dialects.base import Dialect
from providers.dialects.openai_chat import ChatProfile, OpenAiChat, effort_of
from providers.dialects.openai_completions import CompletionsProfile
from providers.dialects.openai_responses import OpenAiResponses, ResponsesProfile
from providers.types import ChatRequest, CompletionRequest, Reasoning
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
    takes_effort,
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

    def _as_asked(self, request: CompletionRequest) -> ChatRequest | CompletionRequest:
        # Caching costs nothing here, so a lone prompt says how long it may last, as in the port.
        asked = super()._as_asked(request)
        asked.cache = request.cache
        return asked

    def profile_for(self, model: str) -> ChatProfile:
        return chat_profile(model)

    def chat_dialect(self, profile: ChatProfile) -> OpenAiChat:
        return NativeChat(profile)

    def dialect_for(self, request: ChatRequest | CompletionRequest) -> Dialect:
        api = self.settings.api
        if api is None and (request.stop or request.seed is not None):
            api = "chat"  # Responses has neither `stop` nor `seed`; who chose it is told so
        if isinstance(request, ChatRequest) and api in (None, "responses"):
            return NativeResponses(responses_profile(request.model))
        return super().dialect_for(request)


class NativeChat(OpenAiChat):
    """Chat Completions, with an effort where the model takes it."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return super().body(as_the_model_takes_it(request), stream=stream)


class NativeResponses(OpenAiResponses):
    """Responses, with an effort where the model takes it."""

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return super().body(as_the_model_takes_it(request), stream=stream)


LEAST: tuple[Literal["minimal", "low"], ...] = ("minimal", "low")

Request = TypeVar("Request", ChatRequest, CompletionRequest, ChatRequest | CompletionRequest)


def as_the_model_takes_it(request: Request) -> Request:
    """Leave out an effort the model does not know, and resolve names that stand for an effort.

    Who asks for no reasoning and for no token of it gets the least that the model takes.
    """
    model, reasoning = name_at_service(request.model), request.reasoning
    effort = effort_of(reasoning) if reasoning is not None else None
    if effort is not None and not takes_effort(request.model, effort):
        none = effort == "none" and reasoning is not None and reasoning.budget_tokens == 0
        taken = [Reasoning(e) for e in LEAST if none and takes_effort(request.model, e)]
        reasoning = taken[0] if taken else None
    if model == request.model and reasoning is request.reasoning:
        return request
    return msgspec.structs.replace(request, model=model, reasoning=reasoning)


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
