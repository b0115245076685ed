"""What completion while typing leaves alone, and what it tells of itself."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from providers.errors import Authentication, NotConfigured, Overloaded, ProviderError, Quota
from providers.registry import KINDS
from tests.inline.conftest import Asked
from tests.inline.typist import Typist, options
from tests.sidecar import scripted

STATUS = {"experimental": {"aiSidecar": {"status": True}}}


@pytest.mark.asyncio
async def test_nothing_that_git_ignores_is_sent(tmp_path: Path, asked: Asked) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("secret*\n")
    async with Typist(tmp_path) as editor:
        editor.open("x = |", uri=(tmp_path / "secret.py").as_uri())
        assert await editor.shown(kind=1) is None
        assert asked.requests == []
        editor.open("x = |", uri=(tmp_path / "open.py").as_uri())
        assert await editor.shown(kind=1) == "done"


def failing(kind: type[ProviderError]) -> Any:
    async def fails(request: Any):
        raise kind("why it fails")
        yield

    return fails


def tried_once() -> dict[str, Any]:
    return {**options(), "retry": {"attempts": 1}}


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Authentication, NotConfigured, Quota, Overloaded])
async def test_what_only_a_person_can_mend_is_told_once(
    tmp_path: Path, script: Any, kind: type[ProviderError]
) -> None:
    script["default"] = fails = failing(kind)
    async with Typist(tmp_path, options=tried_once()) as editor:
        editor.open("x = |")
        told = []
        for works in (False, False, True, False):
            script["default"] = scripted.says(["1"]) if works else fails
            editor.type("y")
            # After a failure nobody is asked for a while, but by who invokes it.
            before, _ = await editor.until_answer(editor.ask(kind=1 if works else 2))
            told.append([m["params"] for m in before if m["method"] == "window/showMessage"])
        if kind is Overloaded:
            assert told == [[], [], [], []]
        else:
            first, *rest = told
            assert first[0]["type"] == 2 and "why it fails" in first[0]["message"]
            assert rest == [[], [], first]


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", [Authentication, Overloaded])
async def test_who_invokes_it_is_told_each_time_and_no_log_is_alarmed(
    tmp_path: Path, script: Any, kind: type[ProviderError], caplog: pytest.LogCaptureFixture
) -> None:
    script["default"] = failing(kind)
    async with Typist(tmp_path, options=tried_once()) as editor:
        editor.open("x = |")
        for _ in range(2):
            editor.type("y")
            before, answer = await editor.until_answer(editor.ask(kind=1))
            (told,) = [m["params"] for m in before if m["method"] == "window/showMessage"]
            assert told["type"] == 2 and "why it fails" in told["message"]
            assert answer["result"] == {"items": []}
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def starting(default: str, **inline: Any) -> dict[str, Any]:
    return {
        "default": default,
        "providers": {"claude-code": {}, "scripted": {"kind": "mock"}},
        "inline": {"debounceMs": 0, **inline},
    }


@pytest.fixture
def started(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """The provider that would start a program asks the scripted model instead."""
    monkeypatch.setitem(KINDS, "claude-code", scripted.KIND)
    return asked


@pytest.mark.asyncio
async def test_no_program_is_started_at_every_pause(tmp_path: Path, started: Asked) -> None:
    async with Typist(tmp_path, options=starting("claude-code")) as editor:
        editor.open("x = |")
        id = editor.ask(kind=1)
        told, answer = await editor.until_answer(id)
        assert answer["result"] == {"items": []}
        (message,) = told
        assert message["method"] == "window/showMessage" and message["params"]["type"] == 3
        assert "claude-code starts a program" in message["params"]["message"]
        assert "inline.provider" in message["params"]["message"]
        editor.type("1")
        assert await editor.shown(kind=1) is None  # told once
        assert started.requests == []


@pytest.mark.asyncio
async def test_also_not_because_it_was_selected(tmp_path: Path, started: Asked) -> None:
    async with Typist(tmp_path, options=starting("scripted")) as editor:
        selected = {"model": "default", "provider": "claude-code"}
        params = {"command": "aiSidecar.selectModel", "arguments": [selected]}
        await editor.call("workspace/executeCommand", params)
        editor.open("x = |")
        told, _ = await editor.until_answer(editor.ask(kind=1))
        assert len(told) == 1 and started.requests == []


@pytest.mark.asyncio
async def test_who_names_it_gets_it(tmp_path: Path, started: Asked) -> None:
    named = starting("scripted", provider="claude-code")
    async with Typist(tmp_path, options=named) as editor:
        editor.open("x = |")
        assert await editor.shown(kind=1) == "done"


@pytest.mark.asyncio
async def test_it_is_no_way_out_either(
    tmp_path: Path, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "claude-code", scripted.KIND)
    asked: list[Any] = []

    async def refuses(request: Any):
        asked.append(request)
        raise Authentication("no")
        yield scripted.start()

    script["default"] = refuses
    given = {**starting("scripted"), "fallback": {"chain": ["claude-code"]}}
    async with Typist(tmp_path, options=given) as editor:
        editor.open("x = |")
        told, answer = await editor.until_answer(editor.ask(kind=1))
        assert answer["result"] == {"items": []} and len(told) == 1
        assert len(asked) == 1


@pytest.mark.asyncio
async def test_the_status_tells_of_it(tmp_path: Path, asked: Asked, script: Any) -> None:
    async with Typist(tmp_path, capabilities=STATUS) as editor:
        editor.notify("initialized")
        await editor.read()
        editor.open("x = |")
        told, _ = await editor.until_answer(editor.ask(kind=1))
        assert [m["params"]["busy"] for m in told] == [True, False]
        last = told[-1]["params"]
        assert (last["provider"], last["tokens"], last["kind"]) == ("scripted", 7, "Normal")

        async def refuses(request: Any):
            raise Authentication("bad key")
            yield scripted.start()

        script["default"] = refuses
        editor.type("1")
        told, answer = await editor.until_answer(editor.ask(kind=1))
        assert answer["result"] == {"items": []}
        last = [m["params"] for m in told if m["method"] == "ai/didChangeStatus"][-1]
        assert (last["kind"], last["message"]) == ("Error", "bad key")


@pytest.mark.asyncio
async def test_who_types_on_is_told_that_nothing_is_going_on(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = scripted.Gate()
    async with Typist(tmp_path, capabilities=STATUS) as editor:
        editor.notify("initialized")
        await editor.read()
        editor.open("x = |")
        id = editor.ask(kind=1)
        await gate.reached.wait()
        editor.type("1")
        told, _ = await editor.until_answer(id)
        await asyncio.sleep(0)
        assert [m["params"]["busy"] for m in told] == [True, False]
        assert told[-1]["params"]["kind"] == "Normal"
