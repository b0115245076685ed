"""Raises the number of files the process may have open: a connection is a file.

Shells and desktops start programs with 256 (macOS) or 1,024 (Linux) and allow far more to whoever
asks. What still does not fit waits for a connection (`providers/http/descriptors.py`).
"""

import sys

MOST = 65_536
"""More is of no use, and where there is no limit at all some systems refuse to be given it."""

_FALLBACKS = (MOST, 10_240)
"""macOS refuses more than `kern.maxfilesperproc` although it tells no limit; 10,240 is OPEN_MAX."""


def raise_file_limit() -> int | None:
    """Raise the soft limit as far as the hard one allows, never lower it.

    Returns the limit there is now, None where there is none to be known (Windows).
    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return MOST
    for most in _FALLBACKS:
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        if wanted <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (ValueError, OSError):
            continue
        return wanted
    return soft
