"""How files of rules are looked at: seldom, by their stamps, and not without end."""

import os
import stat

LOOK_AGAIN = 1.0
"""Seconds; a look is about two `stat` calls for every folder above a file, some 30 µs."""

LARGEST = 1 << 20
"""Bytes of a file of rules; of a larger one only these are read."""

Stamp = tuple[int, int, int]


def stamp_of(file: str) -> Stamp | None:
    """Return what changes with a file's content, None if there is no such file.

    What is no regular file is none: to open a pipe could wait for ever.
    """
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
