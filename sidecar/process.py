"""The running process, from the answered `initialize` to the exit code.

The event loop serves `ai/*` as soon as the provider side is imported. pygls is imported when the
first message for it comes: a client of `ai/*` alone does without its 12 MB. Both are imported by a
thread, so that nothing waits longer than it must.
"""

import asyncio
import contextlib
import importlib
import linecache
import logging
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from sidecar import log
from sidecar.file_limit import raise_file_limit
from sidecar.handshake import Opening
from sidecar.lifetime import watch_process
from sidecar.outbox import Outbox
from sidecar.rpc import Connection
from sidecar.stdio import Stdio, open_stdio

logger = logging.getLogger(__name__)

_PROVIDER_SIDE = "sidecar.services", "providers.vendors.base"
_LSP_SIDE = "sidecar.lean_lsprotocol", "sidecar.server"

GOODBYE_SECONDS = 2.0
"""How long cancelled work and unwritten output may hold up the end."""


def run(opening: Opening, *, fd_in: int, fd_out: int, level: str | None, file: str | None) -> int:
    """Serve until the end; return the exit code."""
    log.configure(level, file)
    raise_file_limit()
    loop = asyncio.new_event_loop()
    try:
        code = loop.run_until_complete(Process(opening).serve(fd_in, fd_out))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        logging.shutdown()
    if threading.active_count() > 1:
        # A thread that looks up a host name, imports or blocks in a read would hold up the end of
        # the interpreter for as long as it likes. Everything of ours has been closed by now.
        os._exit(code)
    loop.close()
    return code


class Process:
    """Puts the parts together and takes them down again."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._session: Any = None
        self._lsp_wanted = False

    async def serve(self, fd_in: int, fd_out: int) -> int:
        """Return the exit code once the session has ended in one way or another."""
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        stdio = open_stdio(fd_in, fd_out)
        outbox = Outbox(stdio, on_lost=lambda: self._end(0), on_flood=_reading_stopper(stdio))
        connection = Connection(
            outbox,
            decoder=self._opening.decoder,
            on_exit=self._end,
            on_lsp_wanted=self._want_lsp,
        )
        self._connection = connection
        stdio.start(connection.receive, lambda: self._end(0), outbox.lose)
        self._handle_signals()
        stop_watching = self._watch_editor()
        for item in self._opening.frames:
            connection.receive_frame(item)
        self._load(_PROVIDER_SIDE, self._open_session)
        try:
            return await self._ended
        finally:
            stop_watching()
            await self._take_down(outbox)
            stdio.close()

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return self._ended.get_loop()

    def _end(self, code: int) -> None:
        if not self._ended.done():
            self._ended.set_result(code)

    def _handle_signals(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is None:
                continue
            try:
                self._loop.add_signal_handler(number, self._end, 128 + number)
            except (NotImplementedError, RuntimeError, ValueError):
                logger.debug("%s cannot be handled here", name)

    def _watch_editor(self) -> Callable[[], None]:
        pid = self._opening.params.get("processId")
        if isinstance(pid, int) and pid > 0:
            return watch_process(pid, lambda: self._end(1))
        return lambda: None

    # --- what is imported late, by a thread ---------------------------------------------------

    def _load(self, modules: tuple[str, ...], then: Callable[[], None]) -> None:
        """Import `modules` in a thread, then call `then` in the loop."""
        loop = self._loop

        def load() -> None:
            try:
                for module in modules:
                    importlib.import_module(module)
                linecache.clearcache()  # where attrs and cattrs leave the sources that they make
                step = then
            except Exception as error:
                logger.exception("a part of the program could not be loaded")
                step = partial(self._connection.fail, error)
            with contextlib.suppress(RuntimeError):  # the process may have ended meanwhile
                loop.call_soon_threadsafe(step)

        threading.Thread(target=load, name="loader", daemon=True).start()

    def _want_lsp(self) -> None:
        """Load the LSP side: now, or once the session is there."""
        self._lsp_wanted = True
        if self._session is not None:
            self._load(_LSP_SIDE, self._open_lsp)

    def _open_session(self) -> None:
        from sidecar.services import open_session

        try:
            self._session = open_session(self._connection, self._opening.params)
        except Exception as error:
            logger.exception("the session could not be opened")
            self._connection.fail(error)
            return
        if self._lsp_wanted:
            self._want_lsp()

    def _open_lsp(self) -> None:
        from sidecar.server import make_server

        try:
            make_server(self._connection, self._session)
        except Exception as error:
            logger.exception("the language server could not be started")
            self._connection.fail(error)

    # --- the end ----------------------------------------------------------------------------------

    async def _take_down(self, outbox: Outbox) -> None:
        """Stop all work, close what is open and write what is still to be written; not for long."""
        connection = self._connection
        connection.cancel_all()
        try:
            async with asyncio.timeout(GOODBYE_SECONDS):
                await connection.idle()
                if self._session is not None:
                    await self._session.aclose()
                await outbox.flushed()
                await _end_the_rest()
        except TimeoutError:
            logger.warning("something did not stop within %g s", GOODBYE_SECONDS)
        except Exception:
            logger.exception("the end was not clean")


async def _end_the_rest() -> None:
    """End what outlives the requests on purpose: a program that finds a key is killed with it."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)


def _reading_stopper(stdio: Stdio) -> Callable[[bool], None]:
    def stop(flooded: bool) -> None:
        if flooded:
            stdio.pause_reading()
        else:
            stdio.resume_reading()

    return stop
