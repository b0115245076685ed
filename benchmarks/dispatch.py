"""Dispatch: from the `ai/stream` frame on stdin to the request's first byte at the provider.

The caller notes the time before it writes, the load server when the first byte of a request is in:
one clock, CLOCK_MONOTONIC. Connections are warm. The other streams in flight give 20 tokens a
second each. And what a request costs when 1,000 come at once, each of 50 tokens at 20 ms.
"""

import time
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, median, percentile
from benchmarks.processes import SIDES, LoadServer, Side

PACE_MS = 50
GAP = 0.004
"""Seconds between one measured request's answer and the next request."""


def measure(side: Side, server: LoadServer, in_flight: int, count: int, tag: str) -> list[float]:
    """Return milliseconds from stdin to provider of `count` requests beside `in_flight` - 1."""
    tokens = int((count * (GAP + 0.004) + 0.5) * 1000 / PACE_MS) + 1
    for i in range(in_flight - 1):
        side.stream(f"{tag}.other.{i}", f"bench-t{tokens}-p{PACE_MS * 1000}")
        if i % 10 == 9:
            time.sleep(0.002)
    time.sleep(0.2)
    written: dict[str, int] = {}
    for i in range(count):
        key = f"{tag}.{i}"
        request_id, written[key] = side.stream(key, "bench-t1")
        _until_seen(side, request_id)
        time.sleep(GAP)
    side.wait()
    side.take()
    seen = server.records().first_byte
    return [(seen[key] - at) / 1e6 for key, at in written.items()]


def _until_seen(side: Side, request_id: int) -> None:
    """Wait for the answer to this very request: the others in flight are answered later."""
    mark = b'"id":%d,' % request_id
    last = b'"id":%d}' % request_id
    deadline = time.monotonic() + 30
    position = 0
    with side.sink.changed:
        while time.monotonic() < deadline:
            blocks = side.sink.blocks
            for k in range(max(0, position - 1), len(blocks)):
                around = b"".join(blocks[max(0, k - 1) : k + 1])
                if mark in around or last in around:
                    return
            position = len(blocks)
            side.sink.changed.wait(1)
    raise RuntimeError(f"{side.name}: request {request_id} was not answered")


def burst(side: Side, requests: int, tag: str) -> float:
    """Return milliseconds of the side's CPU per request of `requests` at once."""
    before = side.cpu()
    for i in range(requests):
        side.stream(f"{tag}.{i}", "bench-t50-p20000")
    side.wait()
    spent = side.cpu() - before
    side.take()
    return spent * 1e3 / requests


def _latency_rows(in_flight: int, found: dict[str, list[float]]) -> list[Row]:
    rows: list[Row] = []
    for q, limit in ((50, 0.5), (99, 3.0)):
        mine, base = percentile(found.get("sidecar", []), q), percentile(found["floor"], q)
        rows.append(
            Row(
                what=f"dispatch p{q}, {in_flight} in flight",
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


def _burst_row(what: str, found: dict[str, list[float]]) -> Row:
    mine, base = median(found.get("sidecar", [])), median(found["floor"])
    return Row(
        what=what,
        unit="ms",
        measured=mine,
        reference=base,
        reference_name="floor",
        target="≤ 1.2 ms",
        met=at_most(mine, 1.2, floor=base),
        detail=dict(found),
    )


def run(names: list[str], *, quick: bool) -> list[Row]:
    names = [n for n in names if n != "openai"]
    rows: list[Row] = []
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        sides = {n: stack.enter_context(SIDES[n](server.port)) for n in names}
        for in_flight in (1, 10, 100):
            found: dict[str, list[float]] = {n: [] for n in names}
            for turn in range(2 if quick else 4):
                for name, side in sides.items():
                    if turn == 0:
                        measure(side, server, in_flight, 5, f"{name}.{in_flight}.warm")
                    tag = f"{name}.{in_flight}.{turn}"
                    found[name] += measure(side, server, in_flight, 60, tag)
            rows += _latency_rows(in_flight, found)
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        sides = {n: stack.enter_context(SIDES[n](server.port)) for n in names}
        requests = 300 if quick else 1000
        for side in sides.values():
            burst(side, 5, "warm")
        cold = {n: [burst(side, requests, f"{n}.cold")] for n, side in sides.items()}
        warm: dict[str, list[float]] = {n: [] for n in names}
        for turn in range(1 if quick else 3):
            for name, side in sides.items():
                warm[name].append(burst(side, requests, f"{name}.{turn}"))
    rows.append(_burst_row(f"CPU per request, {requests:,} at once, new connections", cold))
    rows.append(_burst_row(f"CPU per request, {requests:,} at once, warm", warm))
    return rows
