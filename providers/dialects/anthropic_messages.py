"""Anthropic's Messages format, as the service itself, Vertex and Bedrock's invoke take it.

A pure dialect: no transport, no key, no header. Request, reader and the rules per model are in the
`anthropic_*` files beside this one.
"""

from collections.abc import Mapping
from urllib.parse import quote

from providers.dialects.anthropic_models import split_suffix
from providers.dialects.anthropic_reader import AnthropicReader, read_message
from providers.dialects.anthropic_request import AnthropicProfile, build_body
from providers.dialects.base import Dialect, Reader
from providers.dialects.errors import error_of_answer
from providers.errors import ResponseError
from providers.types import ChatRequest, CompletionRequest, StreamToken

__all__ = ["AnthropicMessages", "AnthropicProfile"]


class AnthropicMessages(Dialect):
    """`POST /v1/messages` and its kin."""

    framing = "sse"

    def __init__(self, profile: AnthropicProfile | None = None) -> None:
        self.profile = profile or AnthropicProfile()

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        if self.profile.variant == "anthropic":
            return "/v1/messages"
        model = quote(split_suffix(request.model)[0], safe="@")
        method = "streamRawPredict" if stream else "rawPredict"
        return f"{self.profile.path_prefix}/{model}:{method}"

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return build_body(request, self.profile, stream=stream)

    def reader(self) -> Reader:
        return AnthropicReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_message(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)
