"""Claude's payload: Anthropic's Messages format; old models' answers may still be completions.

Source: docs.aws.amazon.com/bedrock, "Anthropic Claude Messages API", "Text Completions API".
"""

import msgspec

from providers.dialects.anthropic_messages import AnthropicMessages, AnthropicProfile
from providers.dialects.base import Reader
from providers.dialects.bedrock_invoke.payload import (
    Body,
    Payload,
    TextPiece,
    TextReader,
    read_text,
)
from providers.dialects.bedrock_request import BedrockProfile
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode

_COMPLETION = b'"completion"'
_MESSAGE = b'"message_start"'


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Completion(msgspec.Struct, gc=False):
    completion: str | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


_completion = msgspec.json.Decoder(_Completion, strict=False)


def completion_of(data: bytes) -> TextPiece:
    """Return a text completion's piece."""
    said = decode(_completion, data)
    usage = said.usage or _Usage()
    return TextPiece(
        said.completion or "", said.stop_reason, usage.input_tokens, usage.output_tokens
    )


class ClaudeReader(Reader):
    """Messages or completions: the first chunk shows which."""

    def __init__(self) -> None:
        self.finished = False
        self._inner: Reader | None = None

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if self._inner is None:
            completes = _COMPLETION in data and _MESSAGE not in data
            self._inner = TextReader(completion_of) if completes else AnthropicMessages().reader()
        self._inner.read(event, data, out)
        self.finished = self._inner.finished

    def end(self, out: list[StreamToken]) -> None:
        (self._inner or AnthropicMessages().reader()).end(out)


class Claude(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        anthropic = AnthropicProfile(
            variant="bedrock",
            max_output_tokens=profile.max_output_tokens,
            betas=profile.betas if stream else (),
        )
        return AnthropicMessages(anthropic).body(request, stream=stream)

    def reader(self) -> Reader:
        return ClaudeReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        if b'"content"' not in body and _COMPLETION in body:
            return read_text(completion_of(body))
        return AnthropicMessages().read_unary(body)
