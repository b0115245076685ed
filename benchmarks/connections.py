"""Connections: how many requests in a row share one, and how soon a cancel closes the upstream."""

import time
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, percentile
from benchmarks.processes import SIDES, LoadServer, Side


def reused(side: Side, server: LoadServer, requests: int) -> float:
    """Return the percentage of `requests` in a row that opened no connection of their own."""
    server.records()
    for i in range(requests):
        side.stream(f"reuse.{i}", "bench-t3")
        side.wait()
    side.take()
    seen = server.records()
    if seen.requests != requests:
        raise RuntimeError(f"{side.name}: {seen.requests} of {requests} requests arrived")
    return 100 * (1 - seen.connections / requests)


def cancelled(side: Side, server: LoadServer, count: int) -> list[float]:
    """Return milliseconds from writing `$/cancelRequest` to the provider seeing the close."""
    written: dict[str, int] = {}
    server.records()
    for i in range(count):
        key = f"cancel.{i}"
        side.take()
        request_id, _ = side.stream(key, "bench-t1000-p20000")
        side.wait_for_progress()
        time.sleep(0.03)
        written[key] = side.notify("$/cancelRequest", {"id": request_id})
        side.wait()
    side.take()
    time.sleep(0.2)
    seen = server.records().closed
    return [(seen[key] - at) / 1e6 for key, at in written.items()]


def run(names: list[str], *, quick: bool) -> list[Row]:
    share: dict[str, float] = {}
    closing: list[float] = []
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        for name in (n for n in names if n != "openai"):
            with SIDES[name](server.port) as side:
                share[name] = reused(side, server, 100)
                if name == "sidecar":
                    closing = cancelled(side, server, 20 if quick else 100)
    mine, p99 = share.get("sidecar"), percentile(closing, 99)
    return [
        Row(
            what="connection reuse, 100 requests in a row",
            unit="%",
            measured=mine,
            reference=share["floor"],
            reference_name="floor",
            target="≥ 95 %",
            met=None if mine is None else mine >= 95,
        ),
        Row(
            what="cancel to the provider seeing the close, p99",
            unit="ms",
            measured=p99,
            target="≤ 50 ms",
            met=at_most(p99, 50.0),
            detail={"p50": percentile(closing, 50)},
        ),
    ]
