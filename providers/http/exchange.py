"""One request and its answer: the buffer between a socket and the one coroutine that reads it.

The connection fills it, the transport and the client empty it. It enforces the bounds of time with
one timer, which is re-armed when it fires (or when a nearer bound comes), never per chunk. It knows
neither HTTP syntax nor sockets.
"""

import asyncio
import threading
from contextvars import Context
from typing import Literal, NamedTuple, Protocol

from providers.http import faults

Phase = Literal["upload", "firstByte", "idle", "total"]

HIGH_WATER = 256 * 1024
"""Bytes that may wait for a slow reader before the socket is no longer read: asyncio's own largest
read, so that one read never has to be split."""

LINGER = 0.25
"""Seconds that the last bytes of an answer may take after its reader has seen its end: they are
normally in the same packet; more than a round trip is not worth the connection."""


LATE = 0.25
"""Seconds by which a timer may be late before the process is taken to have been asleep: the
loop looks at its sockets once more then, because what came meanwhile has not been read yet."""


class _Contexts(threading.local):
    """What timers run in: asyncio would make a copy of the request's context for each.

    One for each thread, as a context is entered once at a time, and a thread has one loop.
    """

    def __init__(self) -> None:
        self.empty = Context()


_CONTEXTS = _Contexts()


class Bounds(NamedTuple):
    """Seconds; None: no bound. `total` is counted from the call, connecting included."""

    connect: float | None
    pool: float | None
    write: float | None
    first_byte: float | None
    idle: float | None
    total: float | None


class Sending(Protocol):
    """What whoever asks wants to know although no answer may come, and may want of it.

    `sent_at`: the time of the loop's clock at which the first byte was handed to a socket. With
    `fresh` no connection of an earlier request is used.
    """

    fresh: bool
    sent_at: float | None


class Channel(Protocol):
    """What an exchange needs of its connection."""

    def abort(self) -> None: ...
    def resume_body(self) -> None: ...


class Exchange:
    """State of one answer. `pieces` are body bytes nobody has taken; `done` is the end, or `error`.

    One coroutine at a time waits (`wait`); whoever changes something it may wait for calls `wake`.
    """

    __slots__ = (
        "_armed_at",
        "_bounds",
        "_channel",
        "_loop",
        "_phase",
        "_since",
        "_timer",
        "_total_at",
        "discarding",
        "done",
        "error",
        "first_byte_at",
        "head_only",
        "headers",
        "paused",
        "pieces",
        "sent_at",
        "silent",
        "size",
        "status",
        "waiter",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        bounds: Bounds,
        total_at: float | None,
        *,
        head_only: bool,
    ) -> None:
        self._loop = loop
        self._bounds = bounds
        self._total_at = total_at
        self._channel: Channel | None = None
        self.waiter: asyncio.Future[None] | None = None
        self._phase: Phase = "firstByte"
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._armed_at = 0.0
        self.head_only = head_only
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.sent_at = 0.0
        self.first_byte_at = 0.0
        self.silent = True  # not one byte of the answer has arrived
        self.pieces: list[bytes] = []
        self.size = 0
        self.paused = False
        self.discarding = False
        self.done = False
        self.error: Exception | None = None

    @property
    def whole(self) -> bool:
        """Whether all of the answer has come and been taken."""
        return self.done and self.error is None and not self.pieces

    # --- the connection's side ---------------------------------------------------

    def start(self, channel: Channel, phase: Phase) -> None:
        """Bind to the connection that carries it; the bounds count from here."""
        self._channel = channel
        self.sent_at = now = self._loop.time()
        self.enter(phase, now)

    def enter(self, phase: Phase, now: float | None = None) -> None:
        """Put the bound of `phase` in force from `now` on."""
        self._phase = phase
        self._since = now = self._loop.time() if now is None else now
        due = self._due(now)
        if due is not None and (self._timer is None or due < self._armed_at):
            self._arm(due)

    def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Take the answer's head, and let its reader go on."""
        self.status = status
        self.headers = headers
        self.first_byte_at = now = self._loop.time()
        self.enter("idle", now)
        self.wake()

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def finish(self) -> None:
        """The answer is whole. The connection is free already."""
        self._end()
        self.wake()

    def fail(self, error: Exception) -> None:
        """The answer will never be whole; what has arrived can still be taken."""
        if not self.done:
            self.error = error
            self._end()
            self.wake()

    def _end(self) -> None:
        self.done = True
        self._channel = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # --- the reader's side ---------------------------------------------------------

    def wait(self) -> "asyncio.Future[None]":
        """Return a future that is done at the next change: bytes, the head, the end."""
        self._since = self._loop.time()
        self.waiter = waiter = self._loop.create_future()
        return waiter

    def take(self) -> bytes:
        """Return all the bytes that have arrived; there must be some."""
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.size = 0
        if self.paused:
            self.paused = False
            if self._channel is not None:
                self._channel.resume_body()
        return data

    async def receive(self) -> bytes:
        """Return what has arrived since the last call, or b"" at the end.

        Raises what the connection failed with (a `faults.TransportFault`). Cancelled, it closes.
        """
        while True:
            if self.pieces:
                return self.take()
            if self.done:
                if self.error is not None:
                    raise self.error
                return b""
            try:
                await self.wait()
            except asyncio.CancelledError:
                self.close()
                raise

    def close(self) -> None:
        """Drop what is left. An answer not yet whole costs its connection, at once."""
        channel = self._channel
        if channel is not None:
            self.fail(faults.ReadError("the answer was closed by its reader"))
            channel.abort()
        self.pieces.clear()

    def linger(self) -> None:
        """Like `close`, but keep the connection if the rest of the answer comes within `LINGER`."""
        channel = self._channel
        self.pieces.clear()
        if channel is None:
            return
        self.discarding = True
        if self.paused:
            self.paused = False
            channel.resume_body()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(LINGER, self.close)

    # --- time ------------------------------------------------------------------------

    def _due(self, since: float) -> float | None:
        bounds = self._bounds
        if self._phase == "idle":
            bound = bounds.idle
        else:
            bound = bounds.write if self._phase == "upload" else bounds.first_byte
        if bound is None:
            return self._total_at
        due = since + bound
        return due if self._total_at is None or due < self._total_at else self._total_at

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed_at = due
        self._timer = self._loop.call_at(due, self._on_timer, context=_CONTEXTS.empty)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._loop.time()
        if now - self._armed_at > LATE:
            self._arm(now)
            return
        if self._total_at is not None and now >= self._total_at:
            self._expire("total")
            return
        # The peer's silence counts only while somebody waits for it to speak.
        due = self._due(self._since if self.waiter is not None else now)
        if due is None:
            return
        if due <= now:
            self._expire(self._phase)
        else:
            self._arm(due)

    def _expire(self, phase: Phase) -> None:
        channel = self._channel
        if phase == "total":
            self.fail(faults.TotalTimeout("the whole request took too long"))
        elif phase == "upload":
            self.fail(faults.WriteTimeout("the request was not taken in time"))
        elif phase == "firstByte":
            self.fail(faults.ReadTimeout("no answer in time"))
        else:
            self.fail(faults.ReadTimeout("the answer stopped"))
        if channel is not None:
            channel.abort()
