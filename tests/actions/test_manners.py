"""What an action does besides its edit: refusals, versions, cancels, progress, forms of clients."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from providers.base import Model
from providers.errors import Authentication
from providers.types import Finish, TextDelta
from tests.actions.conftest import CREATES, RESOLVES, VERSIONED, Actor, place
from tests.inline.conftest import Asked
from tests.inline.typist import URI
from tests.sidecar import scripted
from tests.sidecar.scripted import Gate

TEXT = "def f(a):\n    return a + 1|\n"
PROGRESS = {**RESOLVES, "window": {"workDoneProgress": True}}
APPLIES = {"workspace": {"applyEdit": True}}
LITERALS = {**APPLIES, "textDocument": {"codeAction": {"codeActionLiteralSupport": {}}}}
STATUS = {**RESOLVES, "experimental": {"aiSidecar": {"status": True}}}


def fenced(text: str) -> str:
    return f"```\n{text}```"


def rewrite(range: Any, instruction: Any = "do it", uri: Any = URI, **more: Any) -> dict[str, Any]:
    argument = {"uri": uri, "range": range, "instruction": instruction}
    return {"command": "aiSidecar.rewrite", "arguments": [argument], **more}


# --- what is not offered, and not sent ----------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("uri", "options"),
    [
        ("file:///w/.env", {}),
        ("file:///w/app.py", {"actions": {"enabled": False}}),
        ("file:///w/gen/app.py", {"inline": {"ignore": ["gen/"]}}),
    ],
)
async def test_nothing_is_offered_or_sent_of_what_is_private(
    uri: str, options: Any, tmp_path: Path, asked: Asked
) -> None:
    async with Actor(tmp_path, **options) as editor:
        editor.open(TEXT, uri=uri)
        assert await editor.listed() == []
        error = await editor.fail("workspace/executeCommand", rewrite(place(0, 0, 1, 0), uri=uri))
        assert (error["code"], error["data"]["kind"]) == (-32803, "invalidRequest")
        data = {"action": "explain", "uri": uri, "version": 1, "range": place(0, 0, 1, 0)}
        error = await editor.fail("codeAction/resolve", {"title": "x", "data": data})
        assert error["code"] == -32803
        assert asked.requests == []


@pytest.mark.asyncio
async def test_nothing_is_offered_of_what_git_ignores(tmp_path: Path, asked: Asked) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("secret.*\n/test_app.py\n")
    async with Actor(tmp_path, capabilities=CREATES) as editor:
        editor.open(TEXT, uri=(tmp_path / "secret.py").as_uri())
        assert await editor.listed() == []
        editor.open(TEXT, uri=(tmp_path / "app.py").as_uri())
        titles = [a["title"] for a in await editor.listed()]
        assert titles == ["AI: document", "AI: explain in a comment"]  # and no test


@pytest.mark.asyncio
async def test_listing_asks_nobody(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path, capabilities=STATUS) as editor:
        editor.open(TEXT)
        assert len(await editor.listed()) == 2
        assert asked.requests == []


DIAGNOSTIC = {"range": place(1, 4, 1, 10), "message": "bad"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("context", "kinds"),
    [
        ({}, ["quickfix", "refactor.rewrite", "refactor.rewrite", "refactor.test"]),
        ({"only": ["quickfix"]}, ["quickfix"]),
        ({"only": ["refactor"]}, ["refactor.rewrite", "refactor.rewrite", "refactor.test"]),
        ({"only": ["refactor.rewrite"]}, ["refactor.rewrite"] * 2),
        ({"only": ["refactor.rewrite.more"]}, []),
        ({"only": ["refactor.extract", "refactor.test"]}, ["refactor.test"]),
        ({"only": ["source.fixAll"]}, []),
        ({"only": [""]}, ["quickfix", "refactor.rewrite", "refactor.rewrite", "refactor.test"]),
        ({"only": ["sour"]}, []),
        ({"triggerKind": 2}, ["quickfix"]),
        ({"triggerKind": 2, "only": ["refactor.test"]}, []),
        ({"triggerKind": 1, "only": ["refactor.test"]}, ["refactor.test"]),
    ],
)
async def test_what_kinds_are_offered(
    context: Any, kinds: list[str], tmp_path: Path, asked: Asked
) -> None:
    async with Actor(tmp_path, capabilities=CREATES) as editor:
        editor.open(TEXT)
        listed = await editor.listed(**{"diagnostics": [DIAGNOSTIC], **context})
        assert [action["kind"] for action in listed] == kinds


@pytest.mark.asyncio
async def test_a_menu_has_an_end(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        listed = await editor.listed(diagnostics=[DIAGNOSTIC] * 50, only=["quickfix"])
        assert len(listed) == 10


# --- the document has changed -------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_action_is_for_the_version_it_was_listed_for(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        action = await editor.titled("AI: explain")
        editor.type(" ")
        messages, answer = await editor.until_answer(editor.request("codeAction/resolve", action))
        assert answer["error"]["code"] == -32801
        assert [m["params"]["type"] for m in messages] == [1]
        assert "has changed" in messages[0]["params"]["message"]
        assert asked.requests == []


@pytest.mark.asyncio
async def test_a_change_while_the_model_writes_ends_it(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        id = editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        await gate.reached.wait()
        editor.type("0")
        error = (await editor.answer(id))["error"]
        assert error["code"] == -32801 and gate.closed.is_set()


@pytest.mark.asyncio
async def test_a_change_in_the_same_read_is_one_after_it(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        id = editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        editor.change(0, 0, "# ")  # before the loop turns
        assert (await editor.answer(id))["error"]["code"] == -32801
        assert asked.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("turns", range(14))
async def test_whenever_a_change_comes_nothing_stale_comes_after_it(
    turns: int, tmp_path: Path, asked: Asked
) -> None:
    gate = asked.gate = Gate()
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        id = editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        await gate.reached.wait()
        gate.open.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        # What has been answered, if only a turn ago, nothing can call back.
        task: Any = editor.bridge._protocol._request_futures.get(id)
        on_its_way = task is None or task.done()
        editor.change(0, 0, "# ")
        answer = await editor.answer(id)
        assert on_its_way or answer["error"]["code"] == -32801


@pytest.mark.asyncio
async def test_a_change_that_changes_nothing_ends_nothing(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path, capabilities=VERSIONED) as editor:
        editor.open(TEXT)
        id = editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        await gate.reached.wait()
        editor.change(0, 0, "")
        gate.open.set()
        (change,) = (await editor.answer(id))["result"]["documentChanges"]
        # An edit for the version before this one, a client would throw away.
        assert change["textDocument"] == {"uri": URI, "version": 2}
        assert editor.with_edits(change["edits"]) == "def f(a):\n    return a\n"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("model", "most", "longest"),
    [
        (Model("default", "scripted", 1000, 4000), 400, 1600),
        (Model("default", "scripted", 1000, 50), 50, 1600),
        (Model("default", "scripted", None, None), 900, 20000),
    ],
)
async def test_a_small_model_is_given_less(
    model: Model,
    most: int,
    longest: int,
    tmp_path: Path,
    asked: Asked,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def listed(self: Any, *, refresh: bool = False) -> list[Model]:
        return [model]

    monkeypatch.setattr(scripted.ScriptedProvider, "list_models", listed)
    asked.answer = lambda _: fenced("x = 2\n")
    async with Actor(tmp_path, actions={"maxTokens": 900, "contextTokens": 5000}) as editor:
        editor.open("x = 1\n" * 3000)
        await editor.call("workspace/executeCommand", rewrite(place(9, 0, 10, 0)))
    (request,) = asked.requests
    text: Any = request.messages[0].content[0]  # type: ignore[union-attr]
    assert request.max_tokens == most
    assert longest * 0.9 < len(text.text) < longest + 200


@pytest.mark.asyncio
async def test_another_documents_change_ends_nothing(tmp_path: Path, asked: Asked) -> None:
    gate = asked.gate = Gate()
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        id = editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        await gate.reached.wait()
        editor.open("x = 1|", uri="file:///w/other.py")
        editor.type("0")
        gate.open.set()
        assert "result" in await editor.answer(id)


# --- cancel, progress, status, errors -----------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["codeAction/resolve", "workspace/executeCommand"])
@pytest.mark.parametrize("by_token", [False, True])
async def test_a_cancel_closes_and_is_answered(
    method: str, by_token: bool, tmp_path: Path, asked: Asked
) -> None:
    gate = asked.gate = Gate()
    async with Actor(tmp_path, capabilities=STATUS) as editor:
        editor.notify("initialized")
        await editor.read()
        editor.open(TEXT)
        params = rewrite(place(1, 0, 2, 0))
        if method == "codeAction/resolve":
            params = await editor.titled("AI: explain")
        id = editor.request(method, {**params, "workDoneToken": "t"})
        await gate.reached.wait()
        if by_token:
            editor.notify("window/workDoneProgress/cancel", {"token": "t"})
        else:
            editor.cancel(id)
        before, answer = await editor.until_answer(id)
        assert answer["error"] == {"code": -32800, "message": "cancelled"}
        assert gate.closed.is_set()
        progress = [m["params"]["value"] for m in before if m["method"] == "$/progress"]
        assert [value["kind"] for value in progress] == ["begin", "end"]
        states = [m["params"] for m in before if m["method"] == "ai/didChangeStatus"]
        assert [(s["busy"], s["kind"]) for s in states] == [(True, "Normal"), (False, "Normal")]


@pytest.mark.asyncio
async def test_progress_is_told_under_the_clients_token(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path, capabilities=PROGRESS) as editor:
        editor.open(TEXT)
        params = rewrite(place(1, 0, 2, 0), workDoneToken=7)
        before, answer = await editor.until_answer(
            editor.request("workspace/executeCommand", params)
        )
        assert "result" in answer
        assert {m["params"]["token"] for m in before} == {7}
        begin, report, end = (m["params"]["value"] for m in before)
        assert begin == {"kind": "begin", "title": "scripted default", "cancellable": True}
        assert report == {"kind": "report", "message": "20 characters"}
        assert end == {"kind": "end"}
        assert editor.bridge.server.actions.tokens == {}


@pytest.mark.asyncio
@pytest.mark.parametrize("cancelled", [False, True])
async def test_where_there_is_no_token_one_is_made(
    cancelled: bool, tmp_path: Path, asked: Asked
) -> None:
    gate = asked.gate = Gate()
    asked.answer = lambda _: "It returns."
    async with Actor(tmp_path, capabilities=PROGRESS) as editor:
        editor.open(TEXT)
        id = editor.request("codeAction/resolve", await editor.titled("AI: explain"))
        create = await editor.read()
        assert create["method"] == "window/workDoneProgress/create"
        token = create["params"]["token"]
        editor.send({"jsonrpc": "2.0", "id": create["id"], "result": None})
        begin = await editor.read()
        assert begin["params"]["token"] == token
        assert begin["params"]["value"]["kind"] == "begin"
        await gate.reached.wait()
        if cancelled:
            editor.notify("window/workDoneProgress/cancel", {"token": token})
        else:
            gate.open.set()
        before, answer = await editor.until_answer(id)
        assert before[-1]["params"] == {"token": token, "value": {"kind": "end"}}
        assert answer.get("error", {}).get("code") == (-32800 if cancelled else None)


@pytest.mark.asyncio
async def test_a_token_that_is_granted_too_late_is_not_used(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: "It returns."
    async with Actor(tmp_path, capabilities=PROGRESS) as editor:
        editor.open(TEXT)
        id = editor.request("codeAction/resolve", await editor.titled("AI: explain"))
        create = await editor.read()
        assert "result" in await editor.answer(id)
        editor.send({"jsonrpc": "2.0", "id": create["id"], "result": None})
        await editor.quiet()


@pytest.mark.asyncio
async def test_the_status_tells_of_it(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path, capabilities=STATUS) as editor:
        editor.notify("initialized")
        await editor.read()
        editor.open(TEXT)
        before, _ = await editor.until_answer(
            editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        )
        assert [m["params"]["busy"] for m in before] == [True, False]
        assert (before[-1]["params"]["model"], before[-1]["params"]["tokens"]) == ("m-1", 7)


@pytest.mark.asyncio
@pytest.mark.parametrize("client", ["Neovim", "lapce"])
async def test_a_failed_action_is_told_once(
    client: str, tmp_path: Path, script: dict[str, scripted.Script]
) -> None:
    async def refuses(request: Any):
        raise Authentication("bad key")
        yield scripted.start()

    script["default"] = refuses
    editor = Actor(tmp_path)
    editor.params["clientInfo"] = {"name": client}
    async with editor:
        editor.open(TEXT)
        action = await editor.titled("AI: explain")
        before, answer = await editor.until_answer(editor.request("codeAction/resolve", action))
        assert answer["error"]["code"] == -32803
        assert answer["error"]["data"]["kind"] == "authentication"
        shown = [m["params"] for m in before]
        message = {"type": 1, "message": "ai-sidecar: bad key"}
        assert shown == ([] if client == "Neovim" else [message])
        # A plugin that asks for a rewrite shows its error itself.
        error = await editor.fail("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        assert error["data"]["kind"] == "authentication"


def ending(text: str, reason: Any) -> scripted.Script:
    async def script(request: Any):
        yield scripted.start()
        yield [TextDelta(text)]
        yield [Finish(reason)]

    return script


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "reason", "kind", "words"),
    [
        (fenced("    return a\n"), "length", "truncatedStream", "actions.maxTokens"),
        ("no", "contentFilter", "contentFilter", "refused"),
        ("I'm sorry, but I can't do that.", "stop", "malformedStream", "I'm sorry"),
        ("", "stop", "malformedStream", "nothing"),
        (fenced("# ... rest of the code unchanged\n"), "stop", "malformedStream", "left code out"),
    ],
)
async def test_what_is_no_answer_is_an_error_and_no_edit(
    text: str,
    reason: str,
    kind: str,
    words: str,
    tmp_path: Path,
    script: dict[str, scripted.Script],
) -> None:
    script["default"] = ending(text or " ", reason)
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        error = await editor.fail("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        assert (error["code"], error["data"]["kind"]) == (-32803, kind)
        assert words in error["message"]
        assert error["data"]["provider"] == "scripted"


@pytest.mark.asyncio
async def test_an_answer_that_changes_nothing_is_an_empty_edit(
    tmp_path: Path, asked: Asked
) -> None:
    asked.answer = lambda _: fenced("    return a + 1\n")
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        before, answer = await editor.until_answer(
            editor.request("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        )
        assert answer["result"] == {"changes": {}}
        assert "change nothing" in before[0]["params"]["message"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"command": "aiSidecar.rewrite"}, "arguments[0].uri"),
        (rewrite(place(0, 0, 0, 1), uri=5), "arguments[0].uri"),
        (rewrite(place(0, 0, 0, 1), uri="file:///w/closed.py"), "arguments[0].uri"),
        (rewrite(place(0, 0, 0, 1), instruction=" "), "arguments[0].instruction"),
        (rewrite(None), "arguments[0].range"),
        (rewrite({"start": {"line": -1, "character": 0}}), "arguments[0].range"),
        ({"command": "aiSidecar.applyAction", "arguments": [{}]}, "arguments[0]"),
    ],
)
async def test_what_is_wrong_with_an_argument_is_named(
    params: Any, field: str, tmp_path: Path, asked: Asked
) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        error = await editor.fail("workspace/executeCommand", params)
        assert error["code"] == -32602 and error["message"].startswith(f"{field}: ")


@pytest.mark.asyncio
async def test_an_action_of_somebody_else_is_refused(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        for data in (None, {"action": "no", "uri": URI, "version": 1, "range": {}}, 5):
            error = await editor.fail("codeAction/resolve", {"title": "x", "data": data})
            assert error["code"] == -32602 and error["message"].startswith("data")


# --- forms of edits and of actions --------------------------------------------------------------


@pytest.mark.asyncio
async def test_versions_go_to_who_understands_them(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path, capabilities=VERSIONED) as editor:
        editor.open(TEXT)
        editor.type("0")
        edit = await editor.call("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
        (change,) = edit["documentChanges"]
        assert change["textDocument"] == {"uri": URI, "version": 2}
        assert editor.with_edits(change["edits"]) == "def f(a):\n    return a\n"


@pytest.mark.asyncio
@pytest.mark.parametrize("capabilities", [APPLIES, LITERALS])
async def test_who_does_not_resolve_gets_commands(
    capabilities: Any, tmp_path: Path, asked: Asked
) -> None:
    asked.answer = lambda _: "It returns."
    async with Actor(tmp_path, capabilities=capabilities) as editor:
        editor.open(TEXT)
        item = await editor.titled("AI: explain")
        if capabilities is LITERALS:
            assert "data" not in item and item["kind"] == "refactor.rewrite"
            item = item["command"]
        params = {"command": item["command"], "arguments": item["arguments"]}
        for outcome, code in [({"applied": True}, None), ({"applied": False}, -32803)]:
            id = editor.request("workspace/executeCommand", params)
            apply = await editor.read()
            assert apply["method"] == "workspace/applyEdit"
            ((_, edits),) = apply["params"]["edit"]["changes"].items()
            assert editor.with_edits(edits).startswith("# It returns.\ndef f(a):")
            editor.send({"jsonrpc": "2.0", "id": apply["id"], "result": outcome})
            answer = await editor.answer(id)
            assert answer.get("error", {}).get("code") == code


@pytest.mark.asyncio
async def test_who_can_do_neither_is_offered_nothing(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path, capabilities={}) as editor:
        editor.open(TEXT)
        assert await editor.listed() == []


@pytest.mark.asyncio
@pytest.mark.parametrize(("encoding", "units"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
async def test_positions_are_counted_as_the_client_counts(
    encoding: str, units: int, tmp_path: Path, asked: Asked
) -> None:
    asked.answer = lambda _: fenced("'y'\n")
    can = {**RESOLVES, "general": {"positionEncodings": [encoding]}}
    async with Actor(tmp_path, capabilities=can) as editor:
        editor.open("x = '😀' + 'é'; z = 'y'\n")
        start = 4 + 2 + units  # behind the emoji and its quotes
        given = place(0, 4, 0, start)
        edit = await editor.call("workspace/executeCommand", rewrite(given))
        assert edit["changes"][URI] == [{"range": given, "newText": "'y'"}]


@pytest.mark.asyncio
async def test_lines_keep_the_ends_they_have(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _: fenced("def f(a):\n    b = a\n    return b\n")
    async with Actor(tmp_path) as editor:
        editor.open("x = 1\r\ndef f(a):\r\n    return a\r\n")
        edit = await editor.call("workspace/executeCommand", rewrite(place(1, 0, 3, 0)))
        assert edit["changes"][URI] == [
            {"range": place(2, 0, 2, 12), "newText": "    b = a\r\n    return b"}
        ]
    prompt: Any = asked.requests[0].messages[0].content[0]  # type: ignore[union-attr]
    assert "\r" not in prompt.text


@pytest.mark.asyncio
async def test_a_selection_that_is_too_long_is_not_sent(tmp_path: Path, asked: Asked) -> None:
    async with Actor(tmp_path, actions={"contextTokens": 100}) as editor:
        editor.open("x = 1\n" * 200)
        error = await editor.fail("workspace/executeCommand", rewrite(place(0, 0, 150, 0)))
        assert error["data"]["kind"] == "contextLength"
        assert "actions.contextTokens" in error["message"] and asked.requests == []


@pytest.mark.asyncio
async def test_the_selected_model_is_asked(
    tmp_path: Path, script: dict[str, scripted.Script], asked: Asked
) -> None:
    script["chosen"] = script["default"]
    asked.answer = lambda _: fenced("    return a\n")
    async with Actor(tmp_path) as editor:
        editor.open(TEXT)
        chosen = {"model": "chosen", "provider": "scripted"}
        params = {"command": "aiSidecar.selectModel", "arguments": [chosen]}
        await editor.call("workspace/executeCommand", params)
        await editor.call("workspace/executeCommand", rewrite(place(1, 0, 2, 0)))
    assert asked.requests[0].model == "chosen"


@pytest.mark.asyncio
async def test_provider_and_bounds_are_those_of_the_table(
    tmp_path: Path, script: dict[str, scripted.Script], asked: Asked
) -> None:
    script["own"] = script["default"]
    asked.answer = lambda _: fenced("x = 2\n")
    settings = {"provider": "scripted", "model": "own", "maxTokens": 77, "contextTokens": 100}
    async with Actor(tmp_path, actions=settings) as editor:
        editor.open("# far away\n" + "x = 1\n" * 200)
        await editor.call("workspace/executeCommand", rewrite(place(100, 0, 101, 0)))
    (request,) = asked.requests
    assert (request.model, request.max_tokens) == ("own", 77)
    text: Any = request.messages[0].content[0]  # type: ignore[union-attr]
    assert "far away" not in text.text and len(text.text) < 600
