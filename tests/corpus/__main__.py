"""`python -m tests.corpus [--quick] [FORMAT…]`: how many recorded answers are read as was meant.

Every recorded answer is served to the whole provider that stands for its service (manager, vendor,
client, a socket of this machine): whole, cut at random, and byte by byte. Prints a line per wire
format and service, with a column for each way; then every answer that differs, with its reason.
`--quick` gives only bodies of up to 6,000 bytes byte by byte; all of them take two minutes. FORMAT
is how the name of a wire format begins.
"""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from tests.conftest import shared_folder
from tests.corpus.formats import FORMATS, Row
from tests.corpus.known import reason_of
from tests.corpus.replay import body_of, differences, every_row
from tests.corpus.whole import WAYS, Served

QUICK = 6000
PATIENCE = 60.0
Key = tuple[str, str]


class Tally:
    """What was found: for each wire format, service and way."""

    def __init__(self) -> None:
        self.read: Counter[tuple[Key, str]] = Counter()
        self.good: Counter[tuple[Key, str]] = Counter()
        self.listed: dict[str, list[str]] = {}
        self.unmeant = 0

    def take(self, row: Row, way: str, found: list[str]) -> None:
        """Note one answer, read in one way."""
        key = (row["wire_format"], row["provider"])
        self.read[key, way] += 1
        if not found:
            self.good[key, way] += 1
            return
        reason = reason_of(row)
        self.unmeant += reason is None
        lines = self.listed.setdefault(f"{key[0]} {key[1]} {row['id']}", [])
        told = [f"    {line}" for line in found]
        told.append(f"    known: {reason or 'NO'}")
        if lines[: len(told)] != told:
            lines += told

    def figures(self) -> list[str]:
        """Return the lines of the table."""
        lines = [f"{'':47}" + "".join(f"{way:>22}" for way in WAYS)]
        keys = {key for key, _ in self.read}
        rows = [(f"{key[0]:28} {key[1]:18}", {key}) for key in sorted(keys)]
        rows += [(f"{kind:47}", whose) for kind, whose in kinds(keys)]
        lines += [name + "".join(self._cell(keys, way) for way in WAYS) for name, keys in rows]
        return lines

    def _cell(self, keys: set[Key], way: str) -> str:
        count = sum(self.read[key, way] for key in keys)
        right = sum(self.good[key, way] for key in keys)
        return f"{right:6} of {count:4} {right / count:8.2%}" if count else f"{'–':>22}"


def kinds(keys: set[Key]) -> list[tuple[str, set[Key]]]:
    """Return the kinds of answers, each with its wire formats and services."""
    errors = {key for key in keys if key[0].startswith("errors")}
    unary = {key for key in keys - errors if key[0].endswith("-json")}
    parts = [("all streams", keys - errors - unary), ("all unary", unary), ("all errors", errors)]
    return [(kind, whose) for kind, whose in parts if whose]


async def report(shared: Path, wanted: list[str], *, quick: bool) -> Tally:
    tally = Tally()
    served = await Served.start()
    try:
        for row in every_row(shared):
            if row["wire_format"] not in FORMATS:
                continue
            if wanted and not row["wire_format"].startswith(tuple(wanted)):
                continue
            body = body_of(row, shared)
            for way in WAYS:
                if way == "bytes" and quick and len(body) > QUICK:
                    continue
                async with asyncio.timeout(PATIENCE):
                    answer = await served.replay(row, body, way)
                tally.take(row, way, differences(row, answer))
    finally:
        await served.aclose()
    return tally


def main() -> int:
    shared = shared_folder()
    if shared is None:
        sys.stdout.write("recorded answers not found: set AI_SIDECAR_SHARED to their folder\n")
        return 1
    options = sys.argv[1:]
    wanted = [each for each in options if each != "--quick"]
    tally = asyncio.run(report(shared, wanted, quick="--quick" in options))
    lines = tally.figures()
    left = Counter(r["wire_format"] for r in every_row(shared) if r["wire_format"] not in FORMATS)
    lines += ["", *(f"no provider for {name}: {count} answers" for name, count in left.items()), ""]
    for name, told in tally.listed.items():
        lines += [name, *told]
    lines += ["", f"differences that nobody meant: {tally.unmeant}"]
    sys.stdout.buffer.write(("\n".join(lines) + "\n").encode("utf-8", "replace"))
    return 1 if tally.unmeant else 0


if __name__ == "__main__":
    sys.exit(main())
