"""Runs a program unchanged and tells, when asked, how often the garbage collector has run in it.

    python -m benchmarks.gc_probe REPORT MODULE [ARG …]

At SIGUSR1 the collections so far by generation, and the allocations counted toward the next one,
are written to the file REPORT. Thresholds and collector are left alone; the program is run by its
own `__main__`, in this process.
"""

import gc
import os
import runpy
import signal
import sys


def main() -> None:
    report, module = sys.argv[1:3]

    def tell(*_: object) -> None:
        collections = [generation["collections"] for generation in gc.get_stats()]
        with open(report + ".new", "w") as file:
            file.write(" ".join(map(str, [*collections, gc.get_count()[0]])))
        os.replace(report + ".new", report)

    signal.signal(signal.SIGUSR1, tell)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
