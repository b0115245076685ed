"""`ai/complete` asks for a whole answer: what a fault of that one comes to."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.faults import traces
from tests.faults.faults import FOREVER, HOLD, SHORT, html, no
from tests.faults.wires import CHAT, TEXT, USED
from tests.http.server import CUT, RESET, RawServer, Step, plain
from tests.sidecar.harness import Editor

pytestmark = pytest.mark.asyncio


def whole(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    used = {"prompt_tokens": USED[0], "completion_tokens": USED[1], "total_tokens": sum(USED)}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return plain(
        json.dumps({"id": "c-1", "model": "m-1", "choices": [choice], "usage": used}).encode()
    )


GOOD = whole(TEXT)
HALF = GOOD[: len(GOOD) * 3 // 4]


@dataclass(frozen=True)
class Row:
    """`again`: it is retried, and fails over."""

    steps: list[Step]
    kind: str
    again: bool = True


def unheld(script: Any) -> list[Step]:
    return [step for step in script(CHAT) if step is not HOLD]


ROWS = {
    "silent": Row([FOREVER], "timeout"),
    "stall in the body": Row([HALF, FOREVER], "timeout"),
    "cut in the body, FIN": Row([HALF, CUT], "truncatedStream"),
    "cut in the body, RST": Row([HALF, 0.02, RESET], "truncatedStream"),
    "reset before the answer": Row([RESET], "network"),
    "HTML with 200": Row(unheld(html(200)), "malformedStream"),
    "an array with 200": Row([plain(b"[1, 2]")], "malformedStream"),
    "nothing with 200": Row([plain(b"")], "malformedStream"),
    "invalid UTF-8": Row([plain(GOOD[-40:].replace(b"}", b"\xff"))], "malformedStream"),
    "error body with 200": Row(unheld(no(200, "oops", type="server_error")), "server"),
    "502, HTML": Row(unheld(html(502)), "server"),
    "400": Row(unheld(no(400, "messages: expected a list")), "invalidRequest", again=False),
}


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[RawServer]]:
    before = asyncio.all_tasks()
    made = [await RawServer.start([GOOD]) for _ in range(2)]
    yield made
    for server in made:
        await server.all_closed()
        await server.aclose()
    assert traces.left_tasks(before) == []


def options(servers: list[RawServer], chain: list[str]) -> dict[str, Any]:
    named = {name: CHAT.provider(s.origin) for name, s in zip("ab", servers, strict=True)}
    return {
        "default": "a",
        "providers": named,
        "fallback": {"chain": chain},
        "retry": {"attempts": 2},
        "timeouts": {"firstByte": SHORT, "idle": SHORT},
    }


@pytest.mark.parametrize("column", ["alone", "retry", "fallback"])
@pytest.mark.parametrize("name", ROWS)
async def test_cell(name: str, column: str, tmp_path: Path, servers: list[RawServer]) -> None:
    row, (a, b) = ROWS[name], servers
    a.script(row.steps, [GOOD]) if column == "retry" else a.script(row.steps)
    chain = ["b"] if column == "fallback" else []
    with traces.quick_retries(0.03):
        async with Editor(tmp_path, options=options(servers, chain)) as editor:
            answer = await editor.answer(editor.request("ai/complete", {"prompt": "Hi"}))
            assert await traces.left_in(editor) == []
    times = 2 if row.again else 1
    assert (len(a.requests), len(b.requests)) == (times, int(row.again and column == "fallback"))
    if row.again and column != "alone":
        result = answer["result"]
        assert (result["text"], result["provider"]) == (TEXT, "b" if chain else "a")
        failed = result["attempts"][:-1]
    else:
        assert answer["error"]["code"] == -32803
        assert (answer["error"]["data"]["kind"], "partial" in answer["error"]["data"]) == (
            row.kind,
            False,
        )
        failed = answer["error"]["data"]["attempts"]
    expected = times - 1 if row.again and column == "retry" else times
    assert [attempt["error"]["kind"] for attempt in failed] == [row.kind] * expected
