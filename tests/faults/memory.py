"""The editor of the matrix: in memory, around the real loop, session, manager and transport."""

from pathlib import Path
from typing import Any

from tests.sidecar.harness import Editor


def in_memory(folder: Path, options: dict[str, Any]) -> Editor:
    return Editor(folder, options=options)
