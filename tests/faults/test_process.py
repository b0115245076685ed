"""Some rows of the matrix through the real process, with the waits as they are."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from providers.ledger.place import PATH_VARIABLE
from providers.policy.retry import FIRST_WAIT
from tests.contract.process import Sidecar
from tests.faults.cells import COLUMNS, LEDGER, Column, run_cell
from tests.faults.check import problems
from tests.faults.faults import CUTS, FAILURES, SILENCE, Fault
from tests.faults.wires import CHAT

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

NAMES = ("stall mid-stream", "cut before content, FIN", "cut mid-stream, RST", "503")
ROWS = [fault for fault in (*SILENCE, *CUTS, *FAILURES) if fault.name in NAMES]


@contextlib.asynccontextmanager
async def real(folder: Path, options: dict[str, Any]) -> AsyncIterator[Sidecar]:
    ledger = {PATH_VARIABLE: str(folder / LEDGER)}
    async with Sidecar(folder, options=options, env=ledger) as sidecar:
        await sidecar.fail("textDocument/none")  # answered once everything is loaded
        yield sidecar
        await sidecar.quiet()


@pytest.mark.skipif(sys.platform == "win32", reason="a reset needs SO_LINGER as POSIX has it")
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("fault", ROWS, ids=lambda fault: fault.name)
async def test_cell(fault: Fault, column: Column) -> None:
    seen = await run_cell(CHAT, fault, column, real)
    assert problems(CHAT, fault, column, seen, first_wait=FIRST_WAIT) == []
