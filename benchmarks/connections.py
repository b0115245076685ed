"""Connections: how many requests in a row share one, how soon a cancel closes the upstream, and how
soon a refused request is sent to the next provider."""

import time
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, percentile
from benchmarks.processes import SIDES, LoadServer, Side, options_for, sidecar_command


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


def failed_over(server: LoadServer, count: int) -> list[float]:
    """Return milliseconds from one provider's refusal to the first byte at the next one.

    The refusal is a 403: it is neither retried nor held against the provider's health, so that
    every request takes the same way.
    """
    options = options_for(f"http://127.0.0.1:{server.port}/v1", names=("refuses", "bench"))
    with Side("sidecar", sidecar_command(), options=options).settle() as side:
        server.records()
        for i in range(count):
            side.request(
                "ai/stream",
                {
                    "prompt": f"failover.{i}",
                    "provider": "refuses",
                    "model": "bench-e403",
                    "fallback": ["bench/bench-t3"],
                    "partialResultToken": f"failover.{i}",
                },
            )
            side.wait()
        side.take()
    seen = server.records()
    took = [(seen.first_byte[key] - at) / 1e6 for key, at in seen.refused.items()]
    if len(took) != count or min(took) <= 0:
        raise RuntimeError(f"{len(took)} of {count} requests were refused and failed over")
    return took


def run(names: list[str], *, quick: bool) -> list[Row]:
    share: dict[str, float] = {}
    closing: list[float] = []
    moving: list[float] = []
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        for name in (n for n in names if n != "openai"):
            with SIDES[name](server.port) as side:
                share[name] = reused(side, server, 100)
                if name == "sidecar":
                    closing = cancelled(side, server, 20 if quick else 100)
                    moving = failed_over(server, 20 if quick else 100)
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
        *(
            Row(
                what=f"failover, refusal to the next provider's first byte, p{q}",
                unit="ms",
                measured=percentile(moving, q),
                target=f"≤ {limit} ms",
                met=at_most(percentile(moving, q), limit),
            )
            for q, limit in ((50, 5), (99, 100))
        ),
    ]
