"""The outbox: order, one write a turn, word of congestion, and the end of a reader."""

import asyncio
from collections.abc import Callable

import pytest

from sidecar.outbox import FLOOD_WATER, HIGH_WATER, LOW_WATER, Outbox

pytestmark = pytest.mark.asyncio


class Tap:
    """Takes one write at a time, and says when it is written only if it is told to hold."""

    def __init__(self) -> None:
        self.held = False
        self.written: list[bytes] = []
        self.done: Callable[[], None] | None = None
        self.broken = False

    def write(self, data: bytes, done: Callable[[], None]) -> bool:
        assert self.done is None
        if self.broken:
            raise BrokenPipeError
        self.written.append(data)
        if self.held:
            self.done = done
            return False
        return True

    def release(self) -> None:
        done, self.done = self.done, None
        assert done is not None
        done()


class Lost:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_sent_in_one_turn_is_one_write() -> None:
    tap = Tap()
    outbox = Outbox(tap, on_lost=Lost())
    outbox.send(b"a")
    outbox.send_parts((b"b", b"c"), 2)
    assert tap.written == [] and outbox.size == 3
    await turns(1)
    assert tap.written == [b"abc"] and outbox.size == 0


async def test_while_a_write_is_under_way_the_rest_waits_and_stays_in_order() -> None:
    tap = Tap()
    outbox = Outbox(tap, on_lost=Lost())
    tap.held = True
    outbox.send(b"1")
    await turns()
    for piece in (b"2", b"3", b"4"):
        outbox.send(piece)
        await turns(1)
    assert tap.written == [b"1"] and outbox.size == 4
    tap.release()
    assert tap.written == [b"1", b"234"]
    tap.release()
    assert outbox.size == 0


async def test_congestion_begins_and_ends_where_it_says() -> None:
    tap = Tap()
    outbox = Outbox(tap, on_lost=Lost())
    tap.held = True
    outbox.send(b"x" * HIGH_WATER)
    await turns()
    assert not outbox.congested
    await asyncio.wait_for(outbox.drained(), 1)
    outbox.send(b"y" * (LOW_WATER + 1))
    assert outbox.congested
    waiting = [asyncio.create_task(outbox.drained()) for _ in range(3)]
    await turns()
    assert not any(task.done() for task in waiting)
    tap.release()
    await turns()
    assert not any(task.done() for task in waiting), "still above the low mark"
    tap.release()
    await turns()
    assert all(task.done() for task in waiting)


async def test_one_who_stops_waiting_does_not_keep_the_others_waiting() -> None:
    tap = Tap()
    outbox = Outbox(tap, on_lost=Lost())
    tap.held = True
    outbox.send(b"x" * (HIGH_WATER + 1))
    first, second = (asyncio.create_task(outbox.drained()) for _ in range(2))
    await turns()
    first.cancel()
    await turns()
    tap.release()
    await asyncio.wait_for(second, 1)
    assert first.cancelled()


@pytest.mark.parametrize("when", ["at once", "later"])
async def test_a_reader_that_is_gone_ends_everything_once(when: str) -> None:
    tap, lost = Tap(), Lost()
    outbox = Outbox(tap, on_lost=lost)
    tap.held, tap.broken = True, when == "at once"
    outbox.send(b"x" * (HIGH_WATER + 1))
    waiting = [asyncio.create_task(outbox.drained()), asyncio.create_task(outbox.flushed())]
    await turns()
    if when == "later":
        outbox.lose()
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
    outbox.send(b"more")
    await turns()
    outbox.lose()
    assert lost.count == 1 and outbox.size == 0 and not outbox.congested


async def test_flushed_waits_for_the_last_byte() -> None:
    tap = Tap()
    outbox = Outbox(tap, on_lost=Lost())
    await asyncio.wait_for(outbox.flushed(), 1)
    tap.held = True
    outbox.send(b"x")
    task = asyncio.create_task(outbox.flushed())
    await turns()
    assert not task.done()
    tap.release()
    await asyncio.wait_for(task, 1)


async def test_a_flood_is_told_when_it_begins_and_when_it_is_over() -> None:
    tap = Tap()
    told: list[bool] = []
    outbox = Outbox(tap, on_lost=Lost(), on_flood=told.append)
    tap.held = True
    outbox.send(b"x")
    await turns()
    outbox.send(b"x" * FLOOD_WATER)
    assert told == []
    outbox.send(b"x")
    outbox.send(b"x")
    assert told == [True]
    tap.release()
    assert told == [True]
    tap.release()
    assert told == [True, False]
