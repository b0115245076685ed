"""`python -m tests.parity [PROVIDER …]`: how ours compares with the port, provider by provider.

Prints a line of figures for each: cases that are alike; requests (path, auth and version headers,
body); what is yielded, errors and retries together (`rest`). The figures behind the bar leave out
what the specification or the wire contract wants changed. Then every difference, with its reason
where it is meant.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import shared_folder
from tests.parity import cloud, known
from tests.parity import replay as replay_module
from tests.parity.compare import REQUEST_POINTS
from tests.parity.setups import SETUPS

POINTS = (*REQUEST_POINTS, "rest")
HEAD = f"{'':34}{'cases':>6}{'alike':>6}" + "".join(f"{p:>8}" for p in POINTS) + "  |"
HEAD += "".join(f"{point:>8}" for point in POINTS) + "  meant"
OWN = known.OWN | cloud.OWN


@dataclass
class Figures:
    """`off` counts the cases that differ at a point, `own` those that do for our own reasons."""

    cases: int = 0
    sent: int = 0
    alike: int = 0
    meant: int = 0
    off: dict[str, int] = field(default_factory=lambda: dict.fromkeys(POINTS, 0))
    own: dict[str, int] = field(default_factory=lambda: dict.fromkeys(POINTS, 0))

    def take(self, found: list[str], reasons: list[str | None], *, sent: bool) -> None:
        self.cases += 1
        self.sent += sent
        self.alike += not found
        self.meant += bool(found) and None not in reasons
        points = [_point(line) for line in found]
        for point in set(points):
            self.off[point] += 1
        pairs = zip(points, reasons, strict=True)
        for point in {point for point, why in pairs if why is None or why in OWN}:
            self.own[point] += 1

    def add(self, other: "Figures") -> None:
        for name in ("cases", "sent", "alike", "meant"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for point in POINTS:
            self.off[point] += other.off[point]
            self.own[point] += other.own[point]

    def line(self, name: str) -> str:
        def shares(counts: dict[str, int]) -> str:
            of = {point: self.cases if point == "rest" else self.sent for point in POINTS}
            return "".join(f"{1 - counts[p] / max(of[p], 1):8.1%}" for p in POINTS)

        told = f"{self.meant} of {self.cases - self.alike}"
        return (
            f"{name:34}{self.cases:6}{self.alike:6}{shares(self.off)}  |{shares(self.own)}  {told}"
        )


def _point(line: str) -> str:
    point = line.partition(":")[0]
    return point if point in REQUEST_POINTS else "rest"


async def report(shared: Path, providers: list[str]) -> tuple[list[str], int]:
    """Return the report's lines, and how many differences nobody meant."""
    lines, listed, unmeant = [HEAD], list[str](), 0
    total = Figures()
    for provider in providers:
        module = cloud if provider in cloud.SETUPS else replay_module
        why = cloud.reason_of if provider in cloud.SETUPS else known.reason_of
        figures = Figures()
        for name, case in module.cases(shared, provider):
            found = await module.replay(provider, case)
            reasons = [why(f"{provider}/{name}", line) for line in found]
            figures.take(found, reasons, sent=bool(case["requests"]))
            unmeant += reasons.count(None)
            if found:
                listed.append(f"{provider}/{name}")
            for line, reason in zip(found, reasons, strict=True):
                listed += [f"    {line}", f"        {reason or 'NOT MEANT'}"]
        lines.append(figures.line(provider))
        total.add(figures)
    return [*lines, total.line("all"), "", *listed], unmeant


def main() -> int:
    shared = shared_folder()
    if shared is None:
        sys.stdout.write("recorded answers not found: set AI_SIDECAR_SHARED to their folder\n")
        return 1
    lines, unmeant = asyncio.run(report(shared, sys.argv[1:] or [*SETUPS, *cloud.SETUPS]))
    text = "\n".join(lines) + f"\n\ndifferences that nobody meant: {unmeant}\n"
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
