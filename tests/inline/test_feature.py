"""From a keystroke to the items an editor gets: the real loop and server, a scripted model."""

from pathlib import Path

import pytest

from providers.types import ChatRequest
from tests.inline.conftest import Asked
from tests.inline.typist import Typist
from tests.sidecar.scripted import Gate


@pytest.mark.asyncio
async def test_one_item_at_the_cursor(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: "a + b"
    async with Typist(tmp_path) as editor:
        editor.open("def add(a, b):\n    return |\n")
        (item,) = await editor.items(editor.ask())
        at = {"line": 1, "character": 11}
        assert item == {
            "insertText": "a + b",
            "range": {"start": at, "end": at},
            "command": {
                "title": "Accepted",
                "command": "aiSidecar.accepted",
                "arguments": [{"id": "inline-1"}],
            },
        }
    (request,) = asked.requests
    assert isinstance(request, ChatRequest)
    assert "return <|cursor|>\n" in request.messages[0].content[0].text  # type: ignore[union-attr]


@pytest.mark.asyncio
async def test_a_newer_request_ends_the_older_with_nothing(tmp_path: Path, asked: Asked) -> None:
    asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        first = editor.ask()
        await asked.gate.reached.wait()
        editor.type("1")
        assert await editor.items(first) == []
        await asked.gate.closed.wait()
        asked.gate = None
        asked.answer = lambda request: "2"
        assert await editor.shown() == "2"
