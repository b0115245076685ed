"""How a connection that died in silence is noticed: by this machine's sleep, and by what is not
acknowledged.

After a sleep, or a change of networks, a kept connection looks as before, and what is sent on it
goes nowhere. The kernel alone would go on trying for a quarter of an hour.
"""

import errno
import socket
import sys
import time

UNACKNOWLEDGED_SECONDS = 10
"""How long what was sent may stay without TCP's acknowledgement: as `timeouts.connect` by default,
for it is the same question. Nothing is unacknowledged while an answer is awaited or read."""

SLEEP_SECONDS = 1.0
"""A sleep that is shorter leaves connections alone: the two clocks differ by microseconds."""

_OPTION = {"linux": 18, "darwin": 0x80}.get(sys.platform)  # TCP_USER_TIMEOUT, TCP_RXT_CONNDROPTIME
_UNIT = 1000 if sys.platform == "linux" else 1
_CLOCKS = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}
_CLOCK: int | None = getattr(time, _CLOCKS.get(sys.platform, ""), None)


def slept() -> float:
    """Return the seconds that this machine has slept since it was started, and a constant.

    Elsewhere than on Linux and macOS `time.monotonic` goes on while it sleeps, so that connections
    simply grow old; it is the constant then.
    """
    return 0.0 if _CLOCK is None else time.clock_gettime(_CLOCK) - time.monotonic()


def socket_options() -> list[tuple[int, int, int]]:
    """Return what to set on a socket so that the kernel gives up in time."""
    if _OPTION is None:
        return []
    return [(socket.IPPROTO_TCP, _OPTION, UNACKNOWLEDGED_SECONDS * _UNIT)]


def undelivered(error: BaseException) -> bool:
    """Say whether the connection was given up because nothing was acknowledged."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.ETIMEDOUT
