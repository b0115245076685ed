"""From a keystroke to the items an editor gets: the real loop and server, a scripted model."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from providers.base import Model, ModelFeatures
from providers.errors import ResponseError
from providers.types import ChatRequest, CompletionRequest
from tests.inline.conftest import Asked
from tests.inline.typist import Typist, options
from tests.sidecar import scripted
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
async def test_a_line_that_is_not_there_gets_none(tmp_path: Path, asked: Asked) -> None:
    async with Typist(tmp_path) as editor:
        editor.open("a\nb = |")
        place = {"textDocument": {"uri": editor.uri}, "context": {"triggerKind": 1}}
        for line, items in ((500, 0), (1, 1)):
            given = {**place, "position": {"line": line, "character": 4}}
            id = editor.request("textDocument/inlineCompletion", given)
            assert len(await editor.items(id)) == items
    assert len(asked.requests) == 1


# --- the newest request, and nothing stale ---------------------------------------------------


@pytest.mark.asyncio
async def test_a_newer_request_ends_the_older_with_nothing(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        first = editor.ask()
        await gate.reached.wait()
        second = editor.ask(kind=1)
        assert await editor.items(first) == []
        await gate.closed.wait()
        gate.open.set()
        assert [i["insertText"] for i in await editor.items(second)] == ["done"]


@pytest.mark.asyncio
async def test_a_change_alone_ends_what_was_asked(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        first = editor.ask()
        await gate.reached.wait()
        editor.type("1")
        assert await editor.items(first) == []
        await gate.closed.wait()


@pytest.mark.asyncio
async def test_a_change_in_the_same_read_makes_the_request_stale(
    tmp_path: Path, asked: Asked
) -> None:
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        id = editor.ask()
        editor.change(0, 1, "total")  # before the loop turns
        assert await editor.items(id) == []
        assert asked.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(16))
async def test_whenever_a_change_comes_nothing_stale_comes_after_it(
    turns: int, tmp_path: Path, asked: Asked
) -> None:
    gate = asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        id = editor.ask()
        await gate.reached.wait()
        gate.open.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        assert editor.session is not None
        on_its_way = editor.session.inline_counts._made > 0  # nothing can call it back
        editor.change(0, 1, "total")
        items = await editor.items(id)
        assert on_its_way or items == []


@pytest.mark.asyncio
async def test_a_document_that_was_closed_is_forgotten(tmp_path: Path, asked: Asked) -> None:
    async with Typist(tmp_path) as editor:
        for count in (1, 2):
            editor.open("x = |")
            assert await editor.shown() == "done"
            editor.notify("textDocument/didClose", {"textDocument": {"uri": editor.uri}})
            assert len(asked.requests) == count


@pytest.mark.asyncio
async def test_the_clients_own_cancel_is_answered_as_one(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        id = editor.ask()
        await gate.reached.wait()
        editor.cancel(id)
        assert (await editor.answer(id))["error"]["code"] == -32800
        assert gate.closed.is_set()


@pytest.mark.asyncio
async def test_documents_do_not_end_each_others_requests(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        first = editor.ask()
        await gate.reached.wait()
        editor.open("y = |", uri="file:///w/other.py")
        second = editor.ask()
        while len(asked.requests) < 2:
            await asyncio.sleep(0)
        gate.open.set()
        assert len(await editor.items(first)) == len(await editor.items(second)) == 1


# --- what was known already ------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_is_typed_ahead_is_served_without_asking(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: "compute(x, y)"
    async with Typist(tmp_path, inline={"debounceMs": 10_000}) as editor:
        editor.open("z = |\n")
        assert await editor.shown(kind=1) == "compute(x, y)"
        editor.type("comp")
        assert await editor.shown() == "ute(x, y)"  # 10 s would fail the test
        editor.change(editor.cursor - 2, editor.cursor, "")
        editor.cursor -= 2
        assert await editor.shown() == "mpute(x, y)"
        editor.type("mpute(")
        editor.change(editor.cursor, editor.cursor, ")")  # the editor closes the bracket
        assert await editor.shown() == "x, y"
    assert len(asked.requests) == 1


@pytest.mark.asyncio
async def test_another_word_is_asked_for(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: "compute()"
    async with Typist(tmp_path) as editor:
        editor.open("z = |\n")
        await editor.shown()
        editor.type("q")
        asked.answer = lambda request: "uery()"
        assert await editor.shown() == "uery()"


@pytest.mark.asyncio
async def test_another_model_is_asked_anew(
    tmp_path: Path, asked: Asked, script: dict[str, scripted.Script]
) -> None:
    script["other"] = scripted.says(["hers"])
    async with Typist(tmp_path) as editor:
        editor.open("z = |\n")
        assert await editor.shown() == "done"
        chosen = {"model": "scripted/other"}
        await editor.call(
            "workspace/executeCommand",
            {"command": "aiSidecar.selectModel", "arguments": [chosen]},
        )
        assert await editor.shown() == "hers"


# --- what is never sent ------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("inline", "uri", "language"),
    [
        ({"enabled": False}, "file:///w/a.py", "python"),
        ({"languages": {"python": False}}, "file:///w/a.py", "python"),
        ({"ignore": ["vendor/"]}, "file:///w/vendor/x/a.py", "python"),
        ({}, "file:///w/.env", "plaintext"),
        ({}, "file:///w/%2Eenv.local", "plaintext"),
        ({}, "untitled:.env", "plaintext"),
    ],
)
async def test_not_completed(
    inline: Any, uri: str, language: str, tmp_path: Path, asked: Asked
) -> None:
    async with Typist(tmp_path, inline=inline) as editor:
        editor.open("KEY=|", uri=uri, language=language)
        assert await editor.items(editor.ask(kind=1)) == []
    assert asked.requests == []


@pytest.mark.asyncio
async def test_a_document_that_is_not_open_is_not_read(tmp_path: Path, asked: Asked) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    async with Typist(tmp_path) as editor:
        editor.uri = (tmp_path / "a.py").as_uri()
        assert await editor.items(editor.ask()) == []
    assert asked.requests == []


# --- positions ---------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("encodings", [None, ["utf-8"], ["utf-32"]])
async def test_positions_are_counted_as_agreed(
    encodings: Any, tmp_path: Path, asked: Asked
) -> None:
    general = {"general": {"positionEncodings": encodings}} if encodings else {}
    async with Typist(tmp_path, capabilities=general) as editor:
        editor.open('s = "😀é" + |\n')
        line = 's = "😀é" + '
        units = {None: "utf-16-le", "utf-8": "utf-8", "utf-32": "utf-32-le"}
        encoding = encodings[0] if encodings else None
        width = {None: 2, "utf-8": 1, "utf-32": 4}[encoding]
        at = {"line": 0, "character": len(line.encode(units[encoding])) // width}
        id = editor.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": editor.uri},
                "position": at,
                "context": {"triggerKind": 2},
            },
        )
        (item,) = await editor.items(id)
        assert item["range"] == {"start": at, "end": at}
    assert f"{line}<|cursor|>" in asked.requests[0].messages[0].content[0].text  # type: ignore[union-attr]


@pytest.mark.asyncio
@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x85", "\u2028"])
async def test_what_only_python_takes_for_a_line_end_is_none(
    separator: str, tmp_path: Path, asked: Asked
) -> None:
    async with Typist(tmp_path) as editor:
        editor.open(f"a = 1\n{separator}\nb = 2{separator}\nc = |\nd = 4")
        editor.type("3 + ")
        assert await editor.shown() == "done"
    text = asked.requests[0].messages[0].content[0].text  # type: ignore[union-attr]
    assert text.endswith(f"b = 2{separator}\nc = 3 + <|cursor|>\nd = 4")


@pytest.mark.asyncio
@pytest.mark.parametrize("text", ["😀\n|", "|", "\n|", "a\r\n|", "😀|"])
async def test_the_end_of_the_document(text: str, tmp_path: Path, asked: Asked) -> None:
    async with Typist(tmp_path) as editor:
        editor.open(text)
        editor.type("x")
        assert await editor.shown() == "done"
        editor.type("y")
        await editor.shown()
    before = text.replace("|", "").replace("\r", "")
    seen = [r.messages[0].content[0].text for r in asked.requests]  # type: ignore[union-attr]
    assert seen[0].endswith(f"{before}x<|cursor|>") and seen[1].endswith(f"{before}xy<|cursor|>")


@pytest.mark.asyncio
async def test_the_selected_item_is_what_the_completion_goes_on_from(
    tmp_path: Path, asked: Asked
) -> None:
    asked.answer = lambda request: "(stream)"
    async with Typist(tmp_path) as editor:
        editor.open("import json\njson.lo|\n")
        place = {"start": {"line": 1, "character": 5}, "end": {"line": 1, "character": 7}}
        info = {"range": place, "text": "load"}
        (item,) = await editor.items(editor.ask(selectedCompletionInfo=info))
        assert (item["insertText"], item["range"]) == ("load(stream)", place)
    assert "json.load<|cursor|>" in asked.requests[0].messages[0].content[0].text  # type: ignore[union-attr]


@pytest.mark.asyncio
async def test_line_ends_are_the_documents(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: "a = 1\nb = 2"
    async with Typist(tmp_path) as editor:
        editor.open("x = 0\r\n|\r\n")
        assert await editor.shown() == "a = 1\r\nb = 2"
    assert "\r" not in asked.requests[0].messages[0].content[0].text  # type: ignore[union-attr]


# --- how it is asked ---------------------------------------------------------------------------


def listing(monkeypatch: pytest.MonkeyPatch, **features: bool) -> None:
    async def list_models(self: Any, *, refresh: bool = False) -> list[Model]:
        return [Model("default", self.name, 1000, features=ModelFeatures(**features))]

    monkeypatch.setattr(scripted.ScriptedProvider, "list_models", list_models)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("inline", "features", "kind"),
    [
        ({}, {"fim": True, "continues": True}, "suffix"),
        ({}, {}, "chat"),
        ({}, {"continues": True}, "continued"),
        ({"mode": "chat"}, {"continues": True}, "chat"),
        ({"mode": "chat"}, {"fim": True}, "chat"),
        ({"mode": "fim"}, {}, "suffix"),
        ({"fimTemplate": "<P>{prefix}<S>{suffix}<M>"}, {}, "raw"),
        ({"mode": "fim", "fimTemplate": "<P>{prefix}<S>{suffix}<M>"}, {}, "raw"),
        ({"mode": "chat", "fimTemplate": "<P>{prefix}<S>{suffix}<M>"}, {"fim": True}, "chat"),
    ],
)
async def test_the_way_of_asking_is_configured_or_said_by_the_provider(
    inline: Any,
    features: dict[str, bool],
    kind: str,
    tmp_path: Path,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listing(monkeypatch, **features)
    async with Typist(tmp_path, inline=inline) as editor:
        editor.open("x = |\ny = 2\n")
        assert await editor.shown() == "done"
    (request,) = asked.requests
    assert request.max_tokens == 128
    if kind == "chat":
        assert isinstance(request, ChatRequest)
        assert "Language: python\nFile: app.py" in request.messages[0].content[0].text  # type: ignore[union-attr]
        return
    assert isinstance(request, CompletionRequest)
    if kind == "suffix":
        given = (request.prompt, request.suffix, request.raw)
        assert given == ("# app.py\nx = ", "\ny = 2\n", False)
    elif kind == "continued":
        assert (request.prompt, request.suffix, request.raw) == ("# app.py\nx =", None, True)
    else:
        assert (request.prompt, request.suffix) == ("<P>x = <S>\ny = 2\n<M>", None)
        assert request.raw and request.stop == ["<P>", "<S>", "<M>"]


@pytest.mark.asyncio
async def test_a_model_that_reasons_is_asked_not_to(
    tmp_path: Path, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing(monkeypatch, reasoning=True)
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        await editor.shown()
    reasoning = asked.requests[0].reasoning
    assert reasoning is not None
    assert (reasoning.effort, reasoning.budget_tokens) == ("none", 0)


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_failure_is_an_empty_answer_and_then_silence(
    tmp_path: Path, asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: Any) -> str:
        raise ResponseError("slow down", kind="rateLimit", retryable=True, retry_after=30.0)

    asked.answer = fail
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        assert await editor.shown() is None
        editor.type("a")
        assert await editor.shown() is None
        assert len(asked.requests) == 1
        _, answer = await editor.until_answer(editor.ask(kind=1))
        assert answer["result"] == {"items": []}  # who asks for it gets it tried
        assert len(asked.requests) == 2
    assert [r.message for r in caplog.records if "slow down" in r.message] == [
        "completion while typing: scripted: slow down"
    ]


@pytest.mark.asyncio
async def test_a_long_wait_before_a_retry_is_not_waited_for(tmp_path: Path, asked: Asked) -> None:
    def fail(request: Any) -> str:
        raise ResponseError("slow down", kind="rateLimit", retryable=True, retry_after=4.0)

    asked.answer = fail
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        began = asyncio.get_running_loop().time()
        assert await editor.shown() is None
        assert asyncio.get_running_loop().time() - began < 2.0
    assert len(asked.requests) == 1


@pytest.mark.asyncio
async def test_a_new_configuration_ends_the_silence(tmp_path: Path, asked: Asked) -> None:
    def fail(request: Any) -> str:
        raise ResponseError("who are you", kind="authentication", retryable=False)

    asked.answer = fail
    async with Typist(tmp_path) as editor:
        editor.open("x = |")
        told, answer = await editor.until_answer(editor.ask())
        assert answer["result"] == {"items": []}
        assert [m["method"] for m in told] == ["window/showMessage"]
        asked.answer = lambda request: "1"
        assert await editor.shown() is None
        assert editor.session is not None
        editor.session.store.set_initialization_options(options(maxTokens=64))
        assert await editor.shown() == "1"


# --- counts ------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_what_became_of_completions_is_counted(tmp_path: Path, asked: Asked) -> None:
    async with Typist(tmp_path) as editor:
        assert "inline" not in await editor.call("ai/metrics")
        editor.open("x = |")
        (item,) = await editor.items(editor.ask())
        editor.notify("textDocument/didShowCompletion", {"item": item})
        editor.notify("textDocument/didShowCompletion", {"item": item})
        editor.notify(
            "textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 2}
        )
        for broken in ({}, {"item": None}, {"item": {"command": {"arguments": ["x"]}}}):
            editor.notify("textDocument/didShowCompletion", broken)
        for id in ("inline-1", "inline-1", "another"):
            accepted = {"command": "aiSidecar.accepted", "arguments": [{"id": id}]}
            await editor.call("workspace/executeCommand", accepted)
        counted = (await editor.call("ai/metrics"))["inline"]
        assert counted == {"requests": 1, "shown": 1, "accepted": 1, "partlyAccepted": 1}
