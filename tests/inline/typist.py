"""An editor that has a document open and asks for completions while somebody types in it."""

from pathlib import Path
from typing import Any

from tests.sidecar.harness import Editor

URI = "file:///w/app.py"


def options(**inline: Any) -> dict[str, Any]:
    return {
        "default": "scripted",
        "providers": {"scripted": {"kind": "mock"}},
        "inline": {"debounceMs": 0, **inline},
    }


class Typist(Editor):
    """`text` is the document; the cursor is at `|`, or at its end."""

    def __init__(self, folder: Path, *, inline: dict[str, Any] | None = None, **given: Any) -> None:
        given.setdefault("options", options(**(inline or {})))
        super().__init__(folder, **given)
        self.text, self.version = "", 0
        self.cursor = 0

    def open(self, text: str, *, uri: str = URI, language: str = "python") -> None:
        self.uri = uri
        before, _, behind = text.partition("|")
        self.text, self.cursor, self.version = before + behind, len(before), 1
        document = {"uri": uri, "languageId": language, "version": 1, "text": self.text}
        self.notify("textDocument/didOpen", {"textDocument": document})

    def type(self, text: str) -> None:
        self.change(self.cursor, self.cursor, text)
        self.cursor += len(text)

    def change(self, start: int, end: int, text: str) -> None:
        place = {"start": self.position(start), "end": self.position(end)}
        self.text = self.text[:start] + text + self.text[end:]
        self.version += 1
        self.notify(
            "textDocument/didChange",
            {
                "textDocument": {"uri": self.uri, "version": self.version},
                "contentChanges": [{"range": place, "text": text}],
            },
        )

    def position(self, offset: int) -> dict[str, int]:
        line = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        units = len(self.text[start:offset].encode("utf-16-le")) // 2
        return {"line": line, "character": units}

    def ask(self, *, kind: int = 2, **context: Any) -> int | str:
        return self.request(
            "textDocument/inlineCompletion",
            {
                "textDocument": {"uri": self.uri},
                "position": self.position(self.cursor),
                "context": {"triggerKind": kind, **context},
            },
        )

    async def items(self, id: int | str) -> list[Any]:
        result = (await self.answer(id))["result"]
        assert list(result) == ["items"]
        return result["items"]

    async def shown(self, **context: Any) -> str | None:
        """Ask, and return the text of the one item, None if there is none."""
        items = await self.items(self.ask(**context))
        assert len(items) <= 1
        return items[0]["insertText"] if items else None
