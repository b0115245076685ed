"""Llama's payload: a prompt with the special tokens of the model's generation, text out.

Source: docs.aws.amazon.com/bedrock, "Meta Llama models"; llama.com, "Prompt formats".
"""

import msgspec

from providers.dialects.base import Reader
from providers.dialects.bedrock_invoke.payload import (
    Body,
    Conversation,
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


class _Answer(msgspec.Struct, gc=False):
    generation: str | None = None
    prompt_token_count: int | None = None
    generation_token_count: int | None = None
    stop_reason: str | None = None


_answer = msgspec.json.Decoder(_Answer, strict=False)


def piece_of(data: bytes) -> TextPiece:
    said = decode(_answer, data)
    return TextPiece(
        said.generation or "",
        said.stop_reason,
        said.prompt_token_count,
        said.generation_token_count,
    )


def prompt_of(request: ChatRequest) -> str:
    """Return the conversation in the model's own prompt format, open for the answer."""
    texts = conversation(request, "Llama")
    if "llama2" in request.model:
        return _llama2(texts)
    if "llama4" in request.model:
        return _headers(texts, "<|header_start|>", "<|header_end|>", "<|eot|>")
    return _headers(texts, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")


def _headers(texts: Conversation, begin: str, end: str, stop: str) -> str:
    said = [("system", texts.system)] if texts.system else []
    said += [(turn.role, turn.text) for turn in texts.turns]
    prompt = "<|begin_of_text|>" + "".join(
        f"{begin}{role}{end}\n\n{text}{stop}" for role, text in said
    )
    if said and said[-1][0] == "assistant":
        return prompt.removesuffix(stop)  # it goes on from there
    return f"{prompt}{begin}assistant{end}\n\n"


def _llama2(texts: Conversation) -> str:
    prompt = ""
    system = f"<<SYS>>\n{texts.system}\n<</SYS>>\n\n" if texts.system else ""
    for turn in texts.turns:
        if turn.role == "assistant":
            prompt += f" {turn.text} </s>"
        else:
            prompt += f"<s>[INST] {system}{turn.text} [/INST]"
            system = ""
    return prompt


class Llama(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        no_seed(request, "Llama")
        if request.stop:
            raise Unsupported("`stop`: Llama's payload has none; with `api = converse` it has")
        return given(
            prompt=prompt_of(request),
            max_gen_len=limit_of(request, profile),
            temperature=request.temperature,
            top_p=request.top_p,
        )

    def reader(self) -> Reader:
        return TextReader(piece_of)

    def read_unary(self, body: bytes) -> list[StreamToken]:
        if b'"generation"' not in body:
            raise Malformed("the answer has no `generation`")
        return read_text(piece_of(body))
