"""The embedded model completes, through the real process: five languages, no key."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from sidecar.cli.client import SidecarClient
from tests.cli.ask_helpers import home_environment
from tests.local.conftest import weights  # noqa: F401 (a fixture)

HELD = (
    ("python", "a.py", "def fibonacci(n):\n    if n < 2:\n        return n\n    return ⎸\n"),
    ("javascript", "a.js", "function sum(list) {\n  let total = 0;\n  return ⎸\n}\n"),
    ("go", "a.go", "func main() {\n\tfor i := 0; i < 10; i++ {\n\t\tfmt.Println(⎸)\n\t}\n}\n"),
    ("rust", "a.rs", "fn add(a: i32, b: i32) -> i32 {\n    ⎸\n}\n"),
    ("c", "a.c", "int max(int a, int b) {\n    return ⎸;\n}\n"),
)


@pytest.mark.asyncio
async def test_five_languages(weights: Any, tmp_path: Path) -> None:  # noqa: F811 (the fixture)
    shown: dict[str, str] = {}
    async with SidecarClient(env=home_environment(tmp_path)) as client:
        options = {"inline": {"maxTokens": 24}}
        await client.initialize(name="test", version="0", initializationOptions=options)
        for language, name, text in HELD:
            before, _, behind = text.partition("⎸")
            document = {"uri": f"file:///w/{name}", "languageId": language, "version": 1}
            client.notify(
                "textDocument/didOpen", {"textDocument": {**document, "text": before + behind}}
            )
            line = before.rpartition("\n")[2]
            at = {"line": before.count("\n"), "character": len(line)}
            params = {
                "textDocument": {"uri": document["uri"]},
                "position": at,
                "context": {"triggerKind": 1},
            }
            request = client.request("textDocument/inlineCompletion", params)
            for item in msgspec.json.decode(await request.answer)["items"]:
                assert item["range"] == {"start": at, "end": at}
                shown[language] = item["insertText"]
    assert len(shown) >= 3, shown
    assert not any("```" in text or "<|" in text for text in shown.values()), shown
