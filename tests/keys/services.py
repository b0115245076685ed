"""Services on loopback that do with a key what a bad or careless one might do.

One server per provider. What each sends is told by `Moods.now`; all it gets is kept in `got`.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.faults.wires import ANTHROPIC, CHAT, COHERE, CONVERSE, GEMINI, OLLAMA, RESPONSES, Wire
from tests.http.server import CLOSE, END, Gate, RawServer, Recorded, Step, chunk, head, plain

MOODS = (
    "well",
    "refuses and echoes",
    "forbids and echoes",
    "is missing and echoes",
    "is busy and echoes",
    "breaks and echoes",
    "answers garbage with an echo",
    "breaks off in the stream with an echo",
    "is of another format with an echo",
    "sends elsewhere",
    "hangs up",
)

_STATUS = {
    "refuses and echoes": 401,
    "forbids and echoes": 403,
    "is missing and echoes": 404,
    "is busy and echoes": 429,
    "breaks and echoes": 500,
}

_WIRES: tuple[tuple[str, Wire], ...] = (
    ("converse", CONVERSE),
    ("/responses", RESPONSES),
    ("/messages", ANTHROPIC),
    ("rawPredict", ANTHROPIC),
    ("enerateContent", GEMINI),
    ("/api/", OLLAMA),
    ("/v2/chat", COHERE),
)


@dataclass
class Moods:
    """What all services do now, and where the one that sends elsewhere sends to."""

    now: str = "well"
    elsewhere: str = ""
    got: dict[str, bytearray] = field(default_factory=dict)

    async def service(self, owner: str) -> RawServer:
        """Start the service of the provider `owner`."""
        got = self.got.setdefault(owner, bytearray())

        def answer(request: Recorded) -> list[Step]:
            got.extend(request.raw_head + request.body)
            return self._answer(request)

        server = await RawServer.start(handler=answer)
        server.bodies_first = True
        return server

    def _answer(self, request: Recorded) -> list[Step]:
        echo = request.raw_head.decode("latin-1") + request.body.decode(errors="replace")
        lines = {f"X-Echo-{n}": v for n, v in request.headers.items()}
        said = {**lines, "WWW-Authenticate": f"Bearer {echo.splitlines()[0]}"}
        said |= {"X-Request-Id": f"req-{_secret_of(request)}"}
        if self.now in _STATUS:
            error: Any = {"message": f"you sent {echo}", "type": "t", "code": f"c {echo}"}
            body = {"error": error, "message": echo, "__type": echo}
            return [plain(json.dumps(body).encode(), _STATUS[self.now], said)]
        if self.now == "sends elsewhere":
            return [plain(b"", 307, {**said, "Location": f"{self.elsewhere}/?{echo[:200]!r}"})]
        if self.now == "hangs up":
            return [CLOSE]
        if self.now == "answers garbage with an echo":
            return [plain(b"<html>" + echo.encode(), headers=said)]
        if self.now == "is of another format with an echo":
            return [plain(json.dumps({"text": [echo], echo: 5}).encode(), headers=said)]
        return self._stream(request, echo) if _streams(request) else [plain(_whole(request.path))]

    def _stream(self, request: Recorded, echo: str) -> list[Step]:
        wire = next((w for part, w in _WIRES if part in request.path), CHAT)
        begin: list[Step] = [head(headers={"Content-Type": wire.content_type})]
        if self.now == "breaks off in the stream with an echo":
            broken = b"data: " + json.dumps({"error": {"message": echo, "code": echo}}).encode()
            return [*begin, chunk(wire.opening or b"\n"), chunk(broken + b"\n\n"), END]
        return [*begin, *(chunk(event) for event in wire.events()), END]


def _secret_of(request: Recorded) -> str:
    """Return what stands in the place of the key: services write it into their own ids, too."""
    for name in ("authorization", "x-api-key", "api-key", "x-goog-api-key"):
        if value := request.headers.get(name):
            return value.removeprefix("Bearer ")
    return "none"


def _streams(request: Recorded) -> bool:
    if "stream" in request.path.lower():
        return True
    return b'"stream":true' in request.body.replace(b" ", b"")


def _whole(path: str) -> bytes:
    """Return a unary answer, or a list of models, that the format of `path` may be."""
    text = "fine"
    used = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message, "text": text}
    fits_most = {
        "id": "a-1",
        "model": "m",
        "choices": [choice],
        "usage": {**used, "input_tokens": 1, "output_tokens": 1, "inputTokens": 1},
        "data": [{"id": "m", "object": "model"}],
        "models": [{"name": "models/m", "model": "m"}],
        "candidates": [{"content": {"parts": [{"text": text}]}, "finishReason": "STOP"}],
        "totalTokens": 2,
        "input_tokens": 2,
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "done": True,
        "done_reason": "stop",
        "status": "completed",
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": text}],
            }
        ],
    }
    if "/api/" in path:
        fits_most["message"] = message
    if path == "/v2/chat":
        fits_most["message"] = {"role": "assistant", "content": [{"type": "text", "text": text}]}
    if "converse" in path:
        content = {"message": {"role": "assistant", "content": [{"text": text}]}}
        fits_most |= {"output": content, "stopReason": "end_turn"}
    return json.dumps(fits_most).encode()


__all__ = ["MOODS", "Gate", "Moods"]
