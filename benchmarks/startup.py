"""Start-up: from spawning the process to its answer to `initialize`, beside a bare pygls server.

An answer given early is worth little if what follows it waits: so there are two rows more, without
a target, for the first token of a stream and for the answer to a standard request, each sent at
once after `initialized`.
"""

from benchmarks.figures import Row, at_most, median, ratio
from benchmarks.processes import (
    LoadServer,
    Side,
    bare_pygls,
    options_for,
    sidecar_command,
)


def _since_spawn(side: Side) -> float:
    return (side.sink.times[-1] - side.spawned_at) / 1e6


def _asked(side: Side, method: str) -> float:
    side.request(method, {})
    side.wait()
    return _since_spawn(side)


def bare() -> dict[str, float]:
    """Return milliseconds of a bare pygls server."""
    with bare_pygls() as side:
        return {"initialize": side.ready_ms, "standard": _asked(side, "bench/unknown")}


def sidecar(port: int) -> dict[str, float]:
    """Return milliseconds of the sidecar with one provider configured."""
    options = options_for(f"http://127.0.0.1:{port}/v1")
    with Side("sidecar", sidecar_command(), options=options) as side:
        side.stream("startup", "bench-t1")
        side.wait_for_progress()
        found = {"initialize": side.ready_ms, "token": _since_spawn(side)}
        side.wait()
    with Side("sidecar", sidecar_command(), options=options) as side:
        return found | {"standard": _asked(side, "bench/unknown")}


def run(names: list[str], *, quick: bool) -> list[Row]:
    base: list[dict[str, float]] = []
    mine: list[dict[str, float]] = []
    with LoadServer() as server:
        bare()
        if "sidecar" in names:
            sidecar(server.port)
        for _ in range(4 if quick else 11):
            base.append(bare())
            if "sidecar" in names:
                mine.append(sidecar(server.port))
    what = {
        "initialize": "spawn to `initialize` answered",
        "standard": "spawn to the answer of a standard request",
        "token": "spawn to the first token of a stream",
    }
    rows: list[Row] = []
    for name, limit in (("initialize", 1.15), ("initialize", 0.5), ("standard", 0), ("token", 0)):
        measured = median([one[name] for one in mine])
        reference = median([one[name if name in one else "standard"] for one in base])
        rows.append(
            Row(
                what=what[name],
                unit="ms",
                measured=measured,
                reference=reference,
                reference_name="bare pygls" if name != "token" else "bare pygls, any answer",
                target=f"≤ {limit}×" if limit else "",
                met=at_most(ratio(measured, reference), limit) if limit else None,
                detail={"sidecar": mine, "bare pygls": base},
            )
        )
    return rows
