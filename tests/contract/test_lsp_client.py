"""A client that was not written here (pytest-lsp, on pygls' client) gets on with the program."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig, LanguageClient

from sidecar.about import VERSION
from tests.contract.process import PROGRAM, environment

URI = "file:///w/x.py"

# The fixture's environment is fixed before any test, so it has no `tmp_path`.
HOME = Path(tempfile.mkdtemp(prefix="ai-sidecar-home-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)


@pytest_lsp.fixture(
    config=ClientServerConfig(server_command=[str(PROGRAM)], server_env=environment(HOME))
)
async def client(lsp_client: LanguageClient):
    result = await lsp_client.initialize_session(
        types.InitializeParams(
            capabilities=pytest_lsp.client_capabilities("neovim"),
            root_uri="file:///w",
            initialization_options={"default": "mock", "providers": {"mock": {}}},
        )
    )
    lsp_client.started = result  # type: ignore[attr-defined]
    yield
    await lsp_client.shutdown_session()


@pytest.mark.asyncio
async def test_it_says_who_it_is_and_what_it_can(client: LanguageClient) -> None:
    result: types.InitializeResult = client.started  # type: ignore[attr-defined]
    assert result.server_info == types.ServerInfo("ai-sidecar", VERSION)
    assert "aiSidecar.selectModel" in result.capabilities.execute_command_provider.commands  # type: ignore[union-attr]
    experimental: Any = result.capabilities.experimental
    ours = experimental["aiSidecar"] if isinstance(experimental, dict) else experimental.aiSidecar
    assert ours


@pytest.mark.asyncio
async def test_documents_commands_and_requests_of_our_own(client: LanguageClient) -> None:
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(URI, "python", 1, "x = 1\n"))
    )
    await client.workspace_execute_command_async(
        types.ExecuteCommandParams("aiSidecar.selectModel", arguments=[{"model": "mock/echo"}])
    )
    answer = await client.protocol.send_request_async("ai/complete", {"prompt": "good day"})
    assert answer.text == "good day" and answer.usage.totalTokens > 0
    client.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier(URI))
    )


@pytest.mark.asyncio
async def test_its_errors_are_understood(client: LanguageClient) -> None:
    with pytest.raises(JsonRpcException) as refused:
        await client.workspace_execute_command_async(types.ExecuteCommandParams("rm"))
    assert refused.value.code == -32602
    with pytest.raises(JsonRpcException) as missing:
        await client.text_document_hover_async(
            types.HoverParams(types.TextDocumentIdentifier(URI), types.Position(0, 0))
        )
    assert missing.value.code == -32601
