"""`Ledger`: the event loop's side of the ledger. Nothing in it blocks, and it knows no database.

Its thread begins with the first entry, or with the first question of a budget. What was booked here
counts at once, whether or not it is written yet.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from providers.ledger.entry import DayTotal, Entry, Numbered
from providers.ledger.keeper import Keeper
from providers.policy.budget import Day

PATIENCE = 1.0
"""Seconds that a request waits for the file's total, before it is judged by what is known here."""

CLOSING_SECONDS = 1.0

GATHERING_SECONDS = 0.02
"""Entries that come in so short a time are handed to the thread together. It and the event loop
take turns at the interpreter, so each time it wakes costs the loop something, and most right after
an answer: that is when the next request comes. A killed process loses what was booked last."""

Locate = Callable[[], Path]


class Ledger:
    """One per manager, to be used from one event loop. Without `locate` it keeps to memory.

    `on_total()` is called when the total of the day has been read, `on_warning(text)` once if the
    file cannot be used; both on the loop's thread.
    """

    def __init__(
        self,
        locate: Locate | None,
        *,
        on_total: Callable[[], None],
        on_warning: Callable[[str], None],
    ) -> None:
        self.session = os.urandom(8).hex()
        self._locate = locate
        self._on_total = on_total
        self._on_warning = on_warning
        self._keeper: Keeper | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._number = 0
        self._gathered: list[Numbered] = []  # booked, and not yet handed to the thread
        self._total: DayTotal | None = None
        self._in_memory: dict[Day, float] = {}  # without a file; a clock may come back to a day
        self._unread: deque[Numbered] = deque()  # booked, and not yet in `_total`
        self._answer: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._lost_something = False

    def book(self, entry: Entry, day: Day) -> None:
        """Have `entry`, of today's `day`, written; it counts from now on."""
        self._number += 1
        if self._locate is None:
            self._in_memory[day] = self._in_memory.get(day, 0.0) + entry.usd
            return
        numbered = Numbered(self._number, day, entry)
        self._gathered.append(numbered)
        if self._answer is not None:  # somebody counts: then other processes may, too
            self._unread.append(numbered)
            self._hand_over()
        elif len(self._gathered) == 1:
            self._started(self._locate)
            asyncio.get_running_loop().call_later(GATHERING_SECONDS, self._hand_over)

    async def read(self, day: Day) -> None:
        """Learn what every process spent on `day`. Waits for the file, for `PATIENCE` at most."""
        if self._locate is None:
            return
        answer = self._answer
        if answer is None or answer.done():
            keeper = self._started(self._locate)
            self._hand_over()
            answer = self._answer = asyncio.get_running_loop().create_future()
            if not keeper.ask(day):
                answer.set_result(None)
        await asyncio.wait([answer], timeout=PATIENCE)

    def spent_on(self, day: Day) -> float:
        """Return the US dollars spent on `day`, as far as is known here."""
        if self._locate is None and self._in_memory:
            return self._in_memory.get(day, 0.0)
        total = self._total
        known = total.usd if total is not None and total.day == day else 0.0
        return known + sum(n.entry.usd for n in self._unread if n.day == day)

    async def aclose(self) -> None:
        """Have everything written. What takes longer than `CLOSING_SECONDS` is given up."""
        self._hand_over()
        keeper, self._keeper, self._locate = self._keeper, None, None
        if keeper is not None and self._ended is not None:
            keeper.close()
            done, _ = await asyncio.wait([self._ended], timeout=CLOSING_SECONDS)
            if done:
                keeper.join(CLOSING_SECONDS)

    # --- small pieces -------------------------------------------------------------------------

    def _started(self, locate: Locate) -> Keeper:
        if self._keeper is None:
            self._loop = asyncio.get_running_loop()
            ended = self._ended = self._loop.create_future()
            self._keeper = Keeper(
                self.session,
                locate,
                on_total=lambda total, asked: self._on_loop(partial(self._read, total, asked)),
                on_warning=lambda text: self._on_loop(partial(self._on_warning, text)),
                on_end=lambda: self._on_loop(partial(ended.set_result, None)),
            )
            self._keeper.start()
        return self._keeper

    def _hand_over(self) -> None:
        gathered, self._gathered = self._gathered, []
        if self._keeper is not None and not all([self._keeper.book(each) for each in gathered]):
            self._lose()

    def _on_loop(self, call: Callable[[], None]) -> None:
        """From the keeper's thread. A loop that has ended has nobody left to tell."""
        with contextlib.suppress(RuntimeError):
            assert self._loop is not None
            self._loop.call_soon_threadsafe(call)

    def _read(self, total: DayTotal, asked: bool) -> None:
        self._total = total
        while self._unread and self._unread[0].number <= total.upto:
            self._unread.popleft()
        if asked and self._answer is not None and not self._answer.done():
            self._answer.set_result(None)
        self._on_total()

    def _lose(self) -> None:
        if not self._lost_something:
            self._lost_something = True
            self._on_warning("answers came faster than the ledger could be written: some are lost")
