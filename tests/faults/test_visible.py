"""What an editor can see without asking a service: circuits, cooldowns, waits, a quiet start."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from providers.policy import breaker
from tests.contract.process import Sidecar
from tests.faults.faults import no, whole
from tests.faults.wires import CHAT, TEXT
from tests.http.server import RawServer, Step
from tests.sidecar.harness import Editor

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    made = await RawServer.start(whole(CHAT))
    yield made
    await made.aclose()


def saying(status: int, *headers: str) -> list[Step]:
    return [step for step in no(status, "we are full", *headers)(CHAT) if isinstance(step, bytes)]


def options(server: RawServer, **more: Any) -> dict[str, Any]:
    named = {"a": CHAT.provider(server.origin)}
    return {"default": "a", "providers": named, "retry": {"attempts": 1}, **more}


class Seen:
    """What the lists say of `a`."""

    def __init__(self, editor: Any) -> None:
        self._editor = editor

    async def of(self, method: str) -> Any:
        rows = (await self._editor.call(method))["providers"]
        return next(row for row in rows if row["id"] == "a")

    async def circuit(self) -> tuple[str, int]:
        row = await self.of("ai/providers")
        return row["circuit"], row.get("cooldownMs", 0)

    async def ask(self) -> Any:
        return await self._editor.answer(self._editor.request("ai/stream", {"prompt": "Hi"}))


async def test_a_circuit_opens_grows_and_closes_in_sight(
    tmp_path: Path, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "FIRST_OPEN", 0.2)
    server.script(saying(500))
    async with Editor(tmp_path, options=options(server)) as editor:
        seen = Seen(editor)
        assert (await seen.of("ai/health"))["status"] == "unknown"
        for _ in range(breaker.FAULTS_TO_OPEN):
            assert (await seen.circuit())[0] == "closed"
            await seen.ask()
        state, first = await seen.circuit()
        assert state == "open" and 100 < first <= 200
        health = await seen.of("ai/health")
        assert (health["status"], health["error"]["kind"], health["error"]["status"]) == (
            "unhealthy",
            "server",
            500,
        )
        await asyncio.sleep(0.25)
        assert await seen.circuit() == ("halfOpen", 0)
        await seen.ask()
        state, second = await seen.circuit()
        assert state == "open" and 250 < second <= 400, "twice as long"
        server.script(whole(CHAT))
        await asyncio.sleep(0.45)
        assert (await seen.ask())["result"]["text"] == TEXT
        assert await seen.circuit() == ("closed", 0)
        health = await seen.of("ai/health")
        assert health["status"] == "healthy" and health["latencyMs"] > 0
        assert "error" not in health
        metrics = await seen.of("ai/metrics")
        assert (metrics["requests"], metrics["ok"], metrics["errors"]) == (7, 1, {"server": 6})
        assert metrics["firstTokenMs"]["p50"] > 0


async def test_a_cooldown_is_told_with_its_length_and_reason(
    tmp_path: Path, server: RawServer
) -> None:
    server.script(saying(429, "Retry-After: 30"))
    async with Editor(tmp_path, options=options(server)) as editor:
        seen = Seen(editor)
        await seen.ask()
        state, cooldown = await seen.circuit()
        assert state == "closed" and 29_000 < cooldown <= 30_000, "a limit is no fault"
        error = (await seen.of("ai/health"))["error"]
        assert (error["kind"], error["retryAfterMs"]) == ("rateLimit", 30_000)


async def test_the_wait_for_ones_turn_is_told(tmp_path: Path, server: RawServer) -> None:
    limits = {"a": {"requestsPerMinute": 1}}
    limited = options(server, limits=limits, retry={"maxWaitMs": 100_000})
    async with Editor(tmp_path, options=limited) as editor:
        await editor.until_answer(editor.request("ai/stream", {"prompt": "Hi"}))
        waiting = editor.request("ai/stream", {"prompt": "Hi", "workDoneToken": "w"})
        told = ""
        while "waiting for its turn" not in told:
            told = json.dumps(await editor.read())
        editor.cancel(waiting)
        _, answer = await editor.until_answer(waiting)
        assert answer["error"]["code"] == -32800
        assert len(server.requests) == 1


async def test_an_error_of_a_list_names_its_provider(tmp_path: Path, server: RawServer) -> None:
    server.script(saying(500))
    async with Editor(tmp_path, options=options(server)) as editor:
        one = {"provider": "a", "refresh": True}
        assert (await editor.fail("ai/models", one))["data"]["provider"] == "a"
        (row,) = (await editor.call("ai/health", {"live": True}))["providers"]
        assert row["status"] == "unhealthy" and row["error"]["provider"] == "a"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for sockets")
async def test_nothing_is_connected_to_before_a_request(tmp_path: Path, server: RawServer) -> None:
    """Neither a start nor any list touches the network, with providers of every kind at hand."""
    keys = dict.fromkeys(
        ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY"), "key-0123456789"
    )
    async with Sidecar(tmp_path, options=options(server), env=keys) as sidecar:
        await sidecar.fail("textDocument/none")  # answered once everything is loaded
        held = _sockets(sidecar.process.pid)
        for method in ("ai/providers", "ai/models", "ai/health", "ai/metrics"):
            await sidecar.call(method)
        await sidecar.call("ai/countTokens", {"text": "some text"})
        assert _sockets(sidecar.process.pid) == held
        assert server.connections == []
        await sidecar.call("ai/stream", {"prompt": "Hi"})
        assert len(server.connections) == 1, "the look itself works"


def _sockets(pid: int) -> set[str]:
    held: set[str] = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            held.add(str(file.readlink()))
    return {name for name in held if name.startswith("socket:")}


async def test_a_selected_model_keeps_the_chain(tmp_path: Path, server: RawServer) -> None:
    """A request that names nobody is the chain's, also where a model was picked for it."""
    down = await RawServer.start(saying(500))
    told = options(server, fallback={"chain": ["a"]})
    told["providers"]["b"] = CHAT.provider(down.origin)
    async with Editor(tmp_path, options=told) as editor:
        picked = {
            "command": "aiSidecar.selectModel",
            "arguments": [{"provider": "b", "model": "m"}],
        }
        await editor.call("workspace/executeCommand", picked)
        answer = await Seen(editor).ask()
        assert (answer["result"]["provider"], answer["result"]["text"]) == ("a", TEXT)
        only = editor.request("ai/stream", {"prompt": "Hi", "fallback": []})
        assert (await editor.answer(only))["error"]["data"]["kind"] == "server"
        named = editor.request("ai/stream", {"prompt": "Hi", "model": "b/m"})
        assert (await editor.answer(named))["error"]["data"]["provider"] == "b"
    await down.aclose()
