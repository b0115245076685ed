"""The embedded model edits, through the real process: in an edit or in a clear error."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sidecar.cli.client import RpcError, SidecarClient
from tests.cli.ask_helpers import home_environment
from tests.local.conftest import weights  # noqa: F401 (a fixture)

URI = "file:///w/app.py"
TEXT = "def add(a, b):\n    return a + b\n"
CAN = {
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": []}},
            "resolveSupport": {"properties": ["edit"]},
        }
    }
}


@pytest.mark.slow
@pytest.mark.asyncio
async def test_an_edit_or_a_clear_error(weights: Any, tmp_path: Path) -> None:  # noqa: F811 (the fixture)
    """A model this small seldom does what it is told; then nothing is edited, and that is said."""
    async with SidecarClient(env=home_environment(tmp_path)) as client:
        options = {"actions": {"maxTokens": 64, "contextTokens": 400}}
        await client.initialize(
            name="test", version="0", initializationOptions=options, capabilities=CAN
        )
        document = {"uri": URI, "languageId": "python", "version": 1, "text": TEXT}
        client.notify("textDocument/didOpen", {"textDocument": document})
        at = {"line": 1, "character": 4}
        params = {
            "textDocument": {"uri": URI},
            "range": {"start": at, "end": at},
            "context": {"diagnostics": []},
        }
        listed = msgspec.json.decode(await client.request("textDocument/codeAction", params).answer)
        assert [a["title"] for a in listed] == ["AI: document", "AI: explain in a comment"]
        outcomes = [await outcome(client, action) for action in listed]
    assert all(outcomes), outcomes


async def outcome(client: SidecarClient, action: Any) -> str:
    """Return what came of it: the new text, or the message of the error."""
    try:
        answer = await client.request("codeAction/resolve", action).answer
    except RpcError as error:
        assert "maxTokens" in str(error) or "the model" in str(error), error
        return str(error)
    ((edit,),) = msgspec.json.decode(answer)["edit"]["changes"].values()
    return str(edit["newText"])
