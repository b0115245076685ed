"""A document is found by its URI as the client writes it, percent-encoded or not."""

from pathlib import Path

import pytest

from tests.actions.conftest import Actor, place
from tests.inline.conftest import Asked

URI = "file:///w/my%20proj%C3%A9ct/app.py"


@pytest.mark.asyncio
async def test_an_action_on_a_path_that_is_not_plain(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda _request: "def f(b):\n    # as it came\n    return b"
    async with Actor(tmp_path) as editor:
        editor.open("def f(b):\n    return b\n", uri=URI)
        assert await editor.resolved("AI: document", place(0, 4, 0, 4))
        argument = {"uri": URI, "range": place(0, 0, 2, 0), "instruction": "rename"}
        command = {"command": "aiSidecar.rewrite", "arguments": [argument]}
        result = await editor.call("workspace/executeCommand", command)
        assert URI in str(result)
