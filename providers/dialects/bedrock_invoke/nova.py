"""Nova's payload: the Converse format, with each event inside a chunk under its own name.

Source: docs.aws.amazon.com/nova, "Complete request schema".
"""

import msgspec

from providers.dialects.base import Reader
from providers.dialects.bedrock_invoke.payload import Body, Payload
from providers.dialects.bedrock_reader import ConverseEvent, ConverseReader, read_answer
from providers.dialects.bedrock_request import BedrockProfile, build_body
from providers.types import ChatRequest, StreamToken
from providers.wire.json_text import decode


class _Chunk(msgspec.Struct, rename="camel", gc=False):
    message_start: ConverseEvent | None = None
    content_block_start: ConverseEvent | None = None
    content_block_delta: ConverseEvent | None = None
    content_block_stop: ConverseEvent | None = None
    message_stop: ConverseEvent | None = None
    metadata: ConverseEvent | None = None


_chunk = msgspec.json.Decoder(_Chunk, strict=False)


class NovaReader(ConverseReader):
    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        chunk = decode(_chunk, data)
        for name in _Chunk.__struct_fields__:
            said: ConverseEvent | None = getattr(chunk, name)
            if said is not None:
                self.take(_EVENTS[name], said, out)


_EVENTS = dict(zip(_Chunk.__struct_fields__, _Chunk.__struct_encode_fields__, strict=True))


class Nova(Payload):
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        body = build_body(request, profile, stream=stream)
        body.pop("outputConfig", None)
        return {"schemaVersion": "messages-v1", **body}

    def reader(self) -> Reader:
        return NovaReader()

    def read_unary(self, body: bytes) -> list[StreamToken]:
        return read_answer(body)
