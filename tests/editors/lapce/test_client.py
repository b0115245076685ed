"""The program, started as the plugin asks for it, with a client that does what Lapce 0.4.6 does."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.contract.process import PROGRAM, environment
from tests.editors.lapce.client import Lapce
from tests.editors.lapce.conftest import Play
from tests.http.server import Gate, RawServer

pytestmark = pytest.mark.slow

DOCUMENT = "def größe():\n    # 😀\n    retur"


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RawServer]:
    server = await RawServer.start(chat.streamed(["42"]))
    yield server
    await server.aclose()


class User:
    """Somebody's machine: a program in a private environment, a user file, a workspace."""

    def __init__(self, folder: Path, service: RawServer, play: Play) -> None:
        self._folder, self._play = folder, play
        program = folder / ".local/bin/ai-sidecar"
        program.parent.mkdir(parents=True)
        program.symlink_to(PROGRAM)
        user_file = folder / "config/ai-sidecar/config.toml"
        user_file.parent.mkdir(parents=True)
        user_file.write_text(
            f"""
            default = "up/small"
            [providers.up]
            kind = "openai-compatible"
            baseUrl = "{service.origin}/v1"
            apiKey = "sk-lapce-test-0123456789"
            [inline]
            debounceMs = 100
            """
        )
        self.workspace = folder / "wörk space"
        self.workspace.mkdir()
        self.document = self.workspace / "app.py"
        self.document.write_text(DOCUMENT, "utf-8")

    def lapce(self, settings: dict[str, Any] | None = None) -> Lapce:
        """Lapce with `settings` of plugin and workspace, after the plugin has had its say."""
        desktop = {"HOME": str(self._folder), "PATH": "/usr/bin:/bin"}
        said = self._play(settings, programs=None, env=desktop)
        assert said.start["serverUri"].endswith("/.local/bin/ai-sidecar")
        return Lapce(said.start, self.workspace, environment(self._folder, **desktop))


@pytest.fixture
def user(tmp_path: Path, service: RawServer, play: Play) -> User:
    return User(tmp_path / "hôme", service, play)


def asked(service: RawServer) -> list[Any]:
    return [json.loads(request.body) for request in service.requests]


@pytest.mark.asyncio
async def test_ghost_text_while_typing(user: User, service: RawServer) -> None:
    """Every keystroke asks, none is cancelled: the service is asked once."""
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        answers = await asyncio.gather(*lapce.type(user.document, "n "))
    assert answers == [[], ["42"]]
    (body,) = asked(service)
    assert body["model"] == "small"
    assert "größe" in json.dumps(body, ensure_ascii=False)


@pytest.mark.asyncio
async def test_what_the_workspace_chose_is_asked(user: User, service: RawServer) -> None:
    settings = {"default": "up/größer", "providers": {"up": {"baseUrl": "http://127.0.0.1:9/v1"}}}
    async with user.lapce(settings) as lapce:
        lapce.open(user.document, "python")
        answers = await asyncio.gather(*lapce.type(user.document, "n "))
    assert answers[-1] == ["42"]
    assert [body["model"] for body in asked(service)] == ["größer"]


@pytest.mark.asyncio
async def test_what_is_switched_off_is_off(user: User, service: RawServer) -> None:
    for settings in ({"inline.enabled": False}, {"inline": {"languages": {"python": False}}}):
        async with user.lapce(settings) as lapce:
            lapce.open(user.document, "python")
            assert await asyncio.gather(*lapce.type(user.document, "n ")) == [[], []]
    assert service.requests == []


@pytest.mark.asyncio
async def test_an_older_answer_is_not_shown_after_a_newer_keystroke(
    user: User, service: RawServer
) -> None:
    gate = Gate()
    first = chat.streamed(["41"])
    scripts = iter([[first[0], gate, *first[1:]], chat.streamed(["42"])])
    service._scripts = lambda _request: next(scripts)
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        (early,) = lapce.type(user.document, "n")
        await asyncio.wait_for(gate.reached.wait(), 10)
        (late,) = lapce.type(user.document, " ")
        assert await early == []  # long before its own service has answered
        assert await late == ["42"]
        await service.connections[0].closed()
    gate.open()


@pytest.mark.asyncio
async def test_the_end_is_sudden_and_the_next_start_finds_nothing_broken(
    user: User, service: RawServer
) -> None:
    """SIGKILL in the middle of an answer, with the ledger of what was spent open."""
    gate = Gate()
    parts = chat.streamed(["42"])
    service._scripts = lambda _request: [*parts[:2], gate] if not gate.reached.is_set() else parts
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        pending = lapce.type(user.document, "n")
        await asyncio.wait_for(gate.reached.wait(), 10)
    for future in pending:
        future.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        assert (await asyncio.gather(*lapce.type(user.document, "n ")))[-1] == ["42"]
        assert lapce.shown == []


@pytest.mark.asyncio
async def test_what_lapce_cannot_answer_is_not_asked(user: User) -> None:
    """It says that it has no `workspace/configuration`; and what it has no panel for stays away."""
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        await asyncio.gather(*lapce.type(user.document, "n "))
        result = await lapce.request("ai/stream", {"prompt": "hi", "workDoneToken": "t"})
    assert result["text"] == "42"
    assert "workspace/configuration" not in lapce.asked_by_server


@pytest.mark.asyncio
async def test_code_actions_are_resolved_to_changes(user: User, service: RawServer) -> None:
    """The one way in which a user of Lapce gets at a model, besides ghost text."""
    service._scripts = lambda _request: chat.streamed(
        ["def größe():\n    # 😀\n    # and out\n    return 42"]
    )
    user.document.write_text("def größe():\n    # 😀\n    return 42\n", "utf-8")
    async with user.lapce() as lapce:
        lapce.open(user.document, "python")
        cursor = {"line": 0, "character": 6}
        listed = await lapce.request(
            "textDocument/codeAction",
            {
                "textDocument": {"uri": user.document.as_uri()},
                "range": {"start": cursor, "end": cursor},
                "context": {"diagnostics": []},
            },
        )
        (action,) = [action for action in listed if action["title"] == "AI: document"]
        assert "command" not in action and "edit" not in action  # commands are never executed
        resolved = await lapce.request("codeAction/resolve", action)
        assert list(resolved["edit"]) == ["changes"]
        ((uri, edits),) = resolved["edit"]["changes"].items()
    assert uri == user.document.as_uri()
    text = user.document.read_text("utf-8")
    assert apply(text, edits) == "def größe():\n    # 😀\n    # and out\n    return 42\n"


def apply(text: str, edits: list[Any]) -> str:
    """Make the edits, the last first; positions are in UTF-16."""
    lines = text.split("\n")

    def offset(place: dict[str, int]) -> int:
        before = sum(len(line) + 1 for line in lines[: place["line"]])
        head = lines[place["line"]].encode("utf-16-le")[: 2 * place["character"]]
        return before + len(head.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: offset(e["range"]["start"]), reverse=True):
        start, end = offset(edit["range"]["start"]), offset(edit["range"]["end"])
        text = text[:start] + edit["newText"] + text[end:]
    return text
