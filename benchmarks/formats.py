"""Wire formats the load server speaks: what one stream of each looks like on the socket.

A format knows the paths it answers, which script and which stream a request asks for, and how to
put a text into an event of about the wanted size. Adding one is adding a row to `FORMATS`.
"""

import re
import zlib
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

encode = msgspec.json.encode


class TextPart(msgspec.Struct):
    text: str = ""


class Turn(msgspec.Struct):
    content: str | list[TextPart] = ""
    parts: list[TextPart] = []


class Body(msgspec.Struct):
    """The fields of any format's request that say which stream is wanted."""

    model: str = ""
    messages: list[Turn] = []
    input: str | list[Turn] = ""
    contents: list[Turn] = []


class Format(msgspec.Struct, frozen=True):
    """`event(text, size)` is one event of about `size` bytes, between `opening` and `closing`.

    All three are HTTP chunks, one event each. Where the body names no model, the path does.
    """

    path: re.Pattern[str]
    content_type: str
    opening: Callable[[], bytes]
    event: Callable[[str, int], bytes]
    closing: Callable[[int], bytes]


def asked(form: Format, path: str, body: bytes) -> tuple[str, str]:
    """Return (model, key): the script's name, and the prompt, which is the stream's name."""
    request = msgspec.json.decode(body, type=Body)
    found = form.path.fullmatch(path)
    model = request.model or (unquote(found[1]) if found and found.groups() else "")
    if isinstance(request.input, str):
        turns = request.messages or request.contents or [Turn(request.input)]
    else:
        turns = request.input
    content = turns[-1].parts or turns[-1].content
    return model, content if isinstance(content, str) else "".join(p.text for p in content)


def chunk_of(data: bytes) -> bytes:
    """Return `data` as one HTTP/1.1 chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Fields = dict[str, object]


def _sse(body: Fields, size: int = 0, *, name: str = "", pad: str = "") -> bytes:
    """Return a chunk with one event; `pad`: the field a service fills up with, else spaces."""
    head = f"event: {name}\ndata: ".encode() if name else b"data: "
    return chunk_of(head + _padded(body, size - len(head) - 2, pad) + b"\n\n")


def _padded(body: Fields, size: int, pad: str) -> bytes:
    data = encode(body)
    missing = size - len(data)
    if missing <= 0:
        return data
    overhead = len(pad) + 6  # ,"pad":""
    if pad and missing >= overhead:
        return encode({**body, pad: "x" * (missing - overhead)})
    return data[:-1] + b" " * missing + b"}"


# --- OpenAI chat completions -------------------------------------


def _chat(delta: dict[str, str], finish: str | None, size: int = 0, **more: object) -> bytes:
    body: Fields = {
        "id": "chatcmpl-BenchBenchBenchBenchBench1",
        "object": "chat.completion.chunk",
        "created": 1764000000,
        "model": "bench",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    return _sse(body, size, pad="obfuscation")


def _chat_closing(tokens: int) -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
    return _chat({}, "stop", usage=usage) + chunk_of(b"data: [DONE]\n\n")


OPENAI_CHAT = Format(
    path=re.compile(r"/.*chat/completions(?:\?.*)?"),
    content_type="text/event-stream",
    opening=lambda: _chat({"role": "assistant", "content": ""}, None),
    event=lambda text, size: _chat({"content": text}, None, size),
    closing=_chat_closing,
)

# --- OpenAI responses --------------------------------------------

_ITEM = {"id": "msg_bench", "type": "message", "role": "assistant"}


def _responses(kind: str, size: int = 0, **fields: object) -> bytes:
    body: Fields = {"type": kind, "sequence_number": 4, **fields}
    return _sse(body, size, name=kind, pad="obfuscation")


def _responses_state(status: str, **more: object) -> Fields:
    return {"id": "resp_bench", "object": "response", "status": status, "model": "bench", **more}


def _responses_closing(tokens: int) -> bytes:
    usage = {"input_tokens": 9, "output_tokens": tokens, "total_tokens": 9 + tokens}
    state = _responses_state("completed", output=[], usage=usage)
    return _responses("response.completed", response=state)


OPENAI_RESPONSES = Format(
    path=re.compile(r"/.*responses(?:\?.*)?"),
    content_type="text/event-stream",
    opening=lambda: (
        _responses("response.created", response=_responses_state("in_progress"))
        + _responses("response.output_item.added", output_index=0, item={**_ITEM, "content": []})
    ),
    event=lambda text, size: _responses(
        "response.output_text.delta",
        size,
        item_id="msg_bench",
        output_index=0,
        content_index=0,
        delta=text,
    ),
    closing=_responses_closing,
)

# --- Anthropic messages ------------------------------------------


def _anthropic(kind: str, size: int = 0, **fields: object) -> bytes:
    return _sse({"type": kind, **fields}, size, name=kind)


def _anthropic_opening() -> bytes:
    message: Fields = {"id": "msg_bench", "type": "message", "role": "assistant", "model": "bench"}
    message |= {"content": [], "stop_reason": None, "usage": {"input_tokens": 9}}
    block = {"type": "text", "text": ""}
    start = _anthropic("message_start", message=message)
    return start + _anthropic("content_block_start", index=0, content_block=block)


def _anthropic_closing(tokens: int) -> bytes:
    usage = {"output_tokens": tokens}
    return (
        _anthropic("content_block_stop", index=0)
        + _anthropic("message_delta", delta={"stop_reason": "end_turn"}, usage=usage)
        + _anthropic("message_stop")
    )


ANTHROPIC_MESSAGES = Format(
    path=re.compile(r"/v1/messages"),
    content_type="text/event-stream",
    opening=_anthropic_opening,
    event=lambda text, size: _anthropic(
        "content_block_delta", size, index=0, delta={"type": "text_delta", "text": text}
    ),
    closing=_anthropic_closing,
)

# --- Gemini ------------------------------------------------------


def _gemini(text: str, size: int = 0, **more: object) -> bytes:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more}
    return _sse({"candidates": [candidate], "modelVersion": "bench", "responseId": "b"}, size)


def _gemini_closing(tokens: int) -> bytes:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": tokens, "totalTokenCount": 9 + tokens}
    candidate: Fields = {
        "content": {"parts": [], "role": "model"},
        "index": 0,
        "finishReason": "STOP",
    }
    return _sse({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "bench"})


GEMINI = Format(
    path=re.compile(r"/v1(?:beta\d*)?/(?:.*/)?models/([^:]+):streamGenerateContent\?alt=sse"),
    content_type="text/event-stream",
    opening=lambda: b"",
    event=_gemini,
    closing=_gemini_closing,
)

# --- Bedrock converse (event stream) -----------------------------


def _frame(kind: str, body: Fields, size: int = 0) -> bytes:
    """Return a chunk with one message of Amazon's event stream encoding, checksums and all."""
    fields = (
        (":event-type", kind),
        (":content-type", "application/json"),
        (":message-type", "event"),
    )
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + len(value).to_bytes(2, "big")
        + value.encode()
        for name, value in fields
    )
    payload = _padded(body, size - len(headers) - 16, "p")
    prelude = (len(headers) + len(payload) + 16).to_bytes(4, "big") + len(headers).to_bytes(
        4, "big"
    )
    message = prelude + zlib.crc32(prelude).to_bytes(4, "big") + headers + payload
    return chunk_of(message + zlib.crc32(message).to_bytes(4, "big"))


