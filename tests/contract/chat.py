"""A chat-completions service in steps of bytes: what the scripted server sends for one request."""

import json
from typing import Any

from tests.http.server import Step

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(value, ensure_ascii=False).encode()


def delta(text: str | None = None, finish: str | None = None) -> bytes:
    """One event: a piece of text, or the end."""
    change = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": change, "finish_reason": finish}
    return event({"id": "c-1", "model": "m-1", "choices": [choice]})


def usage() -> bytes:
    used = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    return event({"id": "c-1", "model": "m-1", "choices": [], "usage": used})


END = delta(finish="stop") + usage() + b"data: [DONE]\n\n"


def streamed(pieces: list[str], *, cut: int | None = None) -> list[Step]:
    """A whole stream, its body in writes of `cut` bytes, or one write per event."""
    events = [delta(piece) for piece in pieces] + [END]
    if cut is None:
        return [HEAD, *(chunk(e) for e in events), LAST_CHUNK]
    body = b"".join(events)
    parts = [body[at : at + cut] for at in range(0, len(body), cut)]
    return [HEAD, *(chunk(part) for part in parts), LAST_CHUNK]


def whole(text: str) -> list[Step]:
    """A unary answer."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    used = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    body = json.dumps({"id": "c-1", "model": "m-1", "choices": [choice], "usage": used}).encode()
    return [answer(200, body)]


def answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error(status: int, message: str, *headers: str, **more: Any) -> list[Step]:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return [answer(status, body, *headers)]
