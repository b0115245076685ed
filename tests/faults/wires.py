"""The wire formats of the matrix: what a service of each sends, piece by piece, right and wrong."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PIECES = ("Hel", "lo wörld 😀")
TEXT = "".join(PIECES)
USED = (3, 5)
"""Tokens in and out, as every format reports them of a whole answer."""

BIG = 16 * 1024 * 1024 + 1024
KEY = "sk-fault-matrix-0123456789"


@dataclass(frozen=True)
class Wire:
    """`opening`, one `text` per piece and `closing` make a whole answer.

    `broken` is an event that is none of the format, `not_utf8` one with bytes that are no text,
    `huge` the beginning of one over the limit, `says_no` the service's own error event, which is
    of kind `says`. `bills_opening`: the opening already says how many tokens were read.
    `tells_size`: an event's size is known before the event is there.
    """

    name: str
    kind: str
    opening: bytes
    text: Callable[[str], bytes]
    closing: bytes
    broken: bytes
    not_utf8: bytes
    huge: Callable[[], bytes]
    says_no: bytes
    says: str
    content_type: str = "text/event-stream"
    base: str = ""
    settings: dict[str, Any] = field(default_factory=dict[str, Any])
    bills_opening: bool = False
    tells_size: bool = False

    def provider(self, origin: str) -> dict[str, Any]:
        """The configuration of a provider of this format at `origin`."""
        told = {"kind": self.kind, "baseUrl": origin + self.base, "apiKey": KEY, "model": "m"}
        return {**told, **self.settings}

    def events(self) -> list[bytes]:
        """A whole answer, event by event."""
        return [e for e in (self.opening, *map(self.text, PIECES), self.closing) if e]


def _sse(value: Any, name: str = "") -> bytes:
    data = b"data: %b\n\n" % json.dumps(value, ensure_ascii=False).encode()
    return b"event: %b\n%b" % (name.encode(), data) if name else data


def _huge_line(begin: bytes) -> Callable[[], bytes]:
    return lambda: begin + b"x" * BIG


# --- OpenAI's chat completions ------------------------------------------------------


def _chat(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return _sse({"id": "c-1", "model": "m-1", "choices": [choice]})


_CHAT_USAGE = {"prompt_tokens": USED[0], "completion_tokens": USED[1], "total_tokens": sum(USED)}

CHAT = Wire(
    name="openai_chat",
    kind="openai-compatible",
    base="/v1",
    opening=_chat({"role": "assistant", "content": ""}),
    text=lambda piece: _chat({"content": piece}),
    closing=_chat({}, "stop")
    + _sse({"id": "c-1", "model": "m-1", "choices": [], "usage": _CHAT_USAGE})
    + b"data: [DONE]\n\n",
    broken=b'data: {"id": "c-1", "choices": [{"delta"\n\n',
    not_utf8=b'data: {"id":"c-1","choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n',
    huge=_huge_line(b'data: {"id":"c-1","choices":[{"index":0,"delta":{"content":"'),
    says_no=_sse({"error": {"message": "it went wrong", "type": "server_error"}}),
    says="server",
)

# --- OpenAI's responses -------------------------------------------------------------


def _responses(kind: str, **more: Any) -> bytes:
    return _sse({"type": kind, "sequence_number": 1, **more}, kind)


_STATE = {"id": "r-1", "object": "response", "model": "m-1"}
_AT = {"item_id": "i-1", "output_index": 0, "content_index": 0}
_RESPONSES_USAGE = {"input_tokens": USED[0], "output_tokens": USED[1], "total_tokens": sum(USED)}

RESPONSES = Wire(
    name="openai_responses",
    kind="openai",
    base="/v1",
    settings={"api": "responses"},
    opening=_responses("response.created", response={**_STATE, "status": "in_progress"}),
    text=lambda piece: _responses("response.output_text.delta", **_AT, delta=piece),
    closing=_responses(
        "response.completed",
        response={**_STATE, "status": "completed", "output": [], "usage": _RESPONSES_USAGE},
    ),
    broken=b'event: response.output_text.delta\ndata: {"type": "response.outp\n\n',
    not_utf8=b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta",'
    b'"item_id":"i-1","output_index":0,"content_index":0,"delta":"\xff\xfe"}\n\n',
    huge=_huge_line(b'event: response.output_text.delta\ndata: {"delta":"'),
    says_no=_responses("error", code="server_error", message="it went wrong"),
    says="server",
)

# --- Anthropic's messages ------------------------------------------------------------


def _anthropic(kind: str, **more: Any) -> bytes:
    return _sse({"type": kind, **more}, kind)


_MESSAGE = {"id": "a-1", "type": "message", "role": "assistant", "model": "m-1", "content": []}

ANTHROPIC = Wire(
    name="anthropic_messages",
    kind="anthropic",
    bills_opening=True,
    opening=_anthropic(
        "message_start",
        message={**_MESSAGE, "usage": {"input_tokens": USED[0], "output_tokens": 0}},
    )
    + _anthropic("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    text=lambda piece: _anthropic(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": piece}
    ),
    closing=_anthropic("content_block_stop", index=0)
    + _anthropic(
        "message_delta",
        delta={"stop_reason": "end_turn"},
        usage={"input_tokens": USED[0], "output_tokens": USED[1]},
    )
    + _anthropic("message_stop"),
    broken=b'event: content_block_delta\ndata: {"type": "content_bl\n\n',
    not_utf8=b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"\xff\xfe"}}\n\n',
    huge=_huge_line(b'event: content_block_delta\ndata: {"type":"content_block_delta","x":"'),
    says_no=_anthropic("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    says="overloaded",
)

# --- Gemini --------------------------------------------------------------------------


def _gemini(piece: str, **more: Any) -> bytes:
    candidate = {"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0}
    return _sse({"candidates": [candidate], "modelVersion": "m-1", "responseId": "g-1", **more})


_GEMINI_USAGE = {
    "promptTokenCount": USED[0],
    "candidatesTokenCount": USED[1],
    "totalTokenCount": sum(USED),
}

GEMINI = Wire(
    name="gemini",
    kind="gemini",
    opening=b"",
    text=_gemini,
    closing=_sse(
        {
            "candidates": [{"finishReason": "STOP", "index": 0}],
            "usageMetadata": _GEMINI_USAGE,
            "modelVersion": "m-1",
        }
    ),
    broken=b'data: {"candidates": [{"content"\n\n',
    not_utf8=b'data: {"candidates":[{"content":{"parts":[{"text":"\xff\xfe"}]}}]}\n\n',
    huge=_huge_line(b'data: {"candidates":[{"content":{"parts":[{"text":"'),
    says_no=_sse({"error": {"code": 503, "message": "try later", "status": "UNAVAILABLE"}}),
    says="overloaded",
)

# --- Bedrock's converse (event stream) -------------------------------------------------


def _frame(kind: str, payload: bytes, message: str = "event") -> bytes:
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + len(value).to_bytes(2, "big") + value
        for name, value in (
            (f":{message}-type", kind.encode()),
            (":content-type", b"application/json"),
            (":message-type", message.encode()),
        )
    )
    total = len(headers) + len(payload) + 16
    prelude = total.to_bytes(4, "big") + len(headers).to_bytes(4, "big")
    whole = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return whole + zlib.crc32(whole).to_bytes(4, "big")


def _converse(kind: str, value: Any) -> bytes:
    return _frame(kind, json.dumps(value, ensure_ascii=False).encode())


def _converse_text(piece: str) -> bytes:
    return _converse("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}})


def _huge_frame() -> bytes:
    prelude = BIG.to_bytes(4, "big") + (0).to_bytes(4, "big")
    return prelude + zlib.crc32(prelude).to_bytes(4, "big") + b"x" * (BIG - 12)


_CONVERSE_USAGE = {"inputTokens": USED[0], "outputTokens": USED[1], "totalTokens": sum(USED)}

CONVERSE = Wire(
    name="bedrock_converse",
    kind="bedrock",
    tells_size=True,
    settings={"region": "us-east-1"},
    content_type="application/vnd.amazon.eventstream",
    opening=_converse("messageStart", {"role": "assistant"}),
    text=_converse_text,
    closing=_converse("contentBlockStop", {"contentBlockIndex": 0})
    + _converse("messageStop", {"stopReason": "end_turn"})
    + _converse("metadata", {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 1}}),
    broken=_converse_text("x")[:-1] + b"\0",
    not_utf8=_frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"\xff\xfe"}}'),
    huge=_huge_frame,
    says_no=_frame("throttlingException", b'{"message":"too many"}', "exception"),
    says="rateLimit",
)

# --- Ollama (newline-delimited JSON) ---------------------------------------------------


def _ollama(piece: str, **more: Any) -> bytes:
    told = {"model": "m-1", "message": {"role": "assistant", "content": piece}, "done": False}
    return json.dumps({**told, **more}, ensure_ascii=False).encode() + b"\n"


OLLAMA = Wire(
    name="ollama",
    kind="ollama",
    content_type="application/x-ndjson",
    opening=b"",
    text=_ollama,
    closing=_ollama(
        "", done=True, done_reason="stop", prompt_eval_count=USED[0], eval_count=USED[1]
    ),
    broken=b'{"model": "m-1", "message"\n',
    not_utf8=b'{"model":"m-1","message":{"role":"assistant","content":"\xff\xfe"},"done":false}\n',
    huge=_huge_line(b'{"model":"m-1","message":{"role":"assistant","content":"'),
    says_no=b'{"error":"it went wrong"}\n',
    says="server",
)

# --- Cohere ----------------------------------------------------------------------------


def _cohere(kind: str, **delta: Any) -> bytes:
    return _sse({"type": kind, "index": 0, "delta": delta}, kind)


_COHERE_USAGE = {"tokens": {"input_tokens": USED[0], "output_tokens": USED[1]}}

COHERE = Wire(
    name="cohere",
    kind="cohere",
    opening=_sse({"type": "message-start", "id": "m-1"}, "message-start"),
    text=lambda piece: _cohere("content-delta", message={"content": {"text": piece}}),
    closing=_cohere("message-end", finish_reason="COMPLETE", usage=_COHERE_USAGE)
    + b"data: [DONE]\n\n",
    broken=b'event: content-delta\ndata: {"type": "content-delta", "delta": {\n\n',
    not_utf8=b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"\xff"}}}}\n\n',
    huge=_huge_line(b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"'),
    says_no=_cohere("message-end", finish_reason="ERROR", error="it went wrong"),
    says="server",
)

OTHERS = (RESPONSES, ANTHROPIC, GEMINI, CONVERSE, OLLAMA, COHERE)
