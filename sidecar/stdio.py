"""Standard input and output, as asynchronous pipes or through threads, behind one interface.

`PipeStdio` needs descriptors that a selector can watch: pipes and sockets, not on Windows.
`ThreadStdio` takes everything else: Windows, regular files, terminals, `/dev/null`. Neither knows
what the bytes mean. Descriptors are left as they were found (`O_NONBLOCK` is a property of the open
file, which the parent process shares).
"""

import asyncio
import os
import queue
import stat
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from sidecar.descriptors import READ_SIZE, read, write_all

OnData = Callable[[bytes], int]
"""Takes what was read; returns how many bytes the message under way still lacks."""
OnEnd = Callable[[], None]

SLICE = 4 * 1024
"""Bytes per read while messages are small. A burst of a thousand requests is so begun some twenty
at a time: the streams that run have their turns in between, and what a request needs only until it
is sent never exists a thousand times at once."""


class Stdio(Protocol):
    """Both ends. `on_data` and `on_end` are called on the loop's thread, `on_end` once."""

    def start(self, on_data: OnData, on_end: OnEnd, on_lost: OnEnd) -> None: ...
    def write(self, data: bytes, done: Callable[[], None]) -> bool: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def close(self) -> None: ...


def open_stdio(fd_in: int = 0, fd_out: int = 1) -> Stdio:
    """Return the fitting variant; `AI_SIDECAR_STDIO=threads` asks for that one."""
    wanted = os.environ.get("AI_SIDECAR_STDIO")
    if wanted == "threads" or not (_watchable(fd_in) and _watchable(fd_out)):
        return ThreadStdio(fd_in, fd_out)
    return PipeStdio(fd_in, fd_out)


def _watchable(fd: int) -> bool:
    if sys.platform == "win32":
        return False
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


class PipeStdio:
    """Reads and writes when the event loop says that the descriptors are ready."""

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._in, self._out = fd_in, fd_out
        self._blocking = {fd: os.get_blocking(fd) for fd in (fd_in, fd_out)}
        self._rest: memoryview | None = None
        self._done: Callable[[], None] | None = None
        self._ended = self._paused = False
        self._size = SLICE

    def start(self, on_data: OnData, on_end: OnEnd, on_lost: OnEnd) -> None:
        """Begin to read. `on_lost` is called when a write that was under way fails."""
        self._on_data, self._on_end, self._on_lost = on_data, on_end, on_lost
        for fd in self._blocking:
            os.set_blocking(fd, False)
        self._loop.add_reader(self._in, self._readable)

    def _readable(self) -> None:
        for _ in range(2):  # the rest of a larger message is mostly there already
            try:
                data = os.read(self._in, self._size)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                data = b""
            if not data:
                self._ended = True
                self._loop.remove_reader(self._in)
                self._on_end()
                return
            lacking = self._on_data(data)
            self._size = min(max(SLICE, lacking), READ_SIZE)
            if not lacking or self._paused:
                return

    def write(self, data: bytes, done: Callable[[], None]) -> bool:
        """Write what the descriptor takes now, and the rest when it is ready again."""
        written = self._write_some(data)
        if written == len(data):
            return True
        self._rest, self._done = memoryview(data)[written:], done
        self._loop.add_writer(self._out, self._writable)
        return False

    def _write_some(self, data: bytes | memoryview) -> int:
        try:
            return os.write(self._out, data)
        except (BlockingIOError, InterruptedError):
            return 0

    def _writable(self) -> None:
        rest = self._rest
        assert rest is not None
        try:
            written = self._write_some(rest)
        except OSError:
            self._stop_writing()
            self._on_lost()
            return
        if written < len(rest):
            self._rest = rest[written:]
            return
        done = self._done
        self._stop_writing()
        if done is not None:
            done()

    def _stop_writing(self) -> None:
        self._loop.remove_writer(self._out)
        self._rest = self._done = None

    def pause_reading(self) -> None:
        """Leave further input where it is."""
        self._paused = True
        self._loop.remove_reader(self._in)

    def resume_reading(self) -> None:
        """Read again."""
        self._paused = False
        if not self._ended:
            self._loop.add_reader(self._in, self._readable)

    def close(self) -> None:
        """Stop, and put the descriptors back into the state they were found in."""
        self._loop.remove_reader(self._in)
        self._loop.remove_writer(self._out)
        for fd, blocking in self._blocking.items():
            os.set_blocking(fd, blocking)


class ThreadStdio:
    """A thread blocks in `read`, another in `write`; daemons both, as a blocked read never ends."""

    def __init__(self, fd_in: int, fd_out: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._in, self._out = fd_in, fd_out
        self._work: queue.SimpleQueue[tuple[bytes, Callable[[], None]] | None] = queue.SimpleQueue()
        self._may_read = threading.Event()
        self._may_read.set()
        self._closed = False

    def start(self, on_data: OnData, on_end: OnEnd, on_lost: OnEnd) -> None:
        """Start both threads."""
        self._on_data, self._on_end, self._on_lost = on_data, on_end, on_lost
        threading.Thread(target=self._read_all, name="stdin", daemon=True).start()
        threading.Thread(target=self._write_all, name="stdout", daemon=True).start()

    def _read_all(self) -> None:
        while True:
            self._may_read.wait()
            data = read(self._in)
            if not self._call(self._on_data if data else None, data):
                return

    def _call(self, on_data: OnData | None, data: bytes) -> bool:
        """Hand `data`, or the end, to the loop; return whether to read on."""
        if self._closed:
            return False
        try:
            if on_data is None:
                self._loop.call_soon_threadsafe(self._on_end)
                return False
            self._loop.call_soon_threadsafe(on_data, data)
        except RuntimeError:  # the loop was closed between the check and the call
            return False
        return True

    def _write_all(self) -> None:
        while (work := self._work.get()) is not None:
            data, done = work
            try:
                write_all(self._out, data)
                report = done
            except OSError:
                report = self._on_lost
            try:
                self._loop.call_soon_threadsafe(report)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def write(self, data: bytes, done: Callable[[], None]) -> bool:
        """Hand `data` to the writer thread."""
        self._work.put((data, done))
        return False

    def pause_reading(self) -> None:
        """Take no more input than the read that is under way brings."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Read again."""
        self._may_read.set()

    def close(self) -> None:
        """Let the writer thread end; the reader thread ends with the process."""
        self._closed = True
        self._work.put(None)
