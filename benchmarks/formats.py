"""Wire formats the load server speaks: what one stream of each looks like on the socket.

A format knows its path and how to put a text into an event of about the wanted size. Adding one is
adding a row to `FORMATS`.
"""

from collections.abc import Callable

import msgspec

encode = msgspec.json.encode


class Format(msgspec.Struct, frozen=True):
    """`event(text, size)` is one event of about `size` bytes, between `opening` and `closing`."""

    path: str
    content_type: str
    opening: Callable[[], bytes]
    event: Callable[[str, int], bytes]
    closing: Callable[[int], bytes]


def chunk_of(data: bytes) -> bytes:
    """Return `data` as one HTTP/1.1 chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


# --- OpenAI chat completions ---------------------------------------------------------------------


def _openai_chat(delta: dict[str, str], finish: str | None, size: int = 0, **more: object) -> bytes:
    body: dict[str, object] = {
        "id": "chatcmpl-BenchBenchBenchBenchBench1",
        "object": "chat.completion.chunk",
        "created": 1764000000,
        "model": "bench",
        "system_fingerprint": "fp_0123456789",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }
    data = b"data: " + encode(body) + b"\n\n"
    if size > len(data) + 17:  # OpenAI itself pads its events with this field
        body["obfuscation"] = "x" * (size - len(data) - 17)
        data = b"data: " + encode(body) + b"\n\n"
    return data


def _openai_chat_closing(tokens: int) -> bytes:
    usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
    end = _openai_chat({}, "stop", usage=usage)
    return chunk_of(end) + chunk_of(b"data: [DONE]\n\n")


OPENAI_CHAT = Format(
    path="/v1/chat/completions",
    content_type="text/event-stream",
    opening=lambda: chunk_of(_openai_chat({"role": "assistant", "content": ""}, None)),
    event=lambda text, size: chunk_of(_openai_chat({"content": text}, None, size)),
    closing=_openai_chat_closing,
)

FORMATS: dict[str, Format] = {f.path: f for f in (OPENAI_CHAT,)}
