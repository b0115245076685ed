"""What goes to the editor: one ordered queue, one write per loop turn, and when to slow down.

It knows bytes only. Whoever produces much (a stream) asks `congested` and waits for `drained()`;
whoever produces little (a response, a cancel's answer) just sends, so those are never held up. The
queue holds references to bytes, which the garbage collector does not track.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

HIGH_WATER = 256 * 1024
"""Bytes queued above which streams pause: a few turns' worth, so a slow reader never runs dry."""
LOW_WATER = 64 * 1024
"""Bytes queued below which they go on: what an empty pipe takes at once (Linux: 64 KiB)."""
FLOOD_WATER = 64 * 1024 * 1024
"""Bytes queued above which no more requests are read: only a client that never reads gets there."""


class Channel(Protocol):
    """The way out. At most one write is under way at a time."""

    def write(self, data: bytes, done: Callable[[], None]) -> bool:
        """Return True if all of `data` is written, else False, and call `done` once it is.

        Raises `OSError` when nobody can ever read it.
        """
        ...


class Outbox:
    """`flooded` is called with True above `FLOOD_WATER`, and with False when that is over."""

    def __init__(
        self,
        channel: Channel,
        *,
        on_lost: Callable[[], None],
        on_flood: Callable[[bool], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._on_lost = on_lost
        self._on_flood = on_flood
        self._parts: list[bytes] = []
        self._queued = 0  # bytes in `_parts`
        self._in_flight = 0  # bytes the channel has taken and not yet written
        self._ready = True  # no flush is scheduled, no write under way, and there is a reader
        self._flooded = False
        self._lost = False
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._idle: list[asyncio.Future[None]] = []

    @property
    def size(self) -> int:
        """Bytes that the editor has not taken yet."""
        return self._queued + self._in_flight

    @property
    def congested(self) -> bool:
        """Whether producers of much should wait for `drained()` before they produce more."""
        return self._queued + self._in_flight > HIGH_WATER

    def send(self, data: bytes) -> None:
        """Queue one frame."""
        self.send_parts((data,), len(data))

    def send_parts(self, parts: Sequence[bytes], size: int) -> None:
        """Queue frames given in pieces; `size` is the sum of their lengths."""
        self._parts += parts
        self._queued += size
        if self._ready:
            self._ready = False
            self._loop.call_soon(self._flush)
        elif self._queued > FLOOD_WATER or self._lost:
            self._overflow()

    async def drained(self) -> None:
        """Return once there is room again; at once if there is."""
        while self.congested and not self._lost:
            turn = self._loop.create_future()
            self._waiting.append(turn)
            await turn

    async def flushed(self) -> None:
        """Return once everything is written, or nobody is left to read it."""
        while self.size and not self._lost:
            idle = self._loop.create_future()
            self._idle.append(idle)
            await idle

    def lose(self) -> None:
        """Drop everything: the reader is gone."""
        if self._lost:
            return
        self._lost, self._ready = True, False
        self._parts.clear()
        self._queued = self._in_flight = 0
        self._wake(self._waiting)
        self._wake(self._idle)
        self._on_lost()

    def _overflow(self) -> None:
        if self._lost:
            self._parts.clear()
            self._queued = 0
        elif not self._flooded and self._on_flood is not None:
            self._flooded = True
            self._on_flood(True)

    def _flush(self) -> None:
        self._ready = not self._in_flight and not self._lost
        if self._in_flight or not self._queued or self._lost:
            return
        parts = self._parts
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._in_flight, self._queued = len(data), 0
        try:
            written = self._channel.write(data, self._written)
        except OSError:
            self.lose()
            return
        if written:
            self._in_flight = 0
            self._settle()
        else:
            self._ready = False

    def _written(self) -> None:
        if self._lost:
            return
        self._in_flight = 0
        self._flush()
        self._settle()

    def _settle(self) -> None:
        size = self.size
        if size <= LOW_WATER:
            self._wake(self._waiting)
        if not size:
            self._wake(self._idle)
        if self._flooded and size <= HIGH_WATER and self._on_flood is not None:
            self._flooded = False
            self._on_flood(False)

    @staticmethod
    def _wake(waiting: "deque[asyncio.Future[None]] | list[asyncio.Future[None]]") -> None:
        for future in waiting:
            if not future.done():
                future.set_result(None)
        waiting.clear()
