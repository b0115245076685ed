"""Says where the time of `benchmarks dispatch` goes, from standard input to the provider's socket.

    python -m benchmarks.where_dispatch

One request at a time, one after another at once and with pauses of 5 ms as `dispatch` has them: a
process that has slept finds its caches cold, and every step takes longer. Medians, of the steps in
their order; there is no target.
"""

import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.dispatch_probe import EARLY, END, STEPS
from benchmarks.figures import median
from benchmarks.processes import LoadServer, Side, options_for

WARM = 200
COUNT = 1000
PAUSE = 0.005
"""Seconds between two requests."""

ORDER = [names[3] for names in (*EARLY, *STEPS)]


def measured(server: LoadServer, pause: float, count: int) -> list[list[tuple[str, float]]]:
    """Return the steps of `count` requests with their times."""
    with tempfile.TemporaryDirectory(prefix="bench-where-") as folder:
        report = Path(folder, "report")
        command = [sys.executable, "-m", "benchmarks.dispatch_probe", str(report)]
        options = options_for(f"http://127.0.0.1:{server.port}/v1")
        with Side("sidecar", command, options=options) as side:
            for i in range(WARM + count):
                side.stream(f"where.{pause}.{i}", "bench-t1")
                side.wait()
                if i % 100 == 0:
                    side.take()
                if i >= WARM:
                    time.sleep(pause)
            os.kill(side.pid, signal.SIGUSR1)
            while not report.exists():
                time.sleep(0.01)
            lines = report.read_text().splitlines()[-count:]
    split = [line.split("\t") for line in lines]
    return [[(f[i], float(f[i + 1])) for i in range(0, len(f), 2)] for f in split]


def steps(requests: Sequence[Sequence[tuple[str, float]]]) -> dict[str, float]:
    """Return the median microseconds that each step took, by its name, and of all together."""
    took: dict[str, list[float]] = {}
    for request in requests:
        times = dict(request)
        for (step, began), (_, ended) in itertools.pairwise(request):
            took.setdefault(step, []).append((ended - began) * 1e6)
        took.setdefault("all", []).append((times[END] - request[0][1]) * 1e6)
    return {step: median(each) or 0.0 for step, each in took.items()}


def main() -> int:
    with LoadServer() as server:
        at_once = steps(measured(server, 0.0, COUNT))
        paused = steps(measured(server, PAUSE, COUNT))
    print(f"{'µs, median of ' + str(COUNT):45}{'at once':>10}{'with pauses':>14}")
    for step in (*ORDER, "all"):
        print(f"{step:45}{at_once.get(step, 0.0):10.1f}{paused.get(step, 0.0):14.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
