"""`aiSidecar.rewrite {uri, range, instruction}`: the real loop and server, a scripted model."""

from pathlib import Path
from typing import Any

import pytest

from tests.inline.conftest import Asked
from tests.inline.typist import URI, Typist


def place(line: int, character: int, to_line: int, to_character: int) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": character},
        "end": {"line": to_line, "character": to_character},
    }


def rewrite(range: Any, instruction: Any = "make it better", uri: Any = URI) -> dict[str, Any]:
    argument = {"uri": uri, "range": range, "instruction": instruction}
    return {"command": "aiSidecar.rewrite", "arguments": [argument]}


@pytest.mark.asyncio
async def test_the_result_is_an_edit_of_the_selection(tmp_path: Path, asked: Asked) -> None:
    asked.answer = lambda request: "Sure:\n```python\nb = 3\nc = 4\n```\nDone."
    async with Typist(tmp_path) as editor:
        editor.open("a = 1\nb = 2\nc = 4\nd = 5\n")
        edit = await editor.call("workspace/executeCommand", rewrite(place(1, 0, 3, 0)))
        assert edit == {"changes": {URI: [{"range": place(1, 0, 2, 0), "newText": "b = 3\n"}]}}
