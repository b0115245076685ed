"""`python -m tests.faults [WORD …]`: play the matrix, print it, and write `docs/faults.md`.

With words, only the rows whose name holds one of them are played, and nothing is written.
"""

import asyncio
import sys

from tests.faults.cells import COLUMNS, run_cell
from tests.faults.check import problems, words
from tests.faults.faults import Fault, all_faults, format_faults
from tests.faults.memory import in_memory
from tests.faults.page import PAGE, Words, render
from tests.faults.wires import CHAT, OTHERS, Wire


async def play(only: list[str]) -> tuple[Words, list[str]]:
    """Return every cell's words, and what was wrong."""
    rows: list[tuple[Wire, Fault]] = [(CHAT, fault) for fault in all_faults(CHAT)]
    rows += [(wire, fault) for wire in OTHERS for fault in format_faults(wire)]
    seen: Words = {}
    wrong: list[str] = []
    for wire, fault in rows:
        if only and not any(word in fault.name for word in only):
            continue
        for column in COLUMNS:
            cell = await run_cell(wire, fault, column, in_memory)
            seen[wire.name, fault.name, column] = words(fault, column, cell)
            name = f"{wire.name}, {fault.name}, {column}"
            sys.stdout.write(f"{name:64} {seen[wire.name, fault.name, column]}\n")
            for problem in problems(wire, fault, column, cell):
                wrong.append(f"{name}: {problem}")
                sys.stdout.write(f"    WRONG {problem}\n")
    return seen, wrong


def main(only: list[str]) -> int:
    seen, wrong = asyncio.run(play(only))
    sys.stdout.write(f"\n{len(seen)} cells, {len(wrong)} wrong\n")
    if not only and not wrong:
        PAGE.write_text(render(seen), "utf-8")
        sys.stdout.write(f"written to {PAGE}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
