"""Payloads that are Chat Completions, more or less: Mistral's newer models, Jamba, gpt-oss.

Mistral's says `message` in its chunks where the others say `delta`, and `stop_reason` where they
say `finish_reason`.
"""

from typing import Any, cast

import msgspec

from providers.dialects.base import Reader
from providers.dialects.bedrock_invoke.payload import Body, Payload, limit_of
from providers.dialects.bedrock_request import BedrockProfile
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode, encode

PROFILE = ChatProfile(
    stream_options=False, schemas="plain", omit=frozenset({"model", "stream", "stream_options"})
)

_object: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def as_chat(data: bytes, part: str) -> bytes:
    """Return a chunk or an answer with the names that Chat Completions give its parts."""
    if b'"stop_reason"' not in data and (part == "message" or b'"delta"' in data):
        return data
    said = decode(_object, data)
    choices = said.get("choices")
    if not isinstance(choices, list):
        return data
    for each in cast("list[Any]", choices):
        if not isinstance(each, dict):
            return data  # the reader says what is wrong with it
        choice = cast("dict[str, Any]", each)
        if part not in choice and "message" in choice:
            choice[part] = choice.pop("message")
        if "finish_reason" not in choice:
            choice["finish_reason"] = choice.pop("stop_reason", None)
    return encode(said)


class _ChunkReader(Reader):
    def __init__(self, inner: Reader) -> None:
        self.finished = False
        self._inner = inner

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        self._inner.read("", as_chat(data, "delta"), out)
        self.finished = self._inner.finished

    def end(self, out: list[StreamToken]) -> None:
        self._inner.end(out)


class OpenAiLike(Payload):
    def __init__(self) -> None:
        self._chat = OpenAiChat(PROFILE)

    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        body = self._chat.body(request, stream=stream)
        limit = limit_of(request, profile)
        if limit is not None:
            body["max_tokens"] = limit
        return body

    def reader(self) -> Reader:
        return _ChunkReader(self._chat.reader())

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return self._chat.read_unary(as_chat(body, "message"))
