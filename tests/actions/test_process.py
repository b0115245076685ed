"""Each action from the list to the edit, through the real process and a client written elsewhere.

pytest-lsp plays Neovim, VS Code and Emacs, with what these announce; the service is on loopback.
"""

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient

from tests.contract import chat
from tests.contract.conftest import options, service
from tests.contract.process import PROGRAM, Sidecar, environment
from tests.http.server import Gate, RawServer, Recorded

__all__ = ["service"]

pytestmark = pytest.mark.slow  # a process for each test

TEXT = """\
import os


def add(a, b):
    return a + c
"""


class Talk:
    """A client with one document open."""

    def __init__(self, client: LanguageClient, uri: str) -> None:
        self.client, self.uri = client, uri
        self.applied: list[types.WorkspaceEdit] = []

        @client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.applied.append(params.edit)
            return types.ApplyWorkspaceEditResult(applied=True)

    async def listed(self, place: types.Range, *diagnostics: types.Diagnostic) -> Any:
        return await self.client.text_document_code_action_async(
            types.CodeActionParams(
                types.TextDocumentIdentifier(self.uri), place, types.CodeActionContext(diagnostics)
            )
        )

    async def resolved(self, title: str, place: types.Range, *about: types.Diagnostic) -> Any:
        (action,) = [a for a in await self.listed(place, *about) if a.title.startswith(title)]
        return (await self.client.code_action_resolve_async(action)).edit


def place(line: int, character: int, to_line: int, to_character: int) -> types.Range:
    return types.Range(types.Position(line, character), types.Position(to_line, to_character))


@pytest_asyncio.fixture
async def talk(
    request: pytest.FixtureRequest, tmp_path: Path, service: RawServer
) -> AsyncIterator[Talk]:
    config = ClientServerConfig(
        server_command=[str(PROGRAM)], server_env=environment(tmp_path / "home")
    )
    client = await config.start()
    await client.initialize_session(
        types.InitializeParams(
            capabilities=pytest_lsp.client_capabilities(request.param),
            root_uri=tmp_path.as_uri(),
            initialization_options=options(service),
        )
    )
    uri = (tmp_path / "app.py").as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 1, TEXT))
    )
    yield Talk(client, uri)
    await client.shutdown_session()
    await client.stop()


def answers(service: RawServer, text: str) -> None:
    service._scripts = [chat.streamed([text[:7], text[7:]])]


def prompt_of(request: Recorded) -> str:
    return str(json.loads(request.body)["messages"][-1]["content"])


NEOVIM = pytest.mark.parametrize("talk", ["neovim@v0.11.0"], indirect=True)


@NEOVIM
@pytest.mark.asyncio
async def test_every_action_becomes_an_edit(talk: Talk, service: RawServer, tmp_path: Path) -> None:
    problem = types.Diagnostic(place(4, 15, 4, 16), "Undefined name `c`")
    here = place(4, 11, 4, 11)

    answers(service, "```python\ndef add(a, b):\n    return a + b\n```")
    edit = await talk.resolved("AI: fix", here, problem)
    assert edit.changes == {talk.uri: (types.TextEdit(place(4, 0, 4, 16), "    return a + b"),)}
    assert "Undefined name `c`" in prompt_of(service.requests[-1])

    answers(service, '```python\ndef add(a, b):\n    """Add."""\n    return a + c\n```')
    edit = await talk.resolved("AI: document", here)
    assert edit.changes == {talk.uri: (types.TextEdit(place(4, 0, 4, 0), '    """Add."""\n'),)}

    answers(service, "Adds two numbers.")
    edit = await talk.resolved("AI: explain", here)
    assert edit.changes == {talk.uri: (types.TextEdit(place(3, 0, 3, 0), "# Adds two numbers.\n"),)}

    answers(service, "```python\ndef test_add():\n    assert add(1, 2) == 3\n```")
    edit = await talk.resolved("AI: write a test", here)
    create, fill = edit.document_changes
    beside = (tmp_path / "test_app.py").as_uri()
    assert create == types.CreateFile(beside)
    assert fill.edits[0].new_text == "def test_add():\n    assert add(1, 2) == 3\n"

    change = types.TextDocumentContentChangePartial(
        range=place(0, 0, 0, 9), text="# print the result\nadd(1, 2)"
    )
    talk.client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(version=2, uri=talk.uri), [change]
        )
    )
    answers(service, "```python\nprint(add(1, 2))\n```")
    edit = await talk.resolved("AI: write what the comment says", place(0, 4, 0, 4))
    assert edit.changes == {talk.uri: (types.TextEdit(place(0, 18, 0, 18), "\nprint(add(1, 2))"),)}
    edit = await talk.resolved("AI: rewrite: print the result", place(0, 0, 2, 0))
    assert edit.changes == {talk.uri: (types.TextEdit(place(0, 0, 1, 9), "print(add(1, 2))"),)}

    argument = {
        "uri": talk.uri,
        "range": {"start": {"line": 1, "character": 0}, "end": {"line": 2, "character": 0}},
        "instruction": "print it",
    }
    edit = await talk.client.workspace_execute_command_async(
        types.ExecuteCommandParams("aiSidecar.rewrite", [argument])
    )
    changes = edit["changes"] if isinstance(edit, dict) else edit.changes
    changes = changes if isinstance(changes, dict) else changes._asdict()
    ((_, ((change,))),) = changes.items()
    assert "print(add(1, 2))" in str(change)


