"""An editor that has a document open, lists actions and resolves them."""

from pathlib import Path
from typing import Any

from tests.inline.conftest import asked, script
from tests.inline.typist import Typist

__all__ = ["Actor", "asked", "place", "script"]

RESOLVES: dict[str, Any] = {
    "textDocument": {
        "codeAction": {
            "codeActionLiteralSupport": {"codeActionKind": {"valueSet": ["quickfix"]}},
            "resolveSupport": {"properties": ["edit"]},
        }
    }
}
"""What Lapce announces: no `documentChanges`, no files created, no progress of the server's own."""

CREATES = {**RESOLVES, "workspace": {"workspaceEdit": {"resourceOperations": ["create"]}}}
VERSIONED = {**RESOLVES, "workspace": {"workspaceEdit": {"documentChanges": True}}}


def place(line: int, character: int, to_line: int, to_character: int) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": character},
        "end": {"line": to_line, "character": to_character},
    }


class Actor(Typist):
    """`actions` are the table of that name in the configuration."""

    def __init__(
        self, folder: Path, *, actions: dict[str, Any] | None = None, **given: Any
    ) -> None:
        given.setdefault("capabilities", RESOLVES)
        super().__init__(folder, **given)
        self.params["initializationOptions"]["actions"] = actions or {}

    async def listed(self, range: Any = None, **context: Any) -> list[Any]:
        """Return the actions for a range, or for the cursor."""
        at = self.position(self.cursor)
        return await self.call(
            "textDocument/codeAction",
            {
                "textDocument": {"uri": self.uri},
                "range": range or {"start": at, "end": at},
                "context": {"diagnostics": [], **context},
            },
        )

    async def titled(self, start: str, range: Any = None, **context: Any) -> Any:
        """Return the one action whose title begins so."""
        (found,) = [a for a in await self.listed(range, **context) if a["title"].startswith(start)]
        return found

    async def resolved(self, start: str, range: Any = None, **context: Any) -> str:
        """Resolve an action, and return the document with its edit."""
        action = await self.titled(start, range, **context)
        resolved = await self.call("codeAction/resolve", action)
        assert {k: v for k, v in resolved.items() if k != "edit"} == action
        ((uri, edits),) = resolved["edit"]["changes"].items()
        assert uri == self.uri
        return self.with_edits(edits)

    def with_edits(self, edits: list[Any]) -> str:
        """Return the document's text with one edit made."""
        (edit,) = edits
        start, end = self.offset(edit["range"]["start"]), self.offset(edit["range"]["end"])
        return self.text[:start] + edit["newText"] + self.text[end:]

    def offset(self, position: dict[str, int]) -> int:
        lines = self.text.split("\n")
        before = sum(len(line) + 1 for line in lines[: position["line"]])
        line = lines[position["line"]].encode("utf-16-le")
        return before + len(line[: position["character"] * 2].decode("utf-16-le"))
