"""CPU per token from the provider's socket to the frame on stdout, 10 streams at a time.

Three loads: long streams as fast as they are read (the cost of a token alone), streams of 200
tokens (requests included), and tokens that come one at a time as a model gives them. The last has
no target: most of it is what the kernel takes to wake a process, for either side. All sides live
at once and take turns; what a side spent between its first and its last byte is divided by tokens.
"""

import time
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, median, ratio
from benchmarks.processes import SIDES, LoadServer, Side

STREAMS = 10


def measure(
    side: Side,
    model: str,
    tokens: int,
    tag: str,
    *,
    streams: int = STREAMS,
    spread: float = 0.0,
    provider: str = "bench",
) -> float:
    """Return microseconds of the side's CPU per token of `streams` streams at once.

    They begin over `spread` seconds: paced streams that begin together have their tokens together.
    """
    before = side.cpu()
    for i in range(streams):
        side.stream(f"{tag}.{i}", model, provider)
        if spread:
            time.sleep(spread / streams)
    side.wait()
    spent = side.cpu() - before
    side.sink.take()
    return spent * 1e6 / (streams * tokens)


def check(side: Side, tokens: int) -> None:
    """Raise RuntimeError unless the side passes on every token of a stream."""
    side.take()
    side.stream("check", f"bench-t{tokens}")
    side.wait()
    got = sum(m[1].get("method") == "$/progress" for m in side.take())
    if got < tokens:
        raise RuntimeError(f"{side.name}: {got} progress frames for {tokens} tokens")


def rounds(
    sides: dict[str, Side],
    lengths: dict[str, int],
    model: str,
    count: int,
    spread: float = 0.0,
) -> dict[str, list[float]]:
    """Let the sides take turns `count` times; return each one's microseconds per token."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(count):
        order = list(sides.items())
        for name, side in reversed(order) if turn % 2 else order:
            tokens = lengths[name]
            tag = f"{model}.{turn}.{name}"
            figure = measure(side, f"{model}-t{tokens}", tokens, tag, spread=spread)
            found[name].append(figure)
    return found


def _rows(
    what: str, found: dict[str, list[float]], *, openai: bool = False, target: bool = True
) -> list[Row]:
    mine, base = median(found.get("sidecar", [])), median(found["floor"])
    detail: dict[str, object] = {name: values for name, values in found.items()}
    share = ratio(mine, base)
    rows = [
        Row(
            what=what,
            unit="µs",
            measured=mine,
            reference=base,
            reference_name="floor",
            target="≤ 1.0× floor" if target else "",
            met=at_most(share, 1.0) if target else None,
            detail=detail,
        )
    ]
    if openai:
        peer = median(found["openai"])
        rows.append(
            Row(
                what=what,
                unit="µs",
                measured=mine,
                reference=peer,
                reference_name="openai SDK",
                target="≥ 25× less",
                met=at_most(ratio(mine, peer), 1 / 25),
                detail=detail,
            )
        )
    return rows


def run(names: list[str], *, quick: bool) -> list[Row]:
    """Measure the sides called `names`; "sidecar" may be missing."""
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        sides = {n: stack.enter_context(SIDES[n](server.port)) for n in names}
        for name, side in sides.items():
            measure(side, "bench-t200", 200, "warm")
            if name != "openai":
                check(side, 5)
        count = 3 if quick else 7
        long = dict.fromkeys(names, 2_000 if quick else 5_000) | {"openai": 300}
        flood = rounds(sides, long, "bench", count)
        sides.pop("openai").close()
        short = rounds(sides, dict.fromkeys(names, 200), "bench", count * 2)
        paced = rounds(sides, dict.fromkeys(names, 100), "bench-p10000", count, spread=0.01)
    return [
        *_rows("CPU per token, 10 streams as fast as they are read", flood, openai=True),
        *_rows("CPU per token, 10 streams of 200 tokens, requests included", short),
        *_rows("CPU per token, 10 streams, 100 tokens/s each, one a read", paced, target=False),
    ]