@pytest.mark.parametrize("talk", ["visual_studio_code"], indirect=True)
@pytest.mark.asyncio
async def test_vs_code_gets_versions(talk: Talk, service: RawServer) -> None:
    answers(service, "Adds two numbers.")
    edit = await talk.resolved("AI: explain", place(4, 11, 4, 11))
    (change,) = edit.document_changes
    assert (change.text_document.uri, change.text_document.version) == (talk.uri, 1)


@pytest.mark.parametrize("talk", ["emacs"], indirect=True)
@pytest.mark.asyncio
async def test_emacs_of_old_runs_a_command_and_is_told_what_to_apply(
    talk: Talk, service: RawServer
) -> None:
    answers(service, "Adds two numbers.")
    (action,) = [a for a in await talk.listed(place(4, 11, 4, 11)) if "explain" in a.title]
    # This client's types take an action that has a command for a command, and print what is in it.
    command: Any = ast.literal_eval(action.command)
    assert command["command"] == "aiSidecar.applyAction"
    result = await talk.client.workspace_execute_command_async(
        types.ExecuteCommandParams(command["command"], command["arguments"])
    )
    assert result is None
    ((change,),) = [edit.document_changes for edit in talk.applied]
    assert change.edits[0].new_text == "# Adds two numbers.\n"


@NEOVIM
@pytest.mark.asyncio
async def test_an_error_of_the_service_is_told_as_ever(talk: Talk, service: RawServer) -> None:
    service._scripts = [chat.error(401, "no such key")]
    with pytest.raises(JsonRpcException) as refused:
        await talk.resolved("AI: explain", place(4, 11, 4, 11))
    assert refused.value.code == -32803
    assert "no such key" in refused.value.message


# --- in frames, where time and order count ------------------------------------------------------

RESOLVES = {
    "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
    "resolveSupport": {"properties": ["edit"]},
}
URI = "file:///w/app.py"


def opened(sidecar: Sidecar) -> dict[str, Any]:
    document = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
    sidecar.notify("textDocument/didOpen", {"textDocument": document})
    at = {"line": 4, "character": 11}
    return {
        "textDocument": {"uri": URI},
        "range": {"start": at, "end": at},
        "context": {"diagnostics": []},
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["codeAction/resolve", "workspace/executeCommand"])
async def test_a_cancel_closes_the_connection_within_50_ms(
    method: str, tmp_path: Path, service: RawServer
) -> None:
    gate = Gate()
    service._scripts = [[chat.HEAD, chat.chunk(chat.delta("a")), gate]]
    can = {"textDocument": {"codeAction": RESOLVES}}
    async with Sidecar(tmp_path, options=options(service), capabilities=can) as it:
        listed = await it.call("textDocument/codeAction", opened(it))
        params = listed[-1]
        if method == "workspace/executeCommand":
            where = {"uri": URI, "range": opened(it)["range"], "instruction": "shorter"}
            params = {"command": "aiSidecar.rewrite", "arguments": [where]}
        waits: list[float] = []
        for _ in range(5):  # the quickest shows the program; the others also a busy machine
            gate.reached.clear()
            id = it.request(method, params)
            await gate.reached.wait()
            began = asyncio.get_running_loop().time()
            it.cancel(id)
            waits.append(await service.connections[-1].closed() - began)
            assert (await it.answer(id))["error"]["code"] == -32800
        assert min(waits) < 0.05