def _converse_closing(tokens: int) -> bytes:
    usage = {"inputTokens": 9, "outputTokens": tokens, "totalTokens": 9 + tokens}
    return (
        _frame("contentBlockStop", {"contentBlockIndex": 0})
        + _frame("messageStop", {"stopReason": "end_turn"})
        + _frame("metadata", {"usage": usage, "metrics": {"latencyMs": 1}})
    )


BEDROCK_CONVERSE = Format(
    path=re.compile(r"/model/([^/]+)/converse-stream"),
    content_type="application/vnd.amazon.eventstream",
    opening=lambda: _frame("messageStart", {"role": "assistant"}),
    event=lambda text, size: _frame(
        "contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": text}}, size
    ),
    closing=_converse_closing,
)

# --- Ollama ------------------------------------------------------


def _ollama(text: str, size: int = 0, **more: object) -> bytes:
    body: Fields = {
        "model": "bench",
        "created_at": "2026-01-01T00:00:00.855283Z",
        "message": {"role": "assistant", "content": text},
        "done": False,
        **more,
    }
    return chunk_of(_padded(body, size - 1, "") + b"\n")


OLLAMA = Format(
    path=re.compile(r"/api/chat"),
    content_type="application/x-ndjson",
    opening=lambda: b"",
    event=_ollama,
    closing=lambda tokens: _ollama(
        "", done=True, done_reason="stop", prompt_eval_count=9, eval_count=tokens
    ),
)

FORMATS: dict[str, Format] = {
    "chat": OPENAI_CHAT,
    "responses": OPENAI_RESPONSES,
    "anthropic": ANTHROPIC_MESSAGES,
    "gemini": GEMINI,
    "converse": BEDROCK_CONVERSE,
    "ollama": OLLAMA,
}


def format_of(path: str) -> Format | None:
    """Return the format that answers `path`, None if there is none."""
    return next((form for form in FORMATS.values() if form.path.fullmatch(path)), None)
