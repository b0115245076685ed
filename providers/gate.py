"""The queue before one provider: first come, first served, as its limiter admits.

Waiting costs a future per request and one timer for all. Cancelled waiters leave at once. A gate
is a provider's own, so that a slow one never delays another.
"""

import asyncio
import contextlib
from collections import deque
from math import inf

from providers.errors import LocalLimit
from providers.policy.keyed_limiter import KeyedRateLimiter, Place

Waiter = tuple[asyncio.Future[Place], int]


class Gate:
    """`enter` before a request, `leave` with its place after it; `length` requests are waiting."""

    def __init__(self, limiter: KeyedRateLimiter) -> None:
        self.limiter = limiter
        self._clock = asyncio.get_running_loop().time
        self._waiters: deque[Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def length(self) -> int:
        """Requests that wait."""
        return len(self._waiters)

    @property
    def now(self) -> float:
        """The clock of the limiter, in seconds."""
        return self._clock()

    def enter_now(self, tokens: int) -> Place | None:
        """Enter if nobody waits and the limiter admits a request of about `tokens`."""
        now = self._clock()
        if self._waiters or self.limiter.wait(now, tokens).seconds > 0:
            return None
        return self.limiter.began(now, tokens)

    async def enter(self, tokens: int, patience: float) -> Place:
        """Wait for a turn. Raises `LocalLimit` at once if it takes more than `patience` seconds.

        That is known of a rate, not of a place: a place is waited for as long as the request lives.
        """
        wait = self.limiter.wait(self._clock(), tokens)
        if patience < wait.seconds < inf:
            raise _refused(wait.seconds)
        turn: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        waiter = (turn, tokens)
        self._waiters.append(waiter)
        self._admit()
        try:
            return await turn
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def leave(self, place: Place) -> None:
        """The request is over."""
        self.limiter.ended(place)
        self._admit()

    def _give_up(self, waiter: Waiter) -> None:
        """Take a waiter out; a turn it was given but cannot take goes to the next one."""
        if waiter[0].done() and not waiter[0].cancelled():
            self.leave(waiter[0].result())
        else:
            with contextlib.suppress(ValueError):  # passed over already
                self._waiters.remove(waiter)
            self._admit()

    def _admit(self) -> None:
        """Give turns to the head of the queue; come back when the next one may go."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiters:
            turn, tokens = self._waiters[0]
            if turn.done():  # taken back in this very turn of the loop: it has yet to leave
                self._waiters.popleft()
                continue
            now = self._clock()
            wait = self.limiter.wait(now, tokens).seconds
            if wait > 0:
                if wait < inf:
                    self._timer = asyncio.get_running_loop().call_later(wait, self._admit)
                return
            self._waiters.popleft()
            turn.set_result(self.limiter.began(now, tokens))


def _refused(seconds: float) -> LocalLimit:
    return LocalLimit(
        "the configured rate limit holds the request up for longer than it may wait",
        retry_after=seconds,
    )
