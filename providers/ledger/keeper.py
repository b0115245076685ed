"""`Keeper`: the ledger's thread. It writes what is booked and says what the day has cost.

Everything that blocks happens here, so that the event loop never waits for a disk or a lock. A file
that cannot be used is told of once; entries then stay in memory, and now and then the file is tried
again: a lock is let go of, a disk gets room.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from providers.ledger.entry import DayTotal, Numbered
from providers.policy.budget import Day

if TYPE_CHECKING:
    from providers.ledger.store import LedgerFile

QUEUE_LENGTH = 10_000
"""Entries that may wait for the thread, and as many that may wait for the file: some megabytes."""

RETRY_SECONDS = 30.0
"""A file that could not be used is left alone for this long."""

LARGEST_BATCH = 500


class Keeper:
    """`book`, `ask` and `close` are for the loop and return at once; the rest is the thread's.

    `locate` gives the file. The others are called on the keeper's thread: `on_total(total, asked)`
    after each batch once a day was asked for, where `asked` says that it answers an `ask`;
    `on_warning(text)` at most once; `on_end()` last.
    """

    def __init__(
        self,
        session: str,
        locate: Callable[[], Path],
        on_total: Callable[[DayTotal, bool], None],
        on_warning: Callable[[str], None],
        on_end: Callable[[], None],
    ) -> None:
        self._session = session
        self._locate = locate
        self._on_total = on_total
        self._on_warning = on_warning
        self._on_end = on_end
        self._closing = False
        self._queue: SimpleQueue[Numbered | Day | None] = SimpleQueue()
        # The thread's own:
        self._file: LedgerFile | None = None
        self._unwritten: deque[Numbered] = deque(maxlen=QUEUE_LENGTH)
        self._known: DayTotal | None = None  # what the file said last
        self._upto = 0
        self._pruned = self._warned = False
        self._retry_at: float | None = None
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    # --- for the loop -------------------------------------------------------------------

    def start(self) -> None:
        """Begin. Nothing of SQLite was imported before."""
        self._thread.start()

    def book(self, entry: Numbered) -> bool:
        """Have an entry written; False if the queue is full."""
        return self._put(entry)

    def ask(self, day: Day) -> bool:
        """Have `on_total` called with what `day` has cost; False if the queue is full."""
        return self._put(day)

    def close(self) -> None:
        """Have everything written and the file closed; then the thread ends."""
        self._closing = True
        self._put(None)  # to wake it; with a full queue it is awake

    def join(self, timeout: float) -> None:
        """Wait for the thread's end, in seconds: after `on_end` it has nothing left to do."""
        self._thread.join(timeout)

    def _put(self, item: Numbered | Day | None) -> bool:
        if self._queue.qsize() >= QUEUE_LENGTH:
            return False
        self._queue.put(item)
        return True

    # --- the thread ---------------------------------------------------------------------

    def _work(self) -> None:
        closing = False
        day: Day | None = None  # None until somebody asks: without a budget nobody does
        while not closing:
            asked = False
            for item in self._next_batch():
                if isinstance(item, Day):
                    day, asked = item, True
                elif item is not None:
                    day = day and item.day
                    self._unwritten.append(item)
                    self._upto = item.number
            closing = self._closing and self._queue.empty()
            if self._retry_at is not None:
                self._tell(day, asked)  # nobody waits for a file that has failed before
            self._keep(day, closing=closing)
            self._tell(day, asked)
        self._drop()
        self._on_end()

    def _next_batch(self) -> list[Numbered | Day | None]:
        batch = [self._queue.get()]
        while len(batch) < LARGEST_BATCH:
            try:
                batch.append(self._queue.get_nowait())
            except Empty:
                break
        return batch

    def _keep(self, day: Day | None, *, closing: bool) -> None:
        """Write what is unwritten and read the day's total, or note that it cannot be done."""
        if self._retry_at is not None and time.monotonic() < self._retry_at and not closing:
            return
        if closing and not self._unwritten:
            return
        try:
            if self._file is None:
                self._file = _open(self._locate())
            self._file.write(self._session, self._unwritten)
            newest = self._unwritten[-1].entry.at if self._unwritten else None
            self._unwritten.clear()
            if day is not None:
                self._known = DayTotal(day, self._file.spent_on(day), self._upto)
            if newest is not None and not self._pruned:
                self._pruned = True
                self._file.prune(newest)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, requests are answered
            self._degrade(error)
        else:
            self._retry_at = None

    def _degrade(self, error: Exception) -> None:
        self._retry_at = time.monotonic() + RETRY_SECONDS
        self._drop()
        if not self._warned:
            self._warned = True
            self._on_warning(
                f"the ledger of tokens and cost cannot be used ({error or type(error).__name__})."
                " They are kept in memory: other windows and `ai-sidecar usage` do not see them"
            )

    def _drop(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except Exception as error:  # noqa: BLE001 - it is given up in any case
            del error

    def _tell(self, day: Day | None, asked: bool) -> None:
        """Tell the day's total: what the file said last, and what it does not have yet."""
        if day is None:
            return
        known = self._known.usd if self._known is not None and self._known.day == day else 0.0
        waiting = sum(each.entry.usd for each in self._unwritten if day.has(each.entry.at))
        self._on_total(DayTotal(day, known + waiting, self._upto), asked)


def _open(path: Path) -> "LedgerFile":
    from providers.ledger.store import LedgerFile

    return LedgerFile(path)
