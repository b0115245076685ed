"""Keeps what a cloud granted for a time, and has it renewed before that is over.

Knows no cloud: how a grant is got is an argument, and so is the clock, which is the wall's, because
a grant ends by date, also while the machine sleeps.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar

from providers.errors import NotConfigured, ProviderError

RENEW_BEFORE = 300.0
"""Seconds before its end from which on a grant is renewed, while requests still use it."""

WAIT_BEFORE = 60.0
"""Seconds before its end from which on requests wait for the renewal: clocks differ, and a service
checks again while a long answer runs."""

PAUSE = 10.0
"""Seconds in which a chain that failed, or brought nothing newer, is not asked again."""

REFUSED_AGAIN = 60.0
"""A grant that is refused within these seconds of a refusal's renewal is not renewed again: it is
not its age that is wrong with it."""


class Grant(Protocol):
    @property
    def expires_at(self) -> float | None:
        """Seconds since 1970; None: it does not expire."""
        ...


G = TypeVar("G", bound=Grant)


def wall_clock() -> float:
    """Return the seconds since 1970."""
    return datetime.now(UTC).timestamp()


class GrantKeeper(Generic[G]):
    """One grant. `get` may be called by many tasks at once: they share one search for it."""

    def __init__(
        self,
        find: Callable[[], Coroutine[Any, Any, G]],
        *,
        now: Callable[[], float] = wall_clock,
    ) -> None:
        self._find = find
        self._now = now
        self._grant: G | None = None
        self._search: asyncio.Task[G] | None = None
        self._failure: ProviderError | None = None
        self._ask_again_at = 0.0
        self._refused_at: float | None = None

    @property
    def current(self) -> G | None:
        """The grant in use, None before the first and after a refusal."""
        return self._grant

    async def get(self) -> G:
        """Return a grant that is good for some time. Raises what `find` raises."""
        grant = self._grant
        if grant is None:
            return await self._searched()
        left = self._left(grant)
        if left > RENEW_BEFORE:
            return grant
        if left > 0 and self._paused():
            return grant
        if left > WAIT_BEFORE:
            self._start()
            return grant
        try:
            return await self._searched()
        except ProviderError:
            if self._left(grant) > 0:
                return grant
            raise

    async def renew(self, refused: G | None) -> bool:
        """Say whether there is another grant than the one the service has refused.

        Finds a new one, unless that has happened already since. Raises what `find` raises.
        """
        current = self._grant
        if current is not None and refused is not None and current is not refused:
            return True
        if current is None and self._search is not None:  # another request's renewal
            return await self._searched() != refused
        now = self._now()
        if self._refused_at is not None and 0 <= now - self._refused_at < REFUSED_AGAIN:
            return False
        self._refused_at = now
        self._grant = self._failure = None
        found = await self._searched()
        return found != (refused if refused is not None else current)

    async def aclose(self) -> None:
        """End a search that is under way."""
        if self._search is not None:
            self._search.cancel()
            with contextlib.suppress(asyncio.CancelledError, ProviderError):
                await self._search

    def _left(self, grant: G) -> float:
        return float("inf") if grant.expires_at is None else grant.expires_at - self._now()

    def _paused(self) -> bool:
        """Say whether the chain was asked just now. A clock that was set back ends the pause."""
        return 0 < self._ask_again_at - self._now() <= PAUSE

    async def _searched(self) -> G:
        if self._failure is not None:
            if self._paused():
                raise _copy(self._failure)
            self._failure = None
        # A request that is cancelled does not end the search: another may be waiting for it, and
        # the next one would have to begin anew.
        try:
            return await asyncio.shield(self._start())
        except ProviderError as error:
            raise _copy(error) from None

    def _start(self) -> "asyncio.Task[G]":
        if self._search is None:
            self._search = asyncio.ensure_future(self._find())
            self._search.add_done_callback(self._done)
        return self._search

    def _done(self, search: "asyncio.Task[G]") -> None:
        self._search = None
        if search.cancelled():
            return
        self._ask_again_at = self._now() + PAUSE
        error = search.exception()  # also marks it as seen, where everyone who waited has left
        if error is None:
            self._grant = search.result()
        elif isinstance(error, NotConfigured):
            self._failure = error  # a network that failed may be back at once


def _copy(error: ProviderError) -> ProviderError:
    """One failure ends many requests, and each writes its attempts into its own exception."""
    again = type(error).__new__(type(error))
    again.__dict__.update(error.__dict__)
    again.args = error.args
    again.attempts = []
    return again
