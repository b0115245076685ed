"""Bedrock's Converse format: one shape of request and answer for every model there.

A pure dialect: no transport, no signature. Request, reader and the rules per model are in the
`bedrock_*` files beside this one.
"""

from collections.abc import Mapping

from providers.dialects.base import Dialect, Reader
from providers.dialects.bedrock_models import path_of
from providers.dialects.bedrock_reader import ConverseReader, read_answer
from providers.dialects.bedrock_request import BedrockProfile, build_body
from providers.dialects.errors import error_of_answer
from providers.errors import ResponseError
from providers.types import ChatRequest, CompletionRequest, StreamToken

__all__ = ["BedrockConverse", "BedrockProfile"]


class BedrockConverse(Dialect):
    """`POST /model/{id}/converse-stream` and `/converse`."""

    framing = "eventstream"

    def __init__(self, profile: BedrockProfile | None = None) -> None:
        self.profile = profile or BedrockProfile()

    def path(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> str:
        return path_of(request.model, "converse-stream" if stream else "converse")

    def body(self, request: ChatRequest | CompletionRequest, *, stream: bool) -> dict[str, object]:
        return build_body(request, self.profile, stream=stream)

    def reader(self) -> Reader:
        return ConverseReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_answer(body)

    def read_error(self, status: int, headers: Mapping[str, str], body: bytes) -> ResponseError:
        return error_of_answer(status, headers, body)
