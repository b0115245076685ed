"""Every dialect: whatever a service sends is read to tokens, or refused by an error of the tree.

The laws: only `ProviderError` leaves; any cut gives the same tokens and the same error; text is
never empty nor has half a character in it; no count is below nothing; a stream that ends without an
error ends in one `Finish`, its last token; and there is no more text than bytes.
"""

import base64
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from fuzz.answers import ERRORS, INVOKE_MODELS, OPENAI_ERRORS, STREAMS, WHOLE
from fuzz.material import Cursor, cut, edited, text_of, words_of
from fuzz.targets.eventstream import message
from providers.accumulate import Accumulator
from providers.dialects.anthropic_messages import AnthropicMessages
from providers.dialects.base import Dialect
from providers.dialects.bedrock_converse import BedrockConverse
from providers.dialects.bedrock_invoke import BedrockInvoke
from providers.dialects.claude_code import ClaudeCodeReader
from providers.dialects.cohere import Cohere
from providers.dialects.gemini import Gemini, GeminiProfile
from providers.dialects.ollama import Ollama
from providers.dialects.openai_chat import ChatProfile, OpenAiChat
from providers.dialects.openai_completions import OpenAiCompletions
from providers.dialects.openai_responses import OpenAiResponses
from providers.errors import ProviderError, ResponseError
from providers.stream import StreamProcessor, processor_for
from providers.types import (
    Finish,
    ReasoningDelta,
    StreamToken,
    TextDelta,
    ToolCallDelta,
)
from providers.wire.ndjson import NdjsonDecoder

Framer = Callable[[list[Any], int], bytes]


class Target(NamedTuple):
    """What `fuzz.targets.load` gives for a dialect."""

    check: Callable[[bytes], None]
    SEEDS: tuple[bytes, ...]
    WORDS: tuple[bytes, ...]
    explicit: Callable[[bytes], bytes]


# --- framings -----------------------------------------------------------------------------------


def as_sse(events: list[Any], how: int) -> bytes:
    out = b""
    for event in events:
        kind = event.get("type") if isinstance(event, dict) else None
        if how & 2 and isinstance(kind, str) and kind.isascii() and kind.isprintable():
            out += b"event: %b\n" % kind.encode()
        out += b"data: %b\n\n" % text_of(event, how)
    return out + (b"data: [DONE]\n\n" if how & 4 else b"")


def as_lines(events: list[Any], how: int) -> bytes:
    return b"".join(text_of(event, how) + b"\n" for event in events)


def as_array(events: list[Any], how: int) -> bytes:
    return b"[" + b",\r\n".join(text_of(event, how) for event in events) + b"]"


def as_messages(events: list[Any], how: int) -> bytes:
    """Converse: the event's name is a header."""
    out = b""
    for event in events:
        named = isinstance(event, dict) and len(event) == 1
        name, value = next(iter(event.items())) if named else ("x", event)
        kind, mark = (
            ("exception", ":exception-type") if name[:1] == "!" else ("event", ":event-type")
        )
        fields = ((":message-type", kind), (mark, name.lstrip("!")))
        out += message(b"".join(header(*field) for field in fields), text_of(value, how))
    return out


def as_chunks(events: list[Any], how: int) -> bytes:
    """Invoke: the model's own event in base64."""
    head = header(":message-type", "event") + header(":event-type", "chunk")
    out = b""
    for event in events:
        inner = base64.b64encode(text_of(event, how)).decode()
        out += message(head, text_of({"bytes": inner, "p": "abc"}))
    return out


def header(name: str, value: str) -> bytes:
    text = value.encode("utf-8", "replace")[:1000]
    return b"%c%b\7%b%b" % (len(name), name.encode(), len(text).to_bytes(2, "big"), text)


# --- the dialects -----------------------------------------------------------------------------


