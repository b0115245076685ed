"""The snippet for Helix: what it says, done to the real program as Helix does it.

Helix itself is not run. What it announces and answers is read from its helix-lsp/src/client.rs and
helix-term/src/application.rs.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.contract import chat
from tests.contract.process import PROGRAM, Sidecar
from tests.http.server import RawServer
from tests.sidecar.clients import HELIX

pytestmark = pytest.mark.slow

SNIPPET = Path(__file__).resolve().parents[3] / "editors/helix/languages.toml"
CAPABILITIES = {
    **HELIX["capabilities"],
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {
                "codeActionKind": {"valueSet": ["", "quickfix", "refactor", "refactor.rewrite"]}
            },
            "dataSupport": True,
            "resolveSupport": {"properties": ["edit", "command"]},
        }
    },
    "workspace": {
        **HELIX["capabilities"]["workspace"],
        "workspaceEdit": {"documentChanges": True, "resourceOperations": ["create"]},
    },
}
ANSWER = "def add(a, b):\n    # the sum\n    return a + b"


def snippet() -> dict[str, Any]:
    return tomllib.loads(SNIPPET.read_text("utf-8"))


def test_every_language_names_a_server_that_is_defined() -> None:
    content = snippet()
    server = content["language-server"]["ai-sidecar"]
    assert server["command"] == PROGRAM.stem and "args" not in server
    for language in content["language"]:
        names = [s if isinstance(s, str) else s["name"] for s in language["language-servers"]]
        assert "ai-sidecar" in names and len(names) > 1  # the list replaces Helix's own


@pytest.mark.asyncio
async def test_a_code_action_the_way_helix_does_it(tmp_path: Path) -> None:
    service = await RawServer.start(chat.streamed([ANSWER]))
    user_file = tmp_path / "config/ai-sidecar/config.toml"
    user_file.parent.mkdir(parents=True)
    user_file.write_text(
        f'[providers.anthropic]\nkind = "openai-compatible"\nbaseUrl = "{service.origin}/v1"\n'
        'apiKey = "sk-helix-test-0123456789"\n'
    )
    config = snippet()["language-server"]["ai-sidecar"]["config"]
    document = tmp_path / "add.py"
    document.write_text("def add(a, b):\n    return a + b\n")
    uri = document.as_uri()
    async with Sidecar(tmp_path, options=config, capabilities=CAPABILITIES) as helix:
        item = {"uri": uri, "languageId": "python", "version": 0, "text": document.read_text()}
        helix.notify("textDocument/didOpen", {"textDocument": item})
        at = {"line": 0, "character": 5}
        asked = {
            "textDocument": {"uri": uri},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": [], "triggerKind": 1},
        }
        listed = await call(helix, "textDocument/codeAction", asked, config)
        (action,) = [a for a in listed if a["title"] == "AI: document"]
        assert "edit" not in action and "command" not in action  # so that Helix resolves it
        resolved = await call(helix, "codeAction/resolve", action, config)
        (change,) = resolved["edit"]["documentChanges"]
        assert change["textDocument"] == {"uri": uri, "version": 0}
        assert "# the sum" in change["edits"][0]["newText"]
        await helix.call("shutdown")
        helix.notify("exit")
        assert await helix.exit_code() == 0
    assert b'"model":"claude-sonnet-4-5"' in service.requests[0].body
    await service.aclose()


async def call(helix: Sidecar, method: str, params: Any, config: dict[str, Any]) -> Any:
    """Send a request; meanwhile answer the server's as Helix does: sections of `config`."""
    id = helix.request(method, params)
    while True:
        message = await helix.read()
        if message.get("id") == id and "method" not in message:
            assert "error" not in message, message
            return message["result"]
        if message.get("method") == "workspace/configuration":
            found = [config.get(item["section"]) for item in message["params"]["items"]]
            helix.send({"jsonrpc": "2.0", "id": message["id"], "result": found})
        elif "id" in message:
            helix.send({"jsonrpc": "2.0", "id": message["id"], "result": None})
