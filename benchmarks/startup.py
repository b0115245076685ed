"""Start-up: from spawning the process to its answer to `initialize`, beside a bare pygls server."""

from benchmarks.figures import Row, at_most, median, ratio
from benchmarks.processes import Side, bare_pygls, options_for, sidecar_command


def bare() -> float:
    """Return milliseconds of a bare pygls server."""
    with bare_pygls() as side:
        return side.ready_ms


def sidecar() -> float:
    """Return milliseconds of the sidecar with one provider configured."""
    options = options_for("http://127.0.0.1:9/v1")
    with Side("sidecar", sidecar_command(), options=options) as side:
        return side.ready_ms


def run(names: list[str], *, quick: bool) -> list[Row]:
    base: list[float] = []
    mine: list[float] = []
    bare()
    if "sidecar" in names:
        sidecar()
    for _ in range(4 if quick else 11):
        base.append(bare())
        if "sidecar" in names:
            mine.append(sidecar())
    measured, reference = median(mine), median(base)
    share = ratio(measured, reference)
    return [
        Row(
            what="spawn to `initialize` answered",
            unit="ms",
            measured=measured,
            reference=reference,
            reference_name="bare pygls",
            target=f"≤ {limit}×",
            met=at_most(share, limit),
            detail={"sidecar": mine, "bare pygls": base},
        )
        for limit in (1.15, 0.5)
    ]
