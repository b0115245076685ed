"""What every family's payload offers, and what the plain text ones have in common.

`InvokeModel` hands a body through to the model as it is, so each family has a format of its own.
Those of text alone know no tools, no images and no roles: a conversation becomes one prompt.
"""

from abc import ABC, abstractmethod
from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from providers.dialects.anthropic_turns import system_texts
from providers.dialects.base import Reader
from providers.dialects.bedrock_reader import exception_of
from providers.dialects.bedrock_request import BedrockProfile, default_limit
from providers.errors import Malformed, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    Finish,
    FinishReason,
    Image,
    JsonSchema,
    StreamStart,
    StreamToken,
    Text,
    TextDelta,
    Usage,
    UsageReport,
)
from providers.wire.eventstream import EXCEPTION_MARK
from providers.wire.json_text import decode, joined

Body = dict[str, object]

FINISH: dict[str, FinishReason] = {
    "finish": "stop",
    "finished": "stop",
    "stop": "stop",
    "stop_sequence": "stop",
    "stop_criteria_met": "stop",
    "complete": "stop",
    "endoftext": "stop",
    "length": "length",
    "max_tokens": "length",
    "error_limit": "length",
    "content_filtered": "contentFilter",
    "error_toxic": "contentFilter",
}
"""A text model's own word, in lower case -> ours."""


class Payload(ABC):
    """One family's format. Stateless."""

    @abstractmethod
    def body(self, request: ChatRequest, profile: BedrockProfile, *, stream: bool) -> Body:
        """Return the body. Raises `Unsupported` for what the format cannot carry."""

    @abstractmethod
    def reader(self) -> Reader:
        """Return a reader for the JSON inside the chunks of one stream."""

    @abstractmethod
    def read_unary(self, body: bytes) -> list[StreamToken]:
        """Return the tokens of a whole answer."""


# --- The chunks around it ------------------------------------------------------------------


class _Metrics(msgspec.Struct, rename="camel", gc=False):
    input_token_count: int | None = None
    output_token_count: int | None = None
    cache_read_input_token_count: int | None = None
    cache_write_input_token_count: int | None = None


class _Measured(msgspec.Struct, gc=False):
    metrics: _Metrics | None = msgspec.field(default=None, name="amazon-bedrock-invocationMetrics")


class _Chunk(msgspec.Struct, gc=False):
    bytes: str | None = None


_chunk = msgspec.json.Decoder(_Chunk, strict=False)
_measured = msgspec.json.Decoder(_Measured, strict=False)
_METRICS = b'"amazon-bedrock-invocationMetrics"'


class InvokeReader(Reader):
    """Takes the family's JSON out of the chunks, and the counts that Bedrock puts into the last."""

    def __init__(self, inner: Reader) -> None:
        self.finished = False
        self._inner = inner
        self._counted = False
        self._ended = False  # `Finish` was given: whether more is read depends on the chunks' cuts

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        if event[:1] == EXCEPTION_MARK:
            raise exception_of(event[1:], data)
        if event != "chunk" or self._ended:
            return
        packed = decode(_chunk, data).bytes
        if packed is None:
            return
        try:
            payload = a2b_base64(packed, strict_mode=True)
        except (Base64Error, ValueError):
            raise Malformed("a chunk's `bytes` are not base64") from None
        before = len(out)
        self._inner.read("", payload, out)
        self.finished = self._inner.finished
        for token in out[before:]:
            if type(token) is UsageReport:
                self._counted = True
        if not self._counted and _METRICS in payload:
            self._count(payload, out)
        self._ended = len(out) > before and type(out[-1]) is Finish

    def end(self, out: list[StreamToken]) -> None:
        self._inner.end(out)

    def _count(self, payload: bytes, out: list[StreamToken]) -> None:
        metrics = decode(_measured, payload).metrics
        if metrics is None:
            return
        read = metrics.cache_read_input_token_count or 0
        written = metrics.cache_write_input_token_count or 0
        report = usage_report(
            (metrics.input_token_count or 0) + read + written,
            metrics.output_token_count or 0,
            read,
            written,
        )
        last = len(out) - 1 if out and type(out[-1]) is Finish else len(out)
        out.insert(last, report)


