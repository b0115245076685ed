"""Requests that no editor of good will sends, in memory: each is answered once, and right.

What needs pipes, a process or much memory is in `test_process.py`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.methods import METHODS
from tests.sidecar.harness import Editor

MOCK = {"default": "mock", "providers": {"mock": {}}}

# --- JSON -----------------------------------------------------------------------------------

PLACES = {
    "the whole message": b"%b",
    "a field that is passed on": (
        b'{"jsonrpc":"2.0","id":5,"method":"ai/complete",'
        b'"params":{"prompt":"x","providerOptions":{"other":{"a":%b}}}}'
    ),
    "a field that is not known": (
        b'{"jsonrpc":"2.0","id":5,"method":"ai/complete","params":{"prompt":"x","junk":%b}}'
    ),
    "params of a standard method": (
        b'{"jsonrpc":"2.0","id":5,"method":"workspace/executeCommand","params":%b}'
    ),
}
NOT_JSON = {-32700}
TOO_DEEP = {"n_structure_100000_opening_arrays.json", "n_structure_open_array_object.json"}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.asyncio
async def test_json_test_suite_through_the_request_path(
    place: str, shared: Path, tmp_path: Path
) -> None:
    """y: accepted as JSON. n: refused as no JSON. i: one or the other, and an answer."""
    files = sorted((shared / "vectors" / "jsontestsuite" / "test_parsing").iterdir())
    assert len(files) > 300
    wrong: list[str] = []
    async with Editor(tmp_path, options=MOCK) as editor:
        for file in files:
            editor.send_bytes(PLACES[place] % file.read_bytes())
            answer = await editor.read()
            code = answer.get("error", {}).get("code")
            right = {
                "y": code not in NOT_JSON,
                "n": code in NOT_JSON or (file.name in TOO_DEEP and code == -32600),
                "i": True,
            }[file.name[0]]
            if not right or ("error" in answer) == ("result" in answer):
                wrong.append(f"{file.name}: {answer}")
    assert wrong == []


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (b'{"prompt":"x","temperature":NaN}', -32700),
        (b'{"prompt":"x","temperature":Infinity}', -32700),
        (b'{"prompt":"x","temperature":1e400}', -32602),
        (b'{"prompt":"x","maxTokens":%b}' % (b"9" * 5000), -32602),
        (b'{"prompt":"x","maxTokens":9999999999999999999999999}', None),
        (b'{"prompt":"x","seed":1e2}', -32602),
        (b'{"prompt":"x","prompt":"y"}', None),
        (b'{"prompt":"x","\xff":1}', -32700),
        (b'{"prompt":"\xed\xa0\x80"}', -32700),
        (b'{"prompt":"x","providerOptions":%b}' % (b'{"a":' * 50_000 + b"1" + b"}" * 50_000), -1),
    ],
)
@pytest.mark.asyncio
async def test_numbers_names_and_depth(params: bytes, code: int | None, tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        editor.send_bytes(b'{"jsonrpc":"2.0","id":5,"method":"ai/complete","params":%b}' % params)
        answer = await editor.read()
        if code is None:
            assert answer["id"] == 5 and "result" in answer, answer
        elif code == -1:  # too deep, wherever it is noticed
            assert answer["error"]["code"] in (-32600, -32602)
        else:
            assert answer["error"]["code"] == code
            assert answer["id"] in (5, None) if code == -32700 else answer["id"] == 5


# --- halves of characters --------------------------------------------------------------------

HALF = "\ud83d"
TEXTS = [HALF, "\ude00", f"a{HALF}", "\ude00\ud83d", "\ud83d\ude00 whole"]


def every_string(value: Any, half: str) -> Iterator[Any]:
    """Yield copies of `value` with one string after the other, and one name after the other,
    ending in half a character."""
    if isinstance(value, str):
        yield value + half
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for changed in every_string(item, half):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif isinstance(value, dict):
        for key, item in value.items():
            for changed in every_string(item, half):
                yield {**value, key: changed}
            yield {k if k != key else k + half: v for k, v in value.items()}


@pytest.mark.parametrize("half", TEXTS)
@pytest.mark.asyncio
async def test_half_a_character_in_every_string_of_every_request(half: str, tmp_path: Path) -> None:
    """It never makes a message unreadable, and what comes back is UTF-8."""
    from fuzz.requests import COMPLETION, OTHERS

    asked = [("ai/complete", p) for p in COMPLETION] + [("ai/stream", p) for p in COMPLETION]
    asked += list(OTHERS.items())
    assert {method for method, _ in asked} == set(METHODS)
    async with Editor(tmp_path, options=MOCK) as editor:
        count = 0
        for method, params in asked:
            for changed in every_string(params, half):
                id = editor.request(method, {"provider": "mock", **changed})
                _, answer = await editor.until_answer(id)
                code = answer.get("error", {}).get("code")
                assert code in (None, -32602, -32803), (changed, answer)
                json.dumps(answer, ensure_ascii=False).encode()
                count += 1
        assert count > 150


@pytest.mark.parametrize("half", TEXTS)
@pytest.mark.asyncio
async def test_half_a_character_in_documents_and_completion(half: str, tmp_path: Path) -> None:
    uri = "file:///tmp/x.py"
    async with Editor(tmp_path, options=MOCK) as editor:
        for changed in every_string(
            {"textDocument": {"uri": uri, "languageId": "python", "version": 1, "text": "ab\n"}},
            half,
        ):
            editor.notify("textDocument/didOpen", changed)
        where = {"uri": uri, "languageId": "python", "version": 1, "text": f"a{half}b\nc"}
        editor.notify("textDocument/didOpen", {"textDocument": where})
        start = {"line": 0, "character": 1}
        change = {"range": {"start": start, "end": start}, "text": half}
        changes = {"textDocument": {"uri": uri, "version": 2}, "contentChanges": [change]}
        for changed in every_string(changes, half):
            editor.notify("textDocument/didChange", changed)
        editor.notify("textDocument/didChange", changes)
        wanted = {
            "textDocument": {"uri": uri},
            "position": {"line": 1, "character": 1},
            "context": {"triggerKind": 1},
        }
        for params in (wanted, *every_string(wanted, half)):
            id = editor.request("textDocument/inlineCompletion", params)
            _, answer = await editor.until_answer(id)
            assert "result" in answer or answer["error"]["code"] != -32603, answer
        command = {"command": "aiSidecar.selectModel", "arguments": [{"model": "m", "x": half}]}
        for params in every_string(command, half):
            id = editor.request("workspace/executeCommand", params)
            _, answer = await editor.until_answer(id)
            assert "result" in answer or answer["error"]["code"] != -32603, answer
        assert await editor.call("ai/countTokens", {"text": half})


# --- ids ------------------------------------------------------------------------------------

LEGAL = [0, 1, -1, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, "", " ", "1", "é🙂"]
LEGAL += ["\0", "a" * 10_000, "\u2028", "null", "__proto__"]
ILLEGAL = [None, 1.0, 1.5, True, False, [], [1], {}, {"id": 1}]


@pytest.mark.asyncio
async def test_every_legal_id_comes_back_as_it_was(tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        for id in LEGAL:
            for method in ("ai/countTokens", "textDocument/nothing"):
                editor.send({"jsonrpc": "2.0", "id": id, "method": method, "params": {"text": "x"}})
                answer = await editor.read()
                assert answer["id"] == id and type(answer["id"]) is type(id)


@pytest.mark.asyncio
async def test_an_id_that_is_none_is_refused(tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        for id in ILLEGAL:
            for method in ("ai/countTokens", "textDocument/nothing", "shutdown"):
                editor.send({"jsonrpc": "2.0", "id": id, "method": method, "params": {}})
                answer = await editor.read()
                assert (answer["id"], answer["error"]["code"]) == (None, -32600), id
        assert await editor.call("ai/countTokens", {"text": "not shut down"})


@pytest.mark.asyncio
async def test_ids_that_python_takes_for_one_cancel_only_their_own(tmp_path: Path) -> None:
    """1, 1.0, "1" and true are four things."""
    waits = {"prompt": "a b c", "model": "mock/slow-100"}
    async with Editor(tmp_path, options=MOCK) as editor:
        editor.request("ai/stream", waits, id=1)
        editor.request("ai/stream", waits, id="1")
        for id in (True, 1.0, [1], {"id": 1}, None, "2", 2):
            editor.notify("$/cancelRequest", {"id": id})
        await editor.quiet()
        editor.cancel("1")
        assert (await editor.answer("1"))["error"]["code"] == -32800
        assert (await editor.answer(1))["result"]["text"] == "a b c"


@pytest.mark.asyncio
async def test_the_same_id_while_it_is_in_use_is_answered_as_often_as_it_was_sent(
    tmp_path: Path,
) -> None:
    waits = {"prompt": "a b c", "model": "mock/slow-20"}
    async with Editor(tmp_path, options=MOCK) as editor:
        for _ in range(5):
            editor.request("ai/stream", waits, id=7)
        editor.request("textDocument/nothing", {}, id=7)
        answers = [await editor.read() for _ in range(6)]
        assert [a["id"] for a in answers] == [7] * 6
        assert sum("result" in a for a in answers) == 5
        for _ in range(3):
            editor.request("ai/stream", waits, id=7)
        editor.cancel(7)
        answers = [await editor.read() for _ in range(3)]
        assert {a["error"]["code"] for a in answers} == {-32800}


# --- cancels ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [{}, [], None, 5, "x", {"id": []}, {"id": {}}, {"id": 10**40}, {"id": HALF}, {"id": "nobody"}],
)
@pytest.mark.asyncio
async def test_a_cancel_of_nothing_is_nothing(params: Any, tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        editor.send({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": params})
        await editor.quiet()
        assert await editor.call("ai/countTokens", {"text": "x"})


@pytest.mark.asyncio
async def test_a_cancel_that_comes_before_or_after_its_request_does_nothing(tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        editor.cancel(9)
        assert "result" in await editor.answer(editor.request("ai/complete", {"prompt": "x"}, id=9))
        for _ in range(3):
            editor.cancel(9)
        assert "result" in await editor.answer(editor.request("ai/complete", {"prompt": "x"}, id=9))


@pytest.mark.parametrize("method", ["$/cancelRequest", "exit", "initialized", "ai/lm/end"])
@pytest.mark.asyncio
async def test_a_notification_sent_as_a_request_is_refused(method: str, tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        assert (await editor.fail(method, {"id": 1}))["code"] == -32601
        assert editor.exit_codes == []


# --- while shutting down ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_whatever_comes_after_shutdown_is_refused_or_ignored(tmp_path: Path) -> None:
    async with Editor(tmp_path, options=MOCK) as editor:
        waiting = editor.request("ai/stream", {"prompt": "a b", "model": "mock/slow-1000"})
        editor.request("shutdown", {}, id="bye")
        editor.notify("textDocument/didOpen", {"textDocument": {"uri": "x"}})
        editor.notify("workspace/didChangeConfiguration", {"settings": {}})
        editor.cancel(waiting)
        editor.notify("initialized")
        answers = {(m := await editor.read())["id"]: m for _ in range(2)}
        assert answers["bye"]["result"] is None
        assert answers[waiting]["error"]["code"] == -32800
        for method in ("ai/complete", "shutdown", "initialize", "textDocument/nothing", "x"):
            assert (await editor.fail(method, {"prompt": "x"}))["code"] == -32600
        editor.notify("exit")
        assert editor.exit_codes == [0]


@pytest.mark.asyncio
async def test_shutdown_answers_what_is_still_open_of_the_standard_methods(tmp_path: Path) -> None:
    """Here nothing serves them yet, as in the first second of a session."""
    async with Editor(tmp_path, options=MOCK, with_session=False) as editor:
        for id in ("a", "a", 5):
            editor.request("textDocument/inlineCompletion", {}, id=id)
        editor.request("shutdown", {}, id="bye")
        answers = [await editor.read() for _ in range(4)]
        assert [a["id"] for a in answers] == ["a", "a", 5, "bye"]
        assert [a["error"]["code"] for a in answers[:3]] == [-32800] * 3
        editor.open_session()
        await editor.quiet()


# --- shapes --------------------------------------------------------------------------------

STANDARD = [
    *("exit ", "$/cancelRequest", "window/showMessage", "initialize ", "shutdown "),
    *("textDocument/didOpen", "textDocument/didChange", "textDocument/didClose"),
    *("textDocument/didSave", "textDocument/inlineCompletion", "textDocument/codeAction"),
    *("codeAction/resolve", "workspace/executeCommand", "workspace/didChangeConfiguration"),
    *("workspace/didChangeWatchedFiles", "workspace/didChangeWorkspaceFolders", "$/setTrace"),
    *("window/workDoneProgress/cancel", "textDocument/didShowCompletion", "initialized"),
    *("textDocument/didPartiallyAcceptCompletion", "$/progress", "$/unknown", "ai/lm/delta"),
    *("ai/lm/end", "window/workDoneProgress/create", "workspace/inlineCompletion/refresh"),
]
SHAPES: list[Any] = [
    *(None, [], [1], 5, "x", {}, {"textDocument": None}, {"textDocument": []}, {"id": {}}),
    *({"textDocument": {"uri": 5}}, {"textDocument": {"uri": ""}, "contentChanges": [None]}),
    {"textDocument": {"uri": "file:///x", "languageId": "x", "version": "1", "text": "t"}},
    {"textDocument": {"uri": "file:///y"}, "position": {"line": -1, "character": 2**70}},
    {"command": [], "arguments": {}},
    {"command": "aiSidecar.selectModel", "arguments": [5]},
    {"command": "aiSidecar.selectModel", "arguments": [{"model": {"a": []}}]},
    {"command": "aiSidecar.accepted", "arguments": [None, None]},
    {"item": {"insertText": 5}, "acceptedLength": -3},
    {"settings": {"aiSidecar": {"default": [], "inline": 5, "providers": {"openai": None}}}},
    {"token": [], "value": {"kind": "begin"}},
    {"jsonrpc": "2.0", "method": "exit", "id": 1},
]


@pytest.mark.parametrize("method", STANDARD)
@pytest.mark.asyncio
async def test_any_shape_for_a_standard_method(method: str, tmp_path: Path) -> None:
    """As a request it is answered once, and not as a bug of ours; as a notification, not at all."""
    async with Editor(tmp_path, options=MOCK) as editor:
        for params in SHAPES:
            editor.send({"jsonrpc": "2.0", "method": method, "params": params})
            await editor.quiet(3)
            editor.send({"jsonrpc": "2.0", "id": "r", "method": method, "params": params})
            before, answer = await editor.until_answer("r")
            assert answer.get("error", {}).get("code") != -32603, (params, answer)
            assert all(m["method"] in ("window/showMessage", "window/logMessage") for m in before)
        assert await editor.call("ai/countTokens", {"text": "x"})