_CHATS = (
    OpenAiChat(),
    OpenAiChat(ChatProfile(keep_details=True)),
    OpenAiChat(ChatProfile(think_tags=True)),
)
_GEMINIS = (Gemini(), Gemini(GeminiProfile(stream="json")))
_INVOKES = tuple(map(BedrockInvoke, INVOKE_MODELS))
DIALECTS: dict[str, tuple[tuple[Dialect, ...], tuple[Framer, ...]]] = {
    "openai_chat": (_CHATS, (as_sse,)),
    "openai_responses": ((OpenAiResponses(),), (as_sse,)),
    "openai_completions": ((OpenAiCompletions(),), (as_sse,)),
    "anthropic": ((AnthropicMessages(),), (as_sse,)),
    "gemini": (_GEMINIS, (as_sse, as_array)),
    "bedrock_converse": ((BedrockConverse(),), (as_messages,)),
    "bedrock_invoke": (_INVOKES, (as_chunks,)),
    "ollama": ((Ollama(),), (as_lines,)),
    "cohere": ((Cohere(),), (as_sse,)),
    "claude_code": ((), (as_lines,)),
}
HEADERS = (
    {},
    {"retry-after": "3", "x-request-id": "q"},
    {"retry-after": "nan", "content-type": "text/html", "retry-after-ms": "1e999"},
    {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT", "x-amzn-errortype": "ThrottlingException:x"},
    {"retry-after": "-1", "x-ratelimit-reset-requests": "1h2m3.4s5ms"},
    {"retry-after": "9" * 400, "anthropic-ratelimit-requests-reset": "tomorrow"},
)
STATUSES = (400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 503, 529, 302, 451)
_MADE = 64  # an input that begins with such a byte is edits of a seed, else it is the bytes sent
_MOST_MESSAGE = 64 * 1024


def target(name: str) -> Target:
    """Return the target of the dialect `name`."""
    streams, whole = STREAMS[name], WHOLE[name]
    errors = ERRORS.get(name, OPENAI_ERRORS)
    words = words_of([streams, whole, errors])
    dialects, framers = DIALECTS[name]

    def body_of(cursor: Cursor, kind: int, at: int) -> bytes:
        if kind < _MADE:
            return cursor.rest()
        if kind % 4 < 2 or not dialects:
            frame = framers[at % len(framers)]
            events = streams[at % len(streams)] if frame is as_chunks else cursor.pick(streams)
            return frame(edited(events, cursor, words), kind >> 2)
        chosen = edited([cursor.pick(whole if kind % 4 == 2 else errors)], cursor, words)
        return text_of(chosen[0], kind >> 2) if chosen else b""

    def check(data: bytes) -> None:
        cursor = Cursor(data)
        kind, which, how = cursor.byte(), cursor.byte(), cursor.byte()
        at = which % max(len(dialects), 1)
        body = body_of(cursor, kind, at)
        if kind % 4 < 2 or not dialects:
            open_ = (lambda: processor_for(dialects[at])) if dialects else claude_code
            stream(open_, body, how)
        elif kind % 4 == 2:
            unary(dialects[at], body)
        else:
            headers, status = HEADERS[how % len(HEADERS)], STATUSES[which % len(STATUSES)]
            refused(dialects[at], status, headers, body)

    def explicit(data: bytes) -> bytes:
        """Return an input that is the same case, however the seeds will change."""
        cursor = Cursor(data)
        kind, which, how = cursor.byte(), cursor.byte(), cursor.byte()
        body = body_of(cursor, kind, which % max(len(dialects), 1))
        return b"%c%c%c" % (kind % 4, which, how) + body

    seeds = [
        b"%c%c%c%c" % (kind, which, 5, n)
        for kind in (64, 68, 72, 84, 66, 67)
        for which in range(max(len(dialects), 1))
        for n in range(len(streams) if kind % 4 < 2 else 2)
    ]
    seeds += [b"\0\0\7" + framers[0](events, 2) for events in streams]
    quoted = tuple(b'"%b"' % w.encode() for w in words if 2 < len(w) < 30 and w.isascii())
    return Target(check, tuple(dict.fromkeys(seeds)), quoted, explicit)


def claude_code() -> StreamProcessor:
    return StreamProcessor(NdjsonDecoder(), ClaudeCodeReader())


def stream(open_: Callable[[], StreamProcessor], body: bytes, how: int) -> None:
    tokens, error = run(open_(), [body])
    for way in (1, how):
        other = run(open_(), cut(body, way))
        assert other == (tokens, error), (way, other, tokens, error)
    lawful(tokens, len(body))
    if error is None:
        assert tokens and type(tokens[-1]) is Finish


def run(processor: StreamProcessor, pieces: list[bytes]) -> tuple[list[StreamToken], Any]:
    out: list[StreamToken] = []
    try:
        for piece in pieces:
            out += processor.feed(piece)
            if processor.complete:
                break
        out += processor.end()
    except ProviderError as error:
        assert error.message and len(error.message) <= _MOST_MESSAGE
        msgspec.json.encode(error.message)
        return joined(out), (type(error), error.message, error.kind, error.retryable)
    return joined(out), None


def joined(tokens: list[StreamToken]) -> list[StreamToken]:
    """Return the tokens; a surrogate may have held text back, so that pieces may differ."""
    return tokens


def unary(dialect: Dialect, body: bytes) -> None:
    try:
        tokens = dialect.read_unary(body)
    except ProviderError as error:
        assert error.message and len(error.message) <= _MOST_MESSAGE
        return
    lawful(tokens, len(body), whole=True)
    assert type(tokens[-1]) is Finish


def refused(dialect: Dialect, status: int, headers: dict[str, str], body: bytes) -> None:
    error = dialect.read_error(status, headers, body)
    assert isinstance(error, ResponseError) and error.message
    assert len(error.message) <= _MOST_MESSAGE
    after = error.retry_after
    assert after is None or (math.isfinite(after) and after >= 0)
    assert error.status == status


def lawful(tokens: list[StreamToken], size: int, *, whole: bool = False) -> None:
    written = 0
    for index, token in enumerate(tokens):
        if not whole:
            msgspec.json.encode(token)  # no half of a character
        match token:
            case TextDelta():
                assert token.text
                written += len(token.text)
            case ReasoningDelta():
                assert token.text or token.opaque is not None
                written += len(token.text)
            case ToolCallDelta():
                assert token.index >= 0
                written += len(token.arguments or "")
            case Finish():
                assert index == len(tokens) - 1, "something comes after the end"
            case _:
                pass
    assert written <= 8 * size + 1000
    total = Accumulator()
    total.add(tokens)
    answer = total.response()
    counts = msgspec.structs.astuple(answer.usage) if answer.usage is not None else ()
    assert all(isinstance(n, int) and 0 <= n < 2**53 for n in counts), counts
    cost = answer.cost_usd
    assert cost is None or (math.isfinite(cost) and cost >= 0), cost
