"""Ten providers of ten kinds that answer well, badly or not at all, as the prompt says.

A prompt is `FATE-NUMBER`. `well`; `slow`, which stops in the middle until it is closed; `cut` and
`reset` in the middle; `early` and `late`, a reset before or after the head; `busy`, `down`,
`garbage`; `long`, some hundred events.
"""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.faults.wires import ANTHROPIC, CHAT, CONVERSE, GEMINI, OLLAMA, RESPONSES, Wire
from tests.http.server import CUT, END, RESET, Gate, RawServer, Recorded, Step, chunk, head, plain

FATES = ("well", "slow", "cut", "reset", "early", "late", "busy", "down", "garbage", "long")

KINDS: tuple[tuple[str, Wire, dict[str, Any]], ...] = (
    ("openai", RESPONSES, {"api": "responses"}),
    ("azure", CHAT, {"deployment": "m"}),
    ("anthropic", ANTHROPIC, {}),
    ("gemini", GEMINI, {}),
    ("bedrock", CONVERSE, {"region": "us-east-1"}),
    ("xai", CHAT, {"api": "chat"}),
    ("openrouter", CHAT, {"api": "chat"}),
    ("ollama", OLLAMA, {"api": "ollama"}),
    ("groq", CHAT, {}),
    ("openai-compatible", CHAT, {}),
)

_FATE = re.compile(rb"(\w+)-\d+-end")


@asynccontextmanager
async def services() -> AsyncIterator[tuple[dict[str, Any], list[RawServer]]]:
    """Start one for each kind. Gives the providers' settings, and the servers."""
    servers: list[RawServer] = []
    settings: dict[str, Any] = {}
    for kind, wire, more in KINDS:
        server = await RawServer.start(handler=_handler(wire))
        server.bodies_first = True
        servers.append(server)
        told = {
            "kind": kind,
            "baseUrl": server.origin,
            "apiKey": "sk-soak-0123456789",
            "model": "m",
        }
        settings[kind] = told | more
    try:
        yield settings, servers
    finally:
        for server in servers:
            await server.aclose()


def _handler(wire: Wire) -> Any:
    def answer(request: Recorded) -> list[Step]:
        request.connection.requests.clear()  # or the test grows, not the program
        found = _FATE.search(request.body)
        return _script(wire, found[1].decode() if found else "well")

    return answer


def _script(wire: Wire, fate: str) -> list[Step]:
    begin: list[Step] = [head(headers={"Content-Type": wire.content_type})]
    events: list[Step] = [chunk(event) for event in wire.events()]
    if fate == "long":
        return [*begin, *events[:-1], *[chunk(wire.text("more ") * 10)] * 20, events[-1], END]
    if fate in ("busy", "down"):
        return [plain(b'{"error":{"message":"no"}}', 429 if fate == "busy" else 503)]
    cuts: dict[str, list[Step]] = {
        "slow": [*begin, *events[:-1], Gate()],
        "cut": [*begin, *events[:-1], CUT],
        "reset": [*begin, *events[:-1], RESET],
        "early": [RESET],
        "late": [*begin, RESET],
        "garbage": [*begin, chunk(b"\x00\xff not a stream at all\n\n"), END],
    }
    return cuts.get(fate, [*begin, *events, END])
