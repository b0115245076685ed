"""How many connections there may be at once, all origins together: fewer than files may be open.

Whoever finds none left waits for one, first come, first served; an idle connection of whichever
origin is given up for it. It knows no socket and no origin.
"""

import asyncio
import errno
import socket
import sys
from collections import OrderedDict
from collections.abc import Callable
from math import inf
from typing import Generic, Protocol, TypeVar

from providers.http import faults

RESERVE = 64
"""Files that are left to the rest of the process: pipes, the ledger, the log, commands that print
keys, name lookups."""

SHORTAGE_PAUSE = 0.05
"""Seconds until the next try where the system itself refused a file: somebody else has them."""

_NONE_LEFT = (errno.EMFILE, errno.ENFILE)


def files_allowed() -> float:
    """Return how many files the process may have open, `inf` where that is not known."""
    if sys.platform == "win32":
        return inf
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return inf if soft == resource.RLIM_INFINITY else soft


L = TypeVar("L", bound="Link")
L_contra = TypeVar("L_contra", contravariant=True)


class Link(Protocol):
    """A connection, as far as it matters here."""

    @property
    def usable(self) -> bool: ...
    def abort(self) -> None: ...


class Holder(Protocol[L_contra]):
    """An origin: `released` takes back a connection that it was to be given."""

    def released(self, connection: L_contra, /) -> None: ...


class Descriptors(Generic[L]):
    """`take` one before a connection is made, `give_back` when it is lost.

    `give_up_idle` closes an idle connection, if there is one, and says whether it did.
    """

    def __init__(self, give_up_idle: Callable[[], bool], allowed: float | None = None) -> None:
        files = files_allowed() if allowed is None else allowed
        self.most = max(files - RESERVE, files // 2)
        self.taken = 0
        self._give_up_idle = give_up_idle
        self._waiters: OrderedDict[asyncio.Future[L | None], Holder[L]] = OrderedDict()

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for one."""
        return bool(self._waiters)

    def take_now(self) -> bool:
        """Take one if there is one and nobody waits; an idle connection is given up for it."""
        if self._waiters or not (self.taken < self.most or self._make_room()):
            return False
        self.taken += 1
        return True

    async def take(self, holder: Holder[L], until: float | None) -> L | None:
        """Wait for one; or for a connection of `holder` itself, which is then returned.

        `until` is a time of the loop's clock. Raises `faults.PoolTimeout`.
        """
        waiter: asyncio.Future[L | None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = holder
        try:
            async with asyncio.timeout_at(until):
                return await waiter
        except BaseException as error:
            self._waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled():
                self._returned(holder, waiter.result())
            if isinstance(error, TimeoutError):
                raise faults.PoolTimeout(f"all {self.most:.0f} sockets are in use") from None
            raise

    def _returned(self, holder: Holder[L], handed: L | None) -> None:
        if handed is None:
            self.give_back()
        elif handed.usable:
            holder.released(handed)

    def hand_over(self, holder: Holder[L], connection: L) -> None:
        """Give a free connection to the longest waiting if it is for the same place, else close it.

        Closing it gives its descriptor back, and so to the longest waiting.
        """
        waiter, wants = next(iter(self._waiters.items()))
        if wants is holder and not waiter.done():
            del self._waiters[waiter]
            waiter.set_result(connection)
        else:
            connection.abort()

    def _make_room(self) -> bool:
        return self._give_up_idle() and self.taken < self.most

    def give_back(self) -> None:
        """Hand one to the longest waiting, or put it back."""
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(None)
                return
        self.taken -= 1


def none_left(error: BaseException) -> bool:
    """Say whether `error` is the system's refusal to open one more file."""
    if not isinstance(error, OSError):
        return False
    if isinstance(error, socket.gaierror):  # a lookup that could not open its files says anything
        try:
            socket.socket().close()
        except OSError as refused:
            return refused.errno in _NONE_LEFT
        return False
    return error.errno in _NONE_LEFT


async def pause(until: float | None) -> None:
    """Let others close files. Raises `faults.PoolTimeout` once `until` (loop time) has passed."""
    await asyncio.sleep(SHORTAGE_PAUSE)
    if until is not None and asyncio.get_running_loop().time() >= until:
        raise faults.PoolTimeout("the system has no file descriptor left")
