"""AI21's payloads: Jurassic-2 (a prompt, no streams) and Jamba (chat completions).

Source: docs.aws.amazon.com/bedrock, "AI21 Labs Jurassic-2 models", "AI21 Labs Jamba models".
"""

import msgspec

from providers.dialects.base import Reader
from providers.dialects.bedrock_invoke.openai_like import OpenAiLike
from providers.dialects.bedrock_invoke.payload import (
    Body,
    Payload,
    TextPiece,
    TextReader,
    conversation,
    given,
    limit_of,
    no_seed,
    read_text,
)
from providers.dialects.bedrock_request import BedrockProfile
from providers.errors import Malformed, Unsupported
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode


class _Reason(msgspec.Struct, gc=False):
    reason: str | None = None


class _Data(msgspec.Struct, gc=False):
    text: str | None = None


class _Completion(msgspec.Struct, rename="camel", gc=False):
    data: _Data | None = None
    finish_reason: _Reason | None = None


class _Answer(msgspec.Struct, gc=False):
    id: int | str | None = None
    completions: list[_Completion] = []


_answer = msgspec.json.Decoder(_Answer, strict=False)


def piece_of(data: bytes) -> TextPiece:
    answer = decode(_answer, data)
    if not answer.completions:
        raise Malformed("the answer has no `completions`")
    first = answer.completions[0]
    return TextPiece(
        (first.data.text if first.data else None) or "",
        first.finish_reason.reason if first.finish_reason else None,
        id=str(answer.id or ""),
    )


class Jurassic(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        if stream:
            raise Unsupported("`stream`: Jurassic-2 answers at once only")
        no_seed(request, "Jurassic-2")
        system, turns = conversation(request, "Jurassic-2")
        lines = [system] if system else []
        lines += [turn.text for turn in turns]
        return given(
            prompt="\n\n".join(lines),
            maxTokens=limit_of(request, profile),
            temperature=request.temperature,
            topP=request.top_p,
            stopSequences=request.stop,
        )

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_text(piece_of(body))


def ai21(base_model: str) -> Payload:
    """Return the payload of one of AI21's models."""
    return Jurassic() if base_model.startswith("ai21.j2") else OpenAiLike()
