"""Mistral's payloads: a prompt for the first models, chat completions for those since.

Source: docs.aws.amazon.com/bedrock, "Mistral AI text completion", "Mistral AI chat completion".
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
from providers.errors import Malformed
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode

TEXT_MODELS = ("mistral.mistral-7b-", "mistral.mixtral-", "mistral.mistral-small-2402")
"""These know no messages; all others do."""


class _Output(msgspec.Struct, gc=False):
    text: str | None = None
    stop_reason: str | None = None


class _Answer(msgspec.Struct, gc=False):
    outputs: list[_Output] = []


_answer = msgspec.json.Decoder(_Answer, strict=False)


def piece_of(data: bytes) -> TextPiece:
    outputs = decode(_answer, data).outputs
    if not outputs:
        return TextPiece()
    return TextPiece(outputs[0].text or "", outputs[0].stop_reason)


def prompt_of(request: ChatRequest) -> str:
    """Return the conversation in instruction tags; the system text leads the first instruction."""
    system, turns = conversation(request, "this Mistral model")
    lead = f"{system}\n\n" if system else ""
    prompt = "<s>"
    for turn in turns:
        if turn.role == "assistant":
            prompt += f" {turn.text}</s>"
        else:
            prompt += f"[INST] {lead}{turn.text} [/INST]"
            lead = ""
    return prompt.removesuffix("</s>") if turns and turns[-1].role == "assistant" else prompt


class MistralText(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        no_seed(request, "this Mistral model")
        return given(
            prompt=prompt_of(request),
            max_tokens=limit_of(request, profile),
            temperature=request.temperature,
            top_p=request.top_p,
            stop=request.stop,
        )

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        piece = piece_of(body)
        if b'"outputs"' not in body:
            raise Malformed("the answer has no `outputs`")
        return read_text(piece)


def mistral(base_model: str) -> Payload:
    """Return the payload of one of Mistral's models."""
    return MistralText() if base_model.startswith(TEXT_MODELS) else OpenAiLike()
