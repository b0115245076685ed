"""Blocking reads and writes of a raw descriptor, whatever state its file was inherited in.

Used before the event loop exists and by the threads that do without it, so nothing here may import
asyncio.
"""

import os
import select

READ_SIZE = 64 * 1024
"""Bytes per read: what a Linux pipe holds."""


def read(fd: int) -> bytes:
    """Return the next bytes, waiting for them; b"" at the end of the input or when it broke."""
    while True:
        try:
            return os.read(fd, READ_SIZE)
        except BlockingIOError:
            select.select([fd], [], [])
        except OSError:
            return b""


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, waiting where needed. Raises `OSError` when nobody can read it."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            select.select([], [fd], [])
