"""Connections of one origin: a stack of idle ones, a bound on all, a fair queue beyond it.

Every operation is O(1). It knows asyncio's connecting and nothing of requests. A connection counts
from the start of connecting until it is lost; whoever frees one hands it, or its place, to the
longest waiting first.
"""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import Callable

from providers.http import faults, heap
from providers.http.connection import Connection
from providers.http.descriptors import Descriptors, none_left, pause
from providers.http.dial import dial
from providers.http.liveness import SLEEP_SECONDS, slept
from providers.http.tls import start_tls

WARM_CONNECT_SECONDS = 10.0
CLOSED = "the client has been closed"

CROWD = 100
"""Idle connections closed after which it is worth to look for free memory."""
SETTLED_SECONDS = 1.0
"""asyncio closes an aborted connection in the next turns of the loop."""


class Origin:
    """`opened` and `reused` count connections made, and requests that needed none."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        limit: int,
        idle_seconds: float,
        context: Callable[[], ssl.SSLContext] | None,
        descriptors: Descriptors[Connection] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._host = host
        self._port = port
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._context = context
        self._descriptors = descriptors or Descriptors[Connection](self.give_up_idle)
        self._idle: dict[Connection, None] = {}  # oldest first; the newest is used first
        self._all: set[Connection] = set()
        self._places = 0  # taken: by connections, and by those about to be made
        self._waiters: OrderedDict[asyncio.Future[Connection | None], None] = OrderedDict()
        self._sweeper: asyncio.TimerHandle | None = None
        self._warm_seconds = 0.0
        self._bound = idle_seconds  # how long the newest idle connection may be kept
        self._may_rewarm = False
        self._rewarming: asyncio.Task[None] | None = None
        self._closed = False
        self._swept = 0  # since memory was last given back
        self.opened = 0
        self.reused = 0

    def idle_connection(self) -> Connection | None:
        """Return the connection that became idle last, or None.

        None that is too old (the sweeper may have been asleep, too) or from before a sleep.
        """
        while self._idle:
            connection, _ = self._idle.popitem()
            awake = slept() - connection.slept_before < SLEEP_SECONDS
            if awake and self._loop.time() - connection.idle_since < self._bound:
                self.reused += 1
                return connection
            connection.abort()
        return None

    async def acquire(
        self, *, fresh: bool, server_name: str | None, wait: float | None, connect: float | None
    ) -> Connection:
        """Return a connection: idle (unless `fresh`), or a new one; within the bound of the origin.

        `wait` and `connect` are times of the loop's clock until which to wait for a place and, from
        then on, seconds to connect (TLS included). Raises `faults.PoolTimeout`, `ConnectTimeout`,
        `ConnectError`.
        """
        while True:
            if self._closed:
                raise faults.ConnectError(CLOSED)
            if not fresh and (idle := self.idle_connection()) is not None:
                return idle
            handed = await self._place_and_descriptor(wait)
            if handed is not None:
                self.reused += 1
                return handed
            try:
                return await self._connect(server_name, wait, connect)
            except faults.ConnectError as error:
                if not none_left(error.__cause__ or error):
                    raise
            await pause(wait)

    async def _place_and_descriptor(self, until: float | None) -> Connection | None:
        """Take what a new connection needs; or return one that became free meanwhile."""
        while self._places >= self._limit:
            handed = await self._queue(until)
            if handed is None:
                break  # a place, already counted
            if handed.usable:
                return handed
        else:
            self._places += 1
        try:
            while not self._descriptors.take_now():
                handed = await self._descriptors.take(self, until)
                if handed is None and self._closed:
                    self._descriptors.give_back()
                    raise faults.ConnectError(CLOSED)
                if handed is None:
                    return None
                if handed.usable:
                    self._free_place()
                    return handed
        except BaseException:
            self._free_place()
            raise
        return None

    async def _queue(self, until: float | None) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters[waiter] = None
        try:
            async with asyncio.timeout_at(until):
                return await waiter
        except BaseException as error:
            self._waiters.pop(waiter, None)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())
            if isinstance(error, TimeoutError):
                raise faults.PoolTimeout(
                    f"all {self._limit} connections are in use (http.maxConnectionsPerOrigin)"
                ) from None
            raise

    def _give_back(self, handed: Connection | None) -> None:
        if handed is None:
            self._free_place()
        elif handed.usable:
            self.released(handed)

    async def _connect(
        self, server_name: str | None, until: float | None, seconds: float | None
    ) -> Connection:
        """Connect, with a place and a descriptor that have been taken before."""
        deadline = None if seconds is None else self._loop.time() + seconds
        total_first = until is not None and (deadline is None or until < deadline)
        connection = Connection(self)
        self._all.add(connection)
        try:
            async with asyncio.timeout_at(until if total_first else deadline):
                await self._open(connection, server_name)
        except BaseException as error:
            connection.abort()
            if isinstance(error, TimeoutError) and total_first:
                raise faults.TotalTimeout("the whole request took too long") from error
            if isinstance(error, TimeoutError):
                raise faults.ConnectTimeout("connecting took too long") from error
            if isinstance(error, (OSError, UnicodeError)):
                raise faults.ConnectError(str(error)) from error
            raise
        if not connection.usable:
            raise faults.ConnectError("the connection was closed as soon as it was made")
        self.opened += 1
        return connection

    async def _open(self, connection: Connection, server_name: str | None) -> None:
        context = self._context() if self._context is not None else None
        sock = await dial(self._host, self._port)
        if context is None:
            await self._loop.create_connection(lambda: connection, sock=sock)
        else:
            await start_tls(connection, sock, context, server_name or self._host)

    # --- what connections report ----------------------------------------------------------

    def keep_warm(self, seconds: float) -> None:
        """From now on keep a connection for `seconds` after each use.

        An idle one that the server closes meanwhile is replaced, once per use.
        """
        self._warm_seconds = seconds
        self._bound = max(self._idle_seconds, seconds)
        self._may_rewarm = True

    def _rewarm(self) -> None:
        if self._may_rewarm and not (self._closed or self._all or self._rewarming):
            self._may_rewarm = False
            self._rewarming = self._loop.create_task(self._warm())
            self._rewarming.add_done_callback(self._warmed)

    async def _warm(self) -> None:
        if not self._descriptors.take_now():
            return
        try:
            self._places += 1
            connection = await self._connect(None, None, WARM_CONNECT_SECONDS)
        except faults.TransportFault:
            return  # nobody waits for it; the next request finds out by itself
        self.released(connection)

    def _warmed(self, _: asyncio.Task[None]) -> None:
        self._rewarming = None

    def released(self, connection: Connection) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(connection)
                return
        if self._descriptors.wanted:
            self._descriptors.hand_over(self, connection)
            return
        connection.idle_since = now = self._loop.time()
        connection.slept_before = slept()
        self._idle[connection] = None
        if self._sweeper is None or now + self._idle_seconds < self._sweeper.when():
            self._sweep_at(now + self._idle_seconds)

    def lost(self, connection: Connection) -> None:
        was_idle = connection in self._idle
        self._idle.pop(connection, None)
        if connection in self._all:
            self._all.discard(connection)
            self._descriptors.give_back()
            self._free_place()
        if was_idle and self._loop.time() - connection.idle_since < self._warm_seconds:
            self._rewarm()

    def _free_place(self) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(None)
                return
        self._places -= 1

    # --- idle ones ------------------------------------------------------------------------------

    def _sweep_at(self, due: float) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sweeper = self._loop.call_at(due, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long; to be kept warm is for the newest one alone."""
        self._sweeper = None
        now = self._loop.time()
        while self._idle:
            oldest = next(iter(self._idle))
            due = oldest.idle_since + (self._bound if len(self._idle) == 1 else self._idle_seconds)
            if due > now:
                self._sweep_at(due)
                break
            oldest.abort()
            self._swept += 1
        if self._swept >= CROWD and len(self._all) * 2 < self._swept:
            self._swept = 0
            self._loop.call_later(SETTLED_SECONDS, heap.give_back)

    def give_up_idle(self) -> bool:
        """Close the connection that has been idle longest. Returns whether there was one."""
        if not self._idle:
            return False
        next(iter(self._idle)).abort()
        return True

    @property
    def open_connections(self) -> int:
        return len(self._all)

    def close(self) -> None:
        """Close every connection, also those in use, and fail whoever waits for one."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(faults.ConnectError(CLOSED))
        self._waiters.clear()
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if self._rewarming is not None:
            self._rewarming.cancel()
        for connection in list(self._all):
            connection.shut()