@pytest.mark.asyncio
async def test_the_status_of_both_kinds_is_told_where_it_was_announced(
    tmp_path: Path, service: RawServer
) -> None:
    """Busy, tokens and cost, after ghost text and after an edit; the server's health on change."""
    can = {
        "textDocument": {"codeAction": RESOLVES},
        "experimental": {"aiSidecar": {"status": True}, "serverStatusNotification": True},
    }
    prices = {"up/m": {"prices": {"inputPerMTok": 1000000, "outputPerMTok": 1000000}}}
    given = options(service, models=prices, retry={"attempts": 1}, inline={"debounceMs": 0})
    async with Sidecar(tmp_path, options=given, capabilities=can) as it:
        first = {(m["method"]): m["params"] for m in [await it.read(), await it.read()]}
        assert first["experimental/serverStatus"] == {"health": "ok", "quiescent": True}
        assert first["ai/didChangeStatus"]["busy"] is False
        where = opened(it)
        (explain,) = [
            a
            for a in await it.call("textDocument/codeAction", where)
            if a["title"].startswith("AI: explain")
        ]
        ghost = {
            "textDocument": {"uri": URI},
            "position": {"line": 5, "character": 0},
            "context": {"triggerKind": 1},
        }
        for method, params in [
            ("textDocument/inlineCompletion", ghost),
            ("codeAction/resolve", explain),
        ]:
            told, answer = await it.until_answer(it.request(method, params))
            assert "result" in answer
            assert {m["method"] for m in told} == {"ai/didChangeStatus"}
            assert [m["params"]["busy"] for m in told] == [True, False]
            done = told[-1]["params"]
            assert (done["provider"], done["tokens"], done["costUsd"]) == ("up", 8, 8.0)
        service._scripts = [chat.error(401, "no such key")]
        for health in (["error"], []):  # a second failure of the same kind is no change
            told, _ = await it.until_answer(it.request("codeAction/resolve", explain))
            servers = [m["params"] for m in told if m["method"] == "experimental/serverStatus"]
            assert [s["health"] for s in servers] == health
            assert told[-1]["method"] in ("ai/didChangeStatus", "window/showMessage")
        service._scripts = [chat.streamed(["Well."])]
        told, _ = await it.until_answer(it.request("codeAction/resolve", explain))
        servers = [m["params"] for m in told if m["method"] == "experimental/serverStatus"]
        assert servers == [{"health": "ok", "quiescent": True}]


@pytest.mark.asyncio
async def test_who_announced_nothing_is_told_nothing(tmp_path: Path, service: RawServer) -> None:
    can = {"textDocument": {"codeAction": RESOLVES}}
    async with Sidecar(tmp_path, options=options(service), capabilities=can) as it:
        listed = await it.call("textDocument/codeAction", opened(it))
        await it.call("codeAction/resolve", listed[-1])  # nothing but the answer
        await it.quiet()


@pytest.mark.asyncio
async def test_the_end_of_the_input_ends_an_action(tmp_path: Path, service: RawServer) -> None:
    gate = Gate()
    service._scripts = [[chat.HEAD, gate]]
    can = {"textDocument": {"codeAction": RESOLVES}}
    async with Sidecar(tmp_path, options=options(service), capabilities=can) as it:
        listed = await it.call("textDocument/codeAction", opened(it))
        it.request("codeAction/resolve", listed[-1])
        await gate.reached.wait()
        assert it.process.stdin is not None
        it.process.stdin.close()
        assert await it.exit_code() == 0
    await service.connections[-1].closed()
