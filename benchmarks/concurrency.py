"""1,000 streams at once, over ten kinds of providers: nothing lost or out of order, and the memory.

Every stream has texts of its own, not ASCII only, compared whole with what was sent. Memory is read
while all are in flight, after the wave, and after a second one; then the growth over many streams.
"""

import time
from contextlib import ExitStack

import msgspec

from benchmarks.figures import Row, at_most
from benchmarks.load_server import Script, text_of
from benchmarks.processes import (
    KINDS,
    LoadServer,
    Side,
    floor,
    model_for,
    sidecar_of_every_kind,
    texts,
)

TOKENS = 50
PACE_US = 100_000
KB = 1000
MB = 1_000_000


class Wave(msgspec.Struct):
    """Bytes of resident memory at three moments, and the streams whose text was not right."""

    before: int
    peak: int
    after: int
    wrong: int


def settled(side: Side) -> int:
    """Return the resident memory once it no longer changes, at most 3 s later."""
    last = side.rss()
    for _ in range(15):
        time.sleep(0.2)
        now = side.rss()
        if now == last:
            break
        last = now
    return last


def wave(side: Side, streams: int, tag: str, *, tokens: int = TOKENS, pace: int = PACE_US) -> Wave:
    """Run `streams` streams at once and compare every text."""
    before = settled(side)
    wanted = side.sink.answers + streams
    for i in range(streams):
        kind = KINDS[i % len(KINDS)]
        side.stream(f"{tag}.{i}", model_for(kind, f"bench-k2-t{tokens}-p{pace}"), kind)
    peak = before
    while side.sink.answers < wanted and not side.sink.closed:
        peak = max(peak, side.rss())
        time.sleep(0.05)
    side.wait()
    after = settled(side)
    got = texts(side.take())
    script = Script(kind=2)
    wrong = 0
    for i in range(streams):
        key = f"{tag}.{i}"
        sent = "".join(text_of(key, script, n) for n in range(tokens))
        wrong += "".join(text for _, text in got.get(key, [])) != sent
    return Wave(before, peak, after, wrong)


def many(side: Side, streams: int, tag: str, at_once: int = 50) -> None:
    """Run `streams` short streams, `at_once` at a time."""
    for first in range(0, streams, at_once):
        for i in range(first, min(first + at_once, streams)):
            kind = KINDS[i % len(KINDS)]
            side.stream(f"{tag}.{i}", model_for(kind, "bench-t5"), kind)
        side.wait()
        side.sink.take()


def _wave_rows(streams: int, found: dict[str, tuple[Wave, Wave]]) -> list[Row]:
    base1, base2 = found["floor"]
    kept_by_floor = base1.after - base1.before
    mine = found.get("sidecar")
    detail: dict[str, object] = {name: list(waves) for name, waves in found.items()}
    wrong = each = kept = added = share = None
    if mine:
        one, two = mine
        wrong = one.wrong + two.wrong
        each = (one.peak - one.before) / streams / KB
        kept = one.after - one.before
        share = max(0, kept - kept_by_floor) / one.before
        added = (two.after - one.after) / one.after
    return [
        Row(
            what=f"{streams:,} streams at once, twice: streams with a wrong text",
            unit="",
            measured=wrong,
            reference=base1.wrong + base2.wrong,
            reference_name="floor",
            target="0",
            met=at_most(wrong, 0),
            detail=detail,
        ),
        Row(
            what=f"memory per stream at {streams:,}",
            unit="kB",
            measured=each,
            reference=(base1.peak - base1.before) / streams / KB,
            reference_name="floor",
            target="≤ 30 kB",
            met=at_most(each, 30),
        ),
        Row(
            what="memory kept after it",
            unit="MB",
            measured=None if kept is None else kept / MB,
            reference=kept_by_floor / MB,
            reference_name="floor",
            target="≤ 10 % beyond the floor's",
            met=at_most(share, 0.10),
        ),
        Row(
            what="memory added by a second wave",
            unit="%",
            measured=None if added is None else added * 100,
            reference=(base2.after - base1.after) / base1.after * 100,
            reference_name="floor",
            target="≤ 10 %",
            met=at_most(added, 0.10),
        ),
    ]


def run(names: list[str], *, quick: bool) -> list[Row]:
    names = [n for n in names if n != "openai"]
    streams = 200 if quick else 1000
    last = 3_000 if quick else 10_000
    sides = {"sidecar": sidecar_of_every_kind, "floor": floor}
    waves: dict[str, tuple[Wave, Wave]] = {}
    growth: dict[str, float] = {}
    with ExitStack() as stack:
        server = stack.enter_context(LoadServer())
        for name in names:
            with sides[name](server.port) as side:
                many(side, 20, "warm")
                waves[name] = wave(side, streams, "one"), wave(side, streams, "two")
            with sides[name](server.port) as side:
                many(side, 1000, "first")
                early = settled(side)
                many(side, last - 1000, "rest")
                growth[name] = (settled(side) - early) / MB
    return [
        *_wave_rows(streams, waves),
        Row(
            what=f"memory growth from stream 1,000 to {last:,}",
            unit="MB",
            measured=growth.get("sidecar"),
            reference=growth["floor"],
            reference_name="floor",
            target="≤ 1 MB",
            met=at_most(growth.get("sidecar"), 1.0),
        ),
    ]
