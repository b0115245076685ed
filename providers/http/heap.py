"""Gives free memory back to the system, where the C library keeps it. Knows nothing of connections.

Each connection over TLS has some 45 kB of OpenSSL's in the heap. glibc keeps what is freed below
anything that is still used: of 1,000 connections 46 of 60 MB, until it is told to look (5 ms).
"""

import sys


def give_back() -> None:
    """Return free pages of the heap, if this is glibc. `malloc_trim(3)`."""
    if sys.platform != "linux":
        return
    try:
        import ctypes  # 0.7 MB, for those few who have had that many connections

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (ImportError, OSError):  # a Python built without libffi, or linked statically
        return
    if trim is not None:
        trim(0)
