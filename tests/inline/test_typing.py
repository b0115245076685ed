"""Somebody types as fast as they can, in an editor that neither waits nor cancels (Lapce)."""

import asyncio
import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from sidecar.framing import FrameDecoder
from tests.inline.conftest import Asked
from tests.inline.typist import Typist
from tests.sidecar.scripted import Gate

KEYS = 200
INTERVAL = 0.030
DEBOUNCE_MS = 150


@pytest.mark.asyncio
async def test_two_hundred_keystrokes_ask_twice_at_most(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: f"{len(asked.requests)} of them"
    loop = asyncio.get_running_loop()
    typed: dict[int | str, str] = {}
    async with Typist(tmp_path, inline={"debounceMs": DEBOUNCE_MS}) as editor:
        editor.open("total = |\n")
        began = loop.time()
        for key in range(KEYS):
            await asyncio.sleep(began + key * INTERVAL - loop.time())
            editor.type("abcdefghi "[key % 10])
            typed[editor.ask()] = editor.text
        answers = [await editor.read() for _ in typed]
        *older, last = answers
        assert [a["id"] for a in answers] == list(typed)
        assert all(a["result"] == {"items": []} for a in older)
        assert [i["insertText"] for i in last["result"]["items"]] == ["1 of them"]
        assert len(asked.requests) <= 2
        text: Any = asked.requests[-1].messages[0].content[0]  # type: ignore[union-attr]
        assert typed[last["id"]].replace("\n", "<|cursor|>\n", 1) in text.text


@pytest.mark.asyncio
async def test_every_message_to_the_editor_has_what_lapce_unwraps(
    tmp_path: Path, asked: Asked
) -> None:
    async with Typist(tmp_path, capabilities={}) as editor:
        written: list[Any] = []
        deliver, decoder = editor.pipe.write, FrameDecoder()

        def write(data: bytes, done: Any) -> bool:
            written.extend(decoder.feed(data))
            return deliver(data, done)

        editor.pipe.write = write  # type: ignore[method-assign]
        editor.notify("initialized")
        editor.open("x = |")
        for char in "abc":
            editor.type(char)
            await editor.items(editor.ask())
        assert editor.session is not None
        editor.session.warn("something")
        await editor.read()
    for body in written:
        message = json.loads(body)
        if "method" in message:
            assert isinstance(message["params"], dict)
        else:
            assert "result" in message and message["result"] is not None


@pytest.mark.asyncio
async def test_the_model_is_asked_when_the_debounce_is_over(tmp_path: Path, asked: Asked) -> None:
    """From the keystroke to the provider: the debounce, and at most 5 ms."""
    loop = asyncio.get_running_loop()
    sent: list[float] = []

    def note(request: Any) -> str:
        sent.append(loop.time())
        return ""

    asked.answer = note
    waits: list[float] = []
    body = "".join(f"def f{n}(a, b):\n    return a + b * {n}\n\n\n" for n in range(1000))
    async with Typist(tmp_path, inline={"debounceMs": 40}) as editor:
        editor.open(body + "x = |\n" + body)
        for _ in range(15):
            began = loop.time()
            editor.type("a")
            await editor.items(editor.ask())
            waits.append((sent[-1] - began) * 1000)
    # The quickest one shows what the program itself adds; the others also show a busy machine.
    assert 39 <= min(waits) <= 45, waits
    assert statistics.median(waits) <= 90, waits


@pytest.mark.asyncio
async def test_a_slow_typist_is_waited_for_longer(tmp_path: Path, asked: Asked) -> None:
    loop = asyncio.get_running_loop()
    gate = asked.gate = Gate()
    async with Typist(tmp_path, inline={"debounceMs": 40}) as editor:
        editor.open("x = |")
        for _ in range(3):  # each goes on typing while the model is at it
            gate.reached.clear()
            editor.type("a")
            id = editor.ask()
            await gate.reached.wait()
            editor.type("b")
            assert await editor.items(id) == []
        gate.reached.clear()
        began = loop.time()
        editor.ask()
        await gate.reached.wait()
        assert loop.time() - began > 0.1
        gate.open.set()
        await editor.read()


@pytest.mark.asyncio
async def test_who_asks_for_it_does_not_wait(tmp_path: Path, asked: Asked) -> None:
    async with Typist(tmp_path, inline={"debounceMs": 10_000}) as editor:
        editor.open("x = |")
        assert await editor.shown(kind=1) == "done"
