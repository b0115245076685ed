"""Every cell of the matrix is what the contract says, and what the page says."""

import pytest

from tests.faults import page
from tests.faults.cells import COLUMNS, Column, run_cell
from tests.faults.check import problems, words
from tests.faults.faults import Fault, all_faults, format_faults
from tests.faults.memory import in_memory
from tests.faults.wires import CHAT, OTHERS, Wire

ROWS = [pytest.param(CHAT, fault, id=fault.name) for fault in all_faults(CHAT)]
ROWS += [
    pytest.param(wire, fault, id=f"{wire.name}-{fault.name}", marks=pytest.mark.slow)
    for wire in OTHERS
    for fault in format_faults(wire)
]
SEEN = page.read()


@pytest.mark.asyncio
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(("wire", "fault"), ROWS)
async def test_cell(wire: Wire, fault: Fault, column: Column) -> None:
    seen = await run_cell(wire, fault, column, in_memory)
    wrong = problems(wire, fault, column, seen)
    if wrong and all(each.startswith(("failed over in", "waited")) for each in wrong):
        # Only a time was missed: by us it would be again, by a busy machine it is not.
        seen = await run_cell(wire, fault, column, in_memory)
        wrong = problems(wire, fault, column, seen)
    assert wrong == []
    assert words(fault, column, seen) == SEEN[wire.name, fault.name, column]


def test_the_page_has_every_row_and_no_other() -> None:
    assert page.render(SEEN) == page.PAGE.read_text("utf-8")
