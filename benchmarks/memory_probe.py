"""Runs a program unchanged and tells, when asked, what each of its imports added to its memory.

    python -m benchmarks.memory_probe REPORT MODULE [ARG …]

At SIGUSR1 the imports so far and the allocators' own statistics are written to the file REPORT, a
line each: `import TIME OWN WHOLE NAME` and `VALUE NAME`, in bytes and in seconds of the monotonic
clock. Resident memory is read just before and after a module's code is read and run; OWN is what
is left without the imports that it makes. While two threads allocate at once, what the other one
did meanwhile counts as well. Linux only.
"""

import os
import re
import runpy
import signal
import sys
import threading
import time
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from types import ModuleType
from typing import Any

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096

MALLINFO2 = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
"""The fields of mallinfo2(3), in their order."""

imports: list[tuple[float, int, int, str]] = []
_open = threading.local()


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * PAGE


def watch(loader: type, step: str) -> None:
    """Let every `step` of `loader` be measured; an extension has two, the reader adds them up."""
    run = getattr(loader, step)

    def measured(self: object, subject: Any) -> object:
        name = subject.__name__ if isinstance(subject, ModuleType) else subject.name
        nested: list[int] = _open.__dict__.setdefault("nested", [])
        nested.append(0)
        before = resident()
        try:
            return run(self, subject)
        finally:
            whole = resident() - before
            own = whole - nested.pop()
            if nested:
                nested[-1] += whole
            imports.append((time.monotonic(), own, whole, name))

    setattr(loader, step, measured)


def of_pymalloc(path: str) -> dict[str, int]:
    """Return what CPython's allocator holds and uses, in bytes; it says so on descriptor 2 only."""
    kept, fd = os.dup(2), os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(fd, 2)
    try:
        sys._debugmallocstats()  # pyright: ignore[reportPrivateUsage]
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd) as file:
        text = file.read()
    os.unlink(path)
    wanted = {
        "pymalloc, in use": r"bytes in allocated blocks",
        "pymalloc, held": r"\d+ arenas \* .*",
    }
    found = {
        what: re.search(rf"^(?:# )?{line} += +([\d,]+)$", text, re.M)
        for what, line in wanted.items()
    }
    return {what: int(match[1].replace(",", "")) for what, match in found.items() if match}


def of_glibc() -> dict[str, int]:
    """Return what the C library's allocator uses and has free, in bytes; nothing of another one."""
    import ctypes

    class Info(ctypes.Structure):
        _fields_ = [(name, ctypes.c_size_t) for name in MALLINFO2]

    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return {}
    ask.restype = Info
    info = ask()
    return {"malloc, in use": info.uordblks + info.hblkhd, "malloc, free": info.fordblks}


def main() -> None:
    report, module = sys.argv[1:3]
    start = resident()

    def tell(*_: object) -> None:
        numbers = {"start": start, "threads": threading.active_count()}
        numbers |= of_pymalloc(report + ".stats") | of_glibc()
        lines = [f"import {at} {own} {whole} {name}" for at, own, whole, name in imports]
        lines += [f"{value} {name}" for name, value in numbers.items()]
        with open(report + ".new", "w") as file:
            file.write("\n".join(lines))
        os.replace(report + ".new", report)

    for loader in (SourceFileLoader, ExtensionFileLoader):
        watch(loader, "exec_module")
    watch(ExtensionFileLoader, "create_module")
    signal.signal(signal.SIGUSR1, tell)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
