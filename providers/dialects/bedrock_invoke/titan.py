"""Titan Text's payload: a prompt in, text out.

Source: docs.aws.amazon.com/bedrock, "Amazon Titan Text models".
"""

import msgspec

from providers.dialects.base import Reader
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
from providers.errors import Malformed
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode


class _Chunk(msgspec.Struct, rename="camel", gc=False):
    output_text: str | None = None
    completion_reason: str | None = None
    input_text_token_count: int | None = None
    total_output_text_token_count: int | None = None


class _Result(msgspec.Struct, rename="camel", gc=False):
    output_text: str | None = None
    completion_reason: str | None = None
    token_count: int | None = None


class _Answer(msgspec.Struct, rename="camel", gc=False):
    results: list[_Result] = []
    input_text_token_count: int | None = None


_chunk = msgspec.json.Decoder(_Chunk, strict=False)  # counts come as 28.0, too
_answer = msgspec.json.Decoder(_Answer, strict=False)


def piece_of(data: bytes) -> TextPiece:
    said = decode(_chunk, data)
    return TextPiece(
        said.output_text or "",
        said.completion_reason,
        said.input_text_token_count,
        said.total_output_text_token_count,
    )


def prompt_of(request: ChatRequest) -> str:
    """Return the conversation in the form that Titan was trained on."""
    system, turns = conversation(request, "Titan Text")
    lines = [system] if system else []
    lines += [f"{'Bot' if turn.role == 'assistant' else 'User'}: {turn.text}" for turn in turns]
    if not turns or turns[-1].role == "user":
        lines.append("Bot:")
    return "\n".join(lines)


class Titan(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        no_seed(request, "Titan Text")
        body: Body = {"inputText": prompt_of(request)}
        config = given(
            maxTokenCount=limit_of(request, profile),
            temperature=request.temperature,
            topP=request.top_p,
            stopSequences=request.stop,
        )
        if config:
            body["textGenerationConfig"] = config
        return body

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        answer = decode(_answer, body)
        if not answer.results:
            raise Malformed("the answer has no `results`")
        result = answer.results[0]
        return read_text(
            TextPiece(
                result.output_text or "",
                result.completion_reason,
                answer.input_text_token_count,
                result.token_count,
            )
        )
