"""`docs/faults.md`: the matrix as a table of what was seen, written by `python -m tests.faults`."""

from pathlib import Path

from tests.faults.cells import ATTEMPTS, COLUMNS, Column
from tests.faults.faults import SHORT, all_faults, format_faults
from tests.faults.wires import CHAT, OTHERS, Wire

PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"

HEAD = f"""\
# Fault matrix

What an editor gets, what the services see and what is booked when something goes wrong, as it was
seen: a whole sidecar between an editor in memory and services on loopback. The page is written by

    python -m tests.faults

and each cell is held against [the protocol](protocol.md#errors) by `tests/faults/`, which also
fails if a cell hangs, loses or repeats text, or leaves a socket, a task or an entry of a queue
behind; if a wait is not the one that was asked for; if a failover takes more than 100 ms; or if
this page is not what is seen.

- **alone**: it happens every time, and nobody else is there ({ATTEMPTS} attempts, to be short).
- **retry**: it happens once, then the service is well.
- **fallback**: it happens every time at `a`; `b` is well.
- **cancelled**: the editor takes the request back in the middle of it, although a retry and a
  fallback would be there.

A cell says what the editor got (an answer, or an error's kind) · requests that reached `a` and `b`
· the rows of the ledger's file. A whole answer is 8 tokens; of one that broke or was cancelled they
are estimated, at least what had been sent. What failed before any content is booked only as far as
the service said what it costs. “a 0 of 2”: two attempts were made, and none became a request.
`timeouts.firstByte` and `timeouts.idle` are {SHORT} s.
"""


Words = dict[tuple[str, str, Column], str]


def formats() -> list[tuple[Wire, list[str]]]:
    """The formats of the page, and the names of their rows."""
    found = [(CHAT, [fault.name for fault in all_faults(CHAT)])]
    return found + [(wire, [fault.name for fault in format_faults(wire)]) for wire in OTHERS]


def render(words: Words) -> str:
    """Return the page. Raises `KeyError` if a cell is missing."""
    parts = [HEAD]
    for wire, names in formats():
        if wire is not CHAT and wire is OTHERS[0]:
            parts.append("\nThe other formats: what their own readers decide.\n")
        parts.append(f"\n## {wire.name}\n\n| fault | {' | '.join(COLUMNS)} |\n")
        parts.append("|" + " --- |" * (len(COLUMNS) + 1) + "\n")
        for name in names:
            cells = [words[wire.name, name, column] for column in COLUMNS]
            parts.append(f"| {name} | {' | '.join(cells)} |\n")
    return "".join(parts)


def read() -> Words:
    """Return the cells of the page as it is."""
    words: Words = {}
    wire = ""
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("## "):
            wire = line.removeprefix("## ")
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == len(COLUMNS) + 1 and wire:
            for column, cell in zip(COLUMNS, cells[1:], strict=True):
                words[wire, cells[0], column] = cell
    return words
