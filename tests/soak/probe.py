"""The program, told by SIGUSR1 to write down what it holds. Runs as the process under test.

python -P tests/soak/probe.py FILE [arguments of ai-sidecar]
"""

import asyncio
import gc
import json
import os
import signal
import sys
import threading


def report(path: str) -> None:
    """Write a JSON line: tasks, timers, threads and objects, after a whole collection."""
    gc.collect()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return
    tasks = sorted(task.get_coro().__qualname__ for task in asyncio.all_tasks(loop))
    found = {
        "tasks": tasks,
        "timers": len([t for t in loop._scheduled if not t.cancelled()]),  # type: ignore[attr-defined]
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "objects": len(gc.get_objects()),
    }
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    from sidecar.__main__ import main

    target = sys.argv.pop(1)
    signal.signal(signal.SIGUSR1, lambda *_: report(target))
    sys.exit(main())
