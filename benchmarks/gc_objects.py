"""Objects kept per token that the garbage collector tracks: collections during one long stream.

The stream's own collections: those of a stream of 100,000 tokens less those of one of a single
token, so that what a request costs is not held against its tokens; the worst of three. The process
has everything loaded and one long stream behind it, so that what is made once is made.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Row
from benchmarks.processes import LoadServer, Side, options_for

SETTLE = 0.5
"""Seconds after the first answer in which the ledger is loaded and its file made."""


class Probed:
    """A side under `gc_probe`."""

    def __init__(self, name: str, module: str, arguments: list[str], options: object) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="bench-gc-")
        self.report = Path(self.folder.name, "report")
        command = [sys.executable, "-m", "benchmarks.gc_probe", str(self.report), module]
        self.side = Side(name, [*command, *arguments], options=options).settle()

    def counts(self) -> list[int]:
        """Return collections of generations 0, 1, 2 and allocations since the last of those."""
        self.report.unlink(missing_ok=True)
        os.kill(self.side.pid, signal.SIGUSR1)
        for _ in range(1000):
            if self.report.exists():
                return [int(n) for n in self.report.read_text().split()]
            time.sleep(0.005)
        raise RuntimeError(f"{self.side.name}: no report of the collector")

    def collections(self, tokens: int) -> int:
        """Return the generation-0 collections while one stream of `tokens` ran."""
        before = self.counts()
        self.side.stream(f"gc.{tokens}.{before}", f"bench-t{tokens}")
        self.side.wait()
        self.side.sink.take()
        return self.counts()[0] - before[0]

    def close(self) -> None:
        self.side.close()
        self.folder.cleanup()


def measure(probed: Probed, tokens: int) -> list[tuple[int, int]]:
    """Return the collections of a stream of `tokens` and of one of a single token, three times."""
    probed.collections(tokens // 5)
    time.sleep(SETTLE)
    return [(probed.collections(tokens), probed.collections(1)) for _ in range(3)]


def run(names: list[str], *, quick: bool) -> list[Row]:
    tokens = 20_000 if quick else 100_000
    found: dict[str, list[tuple[int, int]]] = {}
    with LoadServer() as server:
        options = options_for(f"http://127.0.0.1:{server.port}/v1")
        programs: dict[str, tuple[str, list[str], object]] = {
            "sidecar": ("sidecar", [], options),
            "floor": ("benchmarks.peers.floor", [str(server.port)], None),
        }
        for name, (module, arguments, settings) in programs.items():
            if name in names:
                probed = Probed(name, module, arguments, settings)
                try:
                    found[name] = measure(probed, tokens)
                finally:
                    probed.close()
    own = {n: max(0, *(whole - one for whole, one in seen)) for n, seen in found.items()}
    mine = own.get("sidecar")
    return [
        Row(
            what=f"collections of generation 0 in a stream of {tokens:,} tokens",
            unit="",
            measured=mine,
            reference=own["floor"],
            reference_name="floor",
            target="0",
            met=None if mine is None else mine == 0,
            detail={"whole, single token": found},
        )
    ]
