"""Cohere's payloads: Command (a prompt) and Command R (a message with its history).

Source: docs.aws.amazon.com/bedrock, "Cohere Command models", "Cohere Command R and Command R+".
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


class _Units(msgspec.Struct, gc=False):
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Meta(msgspec.Struct, gc=False):
    billed_units: _Units | None = None


class _Answer(msgspec.Struct, gc=False):
    text: str | None = None
    finish_reason: str | None = None
    response_id: str | None = None
    meta: _Meta | None = None


class _Chunk(_Answer, gc=False):
    event_type: str | None = None
    is_finished: bool = False
    response: _Answer | None = None


class _Generation(msgspec.Struct, gc=False):
    text: str | None = None
    finish_reason: str | None = None


class _Whole(_Answer, gc=False):
    id: str | None = None
    generations: list[_Generation] | None = None


_chunk = msgspec.json.Decoder(_Chunk, strict=False)
_whole = msgspec.json.Decoder(_Whole, strict=False)


def piece_of(data: bytes) -> TextPiece:
    """Return a chunk's piece: both payloads say `text`, the end says it all again."""
    said = decode(_chunk, data)
    if said.event_type == "stream-end":
        answer = said.response or _Answer(finish_reason=said.finish_reason or "COMPLETE")
        return _end(answer)
    if said.is_finished:
        return _end(said)
    return TextPiece(said.text or "" if said.event_type in (None, "text-generation") else "")


def _end(answer: _Answer) -> TextPiece:
    units = (answer.meta.billed_units if answer.meta else None) or _Units()
    text = (answer.text or "") if isinstance(answer, _Chunk) else ""  # else it was said already
    return TextPiece(
        text, answer.finish_reason or "COMPLETE", units.input_tokens, units.output_tokens
    )


class CommandR(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        system, turns = conversation(request, "Command R's payload")
        history = [
            {"role": "CHATBOT" if turn.role == "assistant" else "USER", "message": turn.text}
            for turn in turns[:-1]
        ]
        return given(
            message=turns[-1].text if turns else "",
            chat_history=history or None,
            preamble=system or None,
            max_tokens=limit_of(request, profile),
            temperature=request.temperature,
            p=request.top_p,
            stop_sequences=request.stop,
            seed=request.seed,
        )

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_whole(body)


class Command(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        no_seed(request, "Command's payload")
        system, turns = conversation(request, "Command's payload")
        lines = [system] if system else []
        lines += [turn.text for turn in turns]
        return given(
            prompt="\n\n".join(lines),
            max_tokens=limit_of(request, profile),
            temperature=request.temperature,
            p=request.top_p,
            stop_sequences=request.stop,
            stream=True if stream else None,
        )

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_whole(body)


def read_whole(body: bytes) -> list[StreamToken]:
    """Return the tokens of either payload's whole answer."""
    answer = decode(_whole, body)
    units = (answer.meta.billed_units if answer.meta else None) or _Units()
    first = answer.generations[0] if answer.generations else answer
    if first.text is None:
        raise Malformed("the answer has no text")
    return read_text(
        TextPiece(
            first.text,
            first.finish_reason,
            units.input_tokens,
            units.output_tokens,
            answer.id or answer.response_id or "",
        )
    )


def cohere(base_model: str) -> Payload:
    """Return the payload of one of Cohere's models."""
    return CommandR() if base_model.startswith("cohere.command-r") else Command()
