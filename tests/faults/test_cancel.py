"""Cancel while queued, while waiting to retry, while failing over: nothing further is sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.faults import traces
from tests.faults.check import PROMPT
from tests.faults.faults import no, whole
from tests.faults.wires import CHAT, PIECES, TEXT
from tests.http.server import RESET, Gate, RawServer, Step
from tests.sidecar.harness import Editor, text_of

pytestmark = pytest.mark.asyncio

STREAM = {"prompt": "Hi", "partialResultToken": "p"}


@pytest_asyncio.fixture
async def servers() -> AsyncIterator[list[RawServer]]:
    """Two services that are well until a test scripts them; all must be closed at the end."""
    before = asyncio.all_tasks()
    made = [await RawServer.start(whole(CHAT)) for _ in range(2)]
    yield made
    for server in made:
        await server.all_closed()
        await server.aclose()
    assert traces.left_tasks(before) == []


def options(servers: list[RawServer], **more: Any) -> dict[str, Any]:
    named = {name: CHAT.provider(s.origin) for name, s in zip("ab", servers, strict=True)}
    return {"default": "a", "providers": named, "fallback": {"chain": ["b"]}, **more}


def steps(script: list[Step], gate: Gate) -> list[Step]:
    """Hold the script before its terminal event."""
    return [*script[:-2], gate, *script[-2:]]


async def cancelled(editor: Editor, id: int | str) -> None:
    """Cancel, and expect the answer at once and nothing after it."""
    clock = asyncio.get_running_loop().time
    at = clock()
    editor.cancel(id)
    answer = await editor.answer(id)
    assert answer["error"]["code"] == -32800
    assert clock() - at < PROMPT
    await editor.quiet()


async def counts(editor: Editor, name: str) -> tuple[int, int, int]:
    """Requests, cancelled and in flight, as the books have them."""
    found = {p["id"]: p for p in (await editor.call("ai/metrics"))["providers"]}
    listed = {p["id"]: p for p in (await editor.call("ai/providers"))["providers"]}
    booked = found.get(name, {"requests": 0, "cancelled": 0})
    return booked["requests"], booked["cancelled"], listed[name]["rate"]["inFlight"]


async def test_while_queued(tmp_path: Path, servers: list[RawServer]) -> None:
    a, b = servers
    gate = Gate()
    a.script(steps(whole(CHAT), gate), whole(CHAT))
    limited = options(servers, limits={"a": {"maxConcurrent": 1}})
    async with Editor(tmp_path, options=limited) as editor:
        running = editor.request("ai/stream", STREAM)
        await gate.reached.wait()
        for _ in ("start", *PIECES):
            await editor.read()
        queued = [editor.request("ai/stream", {"prompt": f"{n}"}) for n in range(3)]
        await editor.quiet()
        await cancelled(editor, queued[0])
        await cancelled(editor, queued[2])
        assert (len(a.requests), len(b.requests)) == (1, 0)
        gate.open()
        assert (await editor.answer(running))["result"]["provider"] == "a"
        assert (await editor.answer(queued[1]))["result"]["text"] == TEXT
        assert (len(a.requests), len(b.requests)) == (2, 0)
        assert await counts(editor, "a") == (2, 2, 0)
        assert await traces.left_in(editor) == []


@pytest.mark.parametrize("retry_after", [None, "5"])
async def test_while_waiting_to_retry(
    retry_after: str | None, tmp_path: Path, servers: list[RawServer]
) -> None:
    a, b = servers
    headers = [f"Retry-After: {retry_after}"] if retry_after else []
    a.script([s for s in no(429, "slow down", *headers)(CHAT) if isinstance(s, bytes)], whole(CHAT))
    alone = options(servers, fallback={"chain": []})
    async with Editor(tmp_path, options=alone) as editor:
        id = editor.request("ai/stream", STREAM)
        retry = (await editor.read())["params"]["value"]
        assert (retry["kind"], retry["attempt"]) == ("retry", 1)
        wait = retry["waitMs"] / 1000
        assert wait == 5.0 if retry_after else 0.37 <= wait <= 0.51
        await cancelled(editor, id)
        await asyncio.sleep(min(wait, 0.6))
        assert (len(a.requests), len(b.requests)) == (1, 0)
        assert await counts(editor, "a") == (1, 1, 0)
        assert await traces.left_in(editor) == []


@pytest.mark.parametrize("moment", ["told", "asked", "connecting"])
async def test_while_failing_over(
    moment: str, tmp_path: Path, servers: list[RawServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as `retry` is told, while the second provider has not answered, or is connected."""
    a, b = servers
    gate = Gate()
    a.script([s for s in no(401, "who are you")(CHAT) if isinstance(s, bytes)])
    b.script([gate])
    third = await RawServer.start(whole(CHAT))
    servers.append(third)
    chain = options(servers[:2], fallback={"chain": ["b", "c"]})
    chain["providers"]["c"] = CHAT.provider(third.origin)
    connecting = asyncio.Event()
    if moment == "connecting":
        _hold_connections(monkeypatch, b.port, connecting)
    async with Editor(tmp_path, options=chain) as editor:
        id = editor.request("ai/stream", STREAM)
        retry = (await editor.read())["params"]["value"]
        assert (retry["kind"], retry["provider"], retry["waitMs"]) == ("retry", "a", 0)
        if moment == "asked":
            await gate.reached.wait()
        elif moment == "connecting":
            await connecting.wait()
        await cancelled(editor, id)
        if moment == "asked":
            await b.connections[0].closed(PROMPT)
        await asyncio.sleep(0.05)
        assert len(a.requests) == 1 and third.requests == []
        assert len(b.requests) == (1 if moment == "asked" else 0)
        assert (await counts(editor, "b"))[2] == 0
        assert await traces.left_in(editor) == []


def _hold_connections(
    monkeypatch: pytest.MonkeyPatch, port: int, connecting: asyncio.Event
) -> None:
    """Let connections to `port` never come about."""
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect

    async def hold(sock: Any, address: Any) -> None:
        if address[1] == port:
            connecting.set()
            await asyncio.sleep(60)
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", hold)


async def test_a_cancel_that_comes_with_the_fault(tmp_path: Path, servers: list[RawServer]) -> None:
    """However the two fall together, there is one answer, and nothing is sent after it."""
    a, b = servers
    for turns in range(0, 40, 2):
        a.script([RESET])
        sent = len(a.requests), len(b.requests)
        async with Editor(tmp_path, options=options(servers)) as editor:
            id = editor.request("ai/stream", STREAM)
            await a.arrived(sent[0] + 1)
            for _ in range(turns):
                await asyncio.sleep(0)
            editor.cancel(id)
            before, answer = await editor.until_answer(id)
            assert answer["error"]["code"] == -32800
            assert text_of(before, "p") == ""
            await editor.quiet()
            assert (len(a.requests), len(b.requests)) == (sent[0] + 1, sent[1])
            assert await traces.left_in(editor) == []
