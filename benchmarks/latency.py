"""Latency added to a token: from the provider's write to the frame on stdout.

The token's text is the time at which the provider wrote it; the reader of stdout notes the time of
the block that completes the frame. Streams begin spread over one pace, as independent models would.
And the first token of a warm process: from the request on stdin to the frame on stdout, with a
provider that answers at once. (That of a cold one is in `startup`.)
"""

import time
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, percentile
from benchmarks.processes import SIDES, LoadServer, Side, texts

LOADS = ((1, 100), (20, 50))
"""(streams, tokens a second each)"""

GAP = 0.004
"""Seconds between an answer and the next request."""


def measure(side: Side, streams: int, rate: int, seconds: float, tag: str) -> list[float]:
    """Return the milliseconds every token took."""
    tokens = max(1, int(rate * seconds))
    for i in range(streams):
        side.stream(f"{tag}.{i}", f"bench-k1-t{tokens}-p{1_000_000 // rate}")
        time.sleep(1 / rate / streams)
    side.wait()
    took = [
        (at - int(written)) / 1e6
        for arrivals in texts(side.take()).values()
        for at, text in arrivals
        for written in text.split()
    ]
    if len(took) != streams * tokens:
        raise RuntimeError(f"{side.name}: {len(took)} of {streams * tokens} tokens")
    return took


def first_tokens(side: Side, count: int, tag: str) -> list[float]:
    """Return the milliseconds from each request to its first token, one request after another."""
    took: list[float] = []
    for i in range(count):
        _, written = side.stream(f"{tag}.{i}", "bench-t1")
        side.wait()
        ((first, *_),) = texts(side.take()).values()
        took.append((first[0] - written) / 1e6)
        time.sleep(GAP)
    return took


def _first_token_row(names: list[str], sides: dict[str, Side], *, quick: bool) -> Row:
    found: dict[str, list[float]] = {n: [] for n in names}
    for turn in range(2 if quick else 4):
        for name, side in sides.items():
            found[name] += first_tokens(side, 60, f"first.{turn}")
    return Row(
        what="first token p50, warm, request to frame",
        unit="ms",
        measured=percentile(found.get("sidecar", []), 50),
        reference=percentile(found["floor"], 50),
        reference_name="floor",
        detail={"samples": len(found["floor"])},
    )


def run(names: list[str], *, quick: bool) -> list[Row]:
    names = [n for n in names if n != "openai"]
    rows: list[Row] = []
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        sides = {n: stack.enter_context(SIDES[n](server.port)) for n in names}
        rows.append(_first_token_row(names, sides, quick=quick))
        for streams, rate in LOADS:
            found: dict[str, list[float]] = {n: [] for n in names}
            for side in sides.values():
                measure(side, streams, rate, 0.2, "warm")
            for turn in range(2 if quick else 4):
                for name, side in sides.items():
                    found[name] += measure(side, streams, rate, 1.0 if quick else 2.0, f"{turn}")
            for q, limit in ((50, 0.5), (99, 2.0)):
                mine, base = percentile(found.get("sidecar", []), q), percentile(found["floor"], q)
                rows.append(
                    Row(
                        what=f"added latency p{q}, {streams} × {rate} tokens/s",
                        unit="ms",
                        measured=mine,
                        reference=base,
                        reference_name="floor",
                        target=f"≤ {limit} ms",
                        met=at_most(mine, limit, floor=base),
                        detail={"samples": len(found["floor"])},
                    )
                )
    return rows
