"""The program with a tap on it: what editor and program say to each other, kept in files."""

import json
from pathlib import Path
from typing import Any

from sidecar.framing import FrameDecoder

SCRIPT = """#!/bin/sh
printf '%s\\n' "$0" "$@" >>{folder}/arguments
tr '\\0' '\\n' <"/proc/$$/environ" >>{folder}/environment
echo $$ >{folder}/process
tee -a {folder}/said | {program} "$@" | tee -a {folder}/answered
"""


class Tap:
    """`program` is what the editor starts. It writes down both sides."""

    def __init__(self, folder: Path, program: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.program = folder / "ai-sidecar"
        self.program.write_text(SCRIPT.format(folder=folder, program=program), encoding="utf-8")
        self.program.chmod(0o755)

    def said(self, method: str) -> list[Any]:
        """Return the params of every such message of the editor."""
        return [m.get("params") for m in self._messages("said") if m.get("method") == method]

    def answer(self, method: str) -> Any:
        """Return the answer to the last such request, None while there is none."""
        asked = [m["id"] for m in self._messages("said") if m.get("method") == method]
        found = [m for m in self._messages("answered") if m.get("id") in asked[-1:]]
        return next((m for m in found if "method" not in m), None)

    def text(self, name: str) -> str:
        """Return one of the files: `arguments`, `environment`."""
        return (self.folder / name).read_text(encoding="utf-8")

    def process(self) -> int:
        """Return the process that the editor has started last."""
        return int(self.text("process"))

    def _messages(self, side: str) -> list[Any]:
        file = self.folder / side
        if not file.exists():
            return []
        # Processes follow each other in one file, each with whole frames but perhaps its last.
        bodies = FrameDecoder().feed(file.read_bytes())
        return [json.loads(body) for body in bodies if isinstance(body, bytes)]
