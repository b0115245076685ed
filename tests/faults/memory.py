"""The editor of the matrix: in memory, around the real loop, session, manager and transport."""

from pathlib import Path
from typing import Any

from providers.ledger.place import PATH_VARIABLE
from tests.faults.cells import LEDGER
from tests.sidecar.harness import Editor


def in_memory(folder: Path, options: dict[str, Any]) -> Editor:
    ledger = {PATH_VARIABLE: str(folder / LEDGER)}
    return Editor(folder, options=options, environ=ledger)
