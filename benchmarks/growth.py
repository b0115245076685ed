"""How cost grows with work: streams, the answer's length, the conversation's, open documents.

Straight lines are expected. Each row is what a unit costs at the largest amount beside what it
costs at a smaller one: a ratio near 1 is a straight line. The points are in the JSON;
`python -m benchmarks.growth_plot` draws them as `docs/pictures/growth.svg`.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from benchmarks.figures import Row, at_most, median
from benchmarks.processes import LoadServer, Side, sidecar

BEND = 1.3
"""How much more a unit may cost at the largest amount."""

TOKEN_BYTES = 200
STREAM_TOKENS = 100
MB = 1_000_000

Point = tuple[float, float, float]
"""Amount, milliseconds of CPU, MB resident."""


def cost(side: Side, work: Callable[[], None]) -> tuple[float, float]:
    """Return the CPU milliseconds that `work` took in the process, and its MB afterwards."""
    before = side.cpu()
    work()
    side.wait()
    side.take()  # a large answer is not all there as soon as it has begun
    return (side.cpu() - before) * 1e3, side.rss() / MB


def streams(side: Side, amounts: Sequence[int], turn: int) -> list[Point]:
    """That many at once, of 100 tokens each."""

    def work(count: int) -> None:
        for i in range(count):
            side.stream(f"s{turn}.{count}.{i}", f"bench-t{STREAM_TOKENS}-p10000")

    return [(n, *cost(side, lambda n=n: work(n))) for n in amounts]


def lengths(side: Side, amounts: Sequence[int], turn: int) -> list[Point]:
    """One answer of that many kB, collected and returned whole."""

    def work(kilobytes: int) -> None:
        tokens = kilobytes * 1000 // TOKEN_BYTES
        side.request(
            "ai/stream",
            {
                "prompt": f"l{turn}.{kilobytes}",
                "provider": "bench",
                "model": f"bench-t{tokens}-k3-b{TOKEN_BYTES + 250}",
            },
        )

    return [(n, *cost(side, lambda n=n: work(n))) for n in amounts]


def turns(side: Side, amounts: Sequence[int], turn: int) -> list[Point]:
    """Twenty requests, one after another, with a conversation of that many turns."""

    def work(count: int) -> None:
        said = [
            {"role": ("user", "assistant")[i % 2], "content": f"Turn {i}: " + "word " * 40}
            for i in range(count - 1)
        ]
        for i in range(20):
            last = {"role": "user", "content": f"c{turn}.{count}.{i}"}
            side.request(
                "ai/stream",
                {"messages": [*said, last], "provider": "bench", "model": "bench-t1"},
            )
            side.wait()

    return [(n, *cost(side, lambda n=n: work(n))) for n in amounts]


def documents(side: Side, amounts: Sequence[int], turn: int) -> list[Point]:
    """With that many documents of 1,000 lines open, 200 keystrokes in one of them."""
    text = "def some_function(argument: int) -> int:\n" * 1000
    opened = 0
    points: list[Point] = []

    def uri(i: int) -> str:
        return f"file:///w{turn}/d{i}.py"

    def typed(count: int) -> None:
        at = {"line": 500, "character": 0}
        for i in range(200):
            change = {"range": {"start": at, "end": at}, "text": "x"}
            document = {"uri": uri(0), "version": 2 + count * 200 + i}
            side.notify(
                "textDocument/didChange", {"textDocument": document, "contentChanges": [change]}
            )
        side.request("ai/providers", {})

    for count in amounts:
        while opened < count:
            item = {"uri": uri(opened), "languageId": "python", "version": 1, "text": text}
            side.notify("textDocument/didOpen", {"textDocument": item})
            opened += 1
        side.request("ai/providers", {})
        side.wait()
        points.append((count, *cost(side, lambda n=count: typed(n))))
    for i in range(opened):
        side.notify("textDocument/didClose", {"textDocument": {"uri": uri(i)}})
    side.request("ai/providers", {})
    side.wait()
    return points


AXES: dict[str, tuple[Callable[[Side, Sequence[int], int], list[Point]], str, Sequence[int]]] = {
    "streams at once": (streams, "stream", (1, 10, 100, 300, 1000)),
    "answer's length": (lengths, "kB", (1, 10, 100, 1000, 3000, 10_000)),
    "conversation's length": (turns, "turn", (1, 10, 100, 300, 1000)),
    "open documents": (documents, "document", (1, 20, 50, 100, 200)),
}
FLAT = frozenset({"open documents"})
"""What a keystroke costs is not to depend on it at all."""


def run(names: list[str], *, quick: bool) -> list[Row]:
    if "sidecar" not in names:
        return []
    rows: list[Row] = []
    for what, (measure, unit, amounts) in AXES.items():
        with ExitStack() as stack:
            server = stack.enter_context(LoadServer())
            side = stack.enter_context(sidecar(server.port))
            measure(side, amounts[:2], -1)
            rounds = [measure(side, amounts, i) for i in range(1 if quick else 3)]
            time.sleep(0.1)
        points = [
            (amounts[i], median([r[i][1] for r in rounds]), max(r[i][2] for r in rounds))
            for i in range(len(amounts))
        ]
        rows.append(_row(what, unit, points))
    return rows


def _row(what: str, unit: str, points: Sequence[tuple[int, float | None, float]]) -> Row:
    (few, cheap, _), (many, dear, _) = points[-3], points[-1]
    assert cheap is not None and dear is not None
    share = 1 if what in FLAT else many
    small = 1 if what in FLAT else few
    measured, reference = dear * 1e3 / share, cheap * 1e3 / small
    return Row(
        what=f"growth, {what}: CPU {'' if what in FLAT else f'per {unit} '}at {many:,}",
        unit="µs",
        measured=measured,
        reference=reference,
        reference_name=f"at {few:,}",
        target=f"≤ {BEND}×",
        met=at_most(measured / reference, BEND),
        detail={"unit": unit, "points": [list(point) for point in points]},
    )
