"""`python -m tests.parity [PROVIDER …]`: how ours compares with the port, provider by provider.

Prints a line of figures for each: cases that are alike, requests (path, auth and version headers,
body), answers and errors; then every difference, with its reason where it is meant.
"""

import asyncio
import sys
from pathlib import Path

from tests.conftest import shared_folder
from tests.parity import cloud
from tests.parity import replay as replay_module
from tests.parity.compare import REQUEST_POINTS
from tests.parity.known import reason_of
from tests.parity.setups import SETUPS

HEAD = f"{'':34}{'cases':>9} {'alike':>6} {'path':>6} {'header':>7} {'body':>6} {'rest':>6}  meant"


async def report(shared: Path, providers: list[str]) -> tuple[list[str], int]:
    """Return the report's lines, and how many differences nobody meant."""
    figures, listed, unmeant = [HEAD], list[str](), 0
    for provider in providers:
        clouds = provider in cloud.SETUPS
        count = alike = meant = 0
        off = dict.fromkeys((*REQUEST_POINTS, "rest"), 0)
        sent = 0
        for name, case in (cloud if clouds else replay_module).cases(shared, provider):
            count += 1
            sent += bool(case["requests"])
            found = await (cloud if clouds else replay_module).replay(provider, case)
            alike += not found
            points = {line.partition(":")[0] for line in found}
            for point in REQUEST_POINTS:
                off[point] += point in points
            off["rest"] += bool(points - set(REQUEST_POINTS))
            why = cloud.reason_of if clouds else reason_of
            reasons = [why(f"{provider}/{name}", line) for line in found]
            meant += bool(found) and None not in reasons
            unmeant += reasons.count(None)
            if found:
                listed.append(f"{provider}/{name}")
            for line, reason in zip(found, reasons, strict=True):
                listed += [f"    {line}", f"        {reason or 'NOT MEANT'}"]
        shares = "".join(f" {1 - off[p] / max(sent, 1):6.1%}" for p in REQUEST_POINTS)
        rest = f" {1 - off['rest'] / max(count, 1):6.1%}"
        figures.append(
            f"{provider:34}{count:9} {alike:6}{shares}{rest}  {meant} of {count - alike}"
        )
    return [*figures, "", *listed], unmeant


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
