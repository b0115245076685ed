"""Notices the death of the process that started us, so that no orphan is left.

Linux tells at once through a pidfd; elsewhere the process is looked at every few seconds. The end
of stdin usually comes first: this is for editors that leave it open.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0


def watch_process(pid: int, on_death: Callable[[], None]) -> Callable[[], None]:
    """Call `on_death` once when process `pid` has ended, also if it has already.

    Return a function that stops watching. To be called on the event loop's thread.
    """
    loop = asyncio.get_running_loop()
    if hasattr(os, "pidfd_open"):
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            return loop.call_soon(on_death).cancel
        except (OSError, OverflowError):  # a number that can be nobody's is the client's to choose
            logger.debug("no pidfd for the editor's process; looking at it now and then")
        else:
            return _watch_descriptor(loop, descriptor, on_death)
    return _poll(loop, pid, on_death)


def _watch_descriptor(
    loop: asyncio.AbstractEventLoop, descriptor: int, on_death: Callable[[], None]
) -> Callable[[], None]:
    open_ = True

    def stop() -> None:
        nonlocal open_
        if open_:
            open_ = False
            loop.remove_reader(descriptor)
            os.close(descriptor)

    def died() -> None:
        stop()
        on_death()

    loop.add_reader(descriptor, died)
    return stop


def _poll(
    loop: asyncio.AbstractEventLoop, pid: int, on_death: Callable[[], None]
) -> Callable[[], None]:
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        if is_alive(pid):
            timer = loop.call_later(POLL_SECONDS, look)
        else:
            on_death()

    def stop() -> None:
        if timer is not None:
            timer.cancel()

    timer = loop.call_later(0, look)
    return stop


def is_alive(pid: int) -> bool:
    """Return whether a process `pid` exists; one that we may not ask about does."""
    if sys.platform == "win32":
        return _is_alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _is_alive_on_windows(pid: int) -> bool:
    """`os.kill(pid, 0)` would end the process there: ask whether a handle of it is signalled."""
    if sys.platform != "win32":
        return True
    import ctypes

    synchronize, wait_timeout = 0x00100000, 0x102  # winnt.h, winbase.h
    kernel = ctypes.windll.kernel32
    handle = kernel.OpenProcess(synchronize, False, pid)
    if not handle:
        return kernel.GetLastError() == 5  # ERROR_ACCESS_DENIED: it exists
    try:
        return kernel.WaitForSingleObject(handle, 0) == wait_timeout
    finally:
        kernel.CloseHandle(handle)