def usage_report(taken: int, answered: int, read: int = 0, written: int = 0) -> UsageReport:
    """Return the usage; `taken` includes what came from or went to the cache."""
    return UsageReport(Usage(taken, answered, read, written, 0, taken + answered))


# --- Plain text -------------------------------------------------------------------------------


class TextPiece(NamedTuple):
    """What one chunk, or a whole answer, says. `stop` is the model's word for its end."""

    text: str = ""
    stop: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    id: str = ""


class TextReader(Reader):
    """Reads a stream of pieces of text; the piece with a stop reason is the last."""

    def __init__(self, piece_of: Callable[[bytes], TextPiece]) -> None:
        self.finished = False
        self._piece_of = piece_of
        self._started = False
        self._input = 0

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        piece = self._piece_of(data)
        if self.finished:
            return
        if not self._started:
            self._started = True
            out.append(StreamStart(piece.id, ""))
        self._input = piece.input_tokens or self._input
        if piece.text:
            out.append(TextDelta(piece.text))
        if piece.stop is None:
            return
        if piece.output_tokens is not None:
            out.append(usage_report(self._input, piece.output_tokens))
        self.finished = True
        out.append(Finish(FINISH.get(piece.stop.lower(), "other"), piece.stop))

    def end(self, out: list[StreamToken]) -> None:
        if not self.finished:
            raise Truncated("the stream ended without a stop reason")


def read_text(piece: TextPiece) -> list[StreamToken]:
    """Return the tokens of a whole answer of text."""
    out: list[StreamToken] = [StreamStart(piece.id, "")]
    if piece.text:
        out.append(TextDelta(piece.text))
    if piece.output_tokens is not None:
        out.append(usage_report(piece.input_tokens or 0, piece.output_tokens))
    out.append(Finish(FINISH.get((piece.stop or "").lower(), "other"), piece.stop))
    return joined(out)


class Turn(NamedTuple):
    role: str  # "user" | "assistant"
    text: str


class Conversation(NamedTuple):
    system: str
    turns: list[Turn]


def conversation(request: ChatRequest, name: str) -> Conversation:
    """Return the request as texts. Raises `Unsupported` for what a text model cannot be told."""
    if request.tools or any(m.role == "tool" or m.tool_calls for m in request.messages):
        raise Unsupported(f"`tools`: {name} has none; with `api = converse` it may")
    if isinstance(request.response_format, JsonSchema):
        raise Unsupported(f"`responseFormat`: {name} has no schemas")
    out: list[Turn] = []
    for message in request.messages:
        if any(isinstance(part, Image) for part in message.content):
            raise Unsupported(f"`messages`: {name} takes no images here")
        text = "".join(part.text for part in message.content if isinstance(part, Text))
        if message.role == "system" or not text:
            continue
        if out and out[-1].role == message.role:
            out[-1] = Turn(message.role, f"{out[-1].text}\n\n{text}")
        else:
            out.append(Turn(message.role, text))
    return Conversation("\n\n".join(system_texts(request, request.messages)), out)


def limit_of(request: ChatRequest, profile: BedrockProfile) -> int | None:
    """Return the answer's limit in tokens: the request's, or what the catalog makes of none."""
    return request.max_tokens or default_limit(profile)


def given(**fields: object) -> Body:
    """Return the fields that are not None: what was not asked for is not sent."""
    return {name: value for name, value in fields.items() if value is not None}


def no_seed(request: ChatRequest, name: str) -> None:
    """Raise `Unsupported` if the request has a seed."""
    if request.seed is not None:
        raise Unsupported(f"`seed`: {name} has none")
