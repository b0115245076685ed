"""Says where the megabytes of `benchmarks memory` go: by stage, by import, by allocator.

    python -m benchmarks.where_memory [--all]

Three programs under `memory_probe`: a bare pygls server, the sidecar for a client of `ai/*` alone,
and for one that asks for standard LSP as well; ten kinds of providers over TLS, each streaming
once. The probe costs about 0.2 MB; there is no target. Linux only.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.memory import MB, SETTLE, certificates
from benchmarks.processes import KINDS, LoadServer, Side, every_kind, model_for
from providers.ledger.place import PATH_VARIABLE

SHOWN = 0.1
"""MB from which on an import has a line of its own."""

LSP = {"pygls", "lsprotocol", "cattrs", "attr", "attrs", "typing_extensions"}
OURS = {"sidecar", "providers", "protocol"}
ORIGINS = ("Python's library", "pygls and its needs", "other packages", "ours")
HEAP = 64 << 20  # glibc's HEAP_MAX_SIZE: a thread's arena begins at a multiple of it


class Import(msgspec.Struct):
    """`own` and `whole` in bytes, the latter with the imports it made; `at` when it was done."""

    at: float
    own: int
    whole: int
    name: str


class Stage(msgspec.Struct):
    """What was resident, in bytes, once something was done: `at` this time."""

    name: str
    at: float
    resident: int


class Seen(msgspec.Struct):
    """One program: what it held after each stage, its imports, its allocators' own figures."""

    name: str
    stages: list[Stage]
    imports: list[Import]
    numbers: dict[str, int]


def origin(module: str) -> str:
    """Return which of `ORIGINS` a module is from."""
    top = module.partition(".")[0]
    if top in OURS:
        return "ours"
    if top in LSP:
        return "pygls and its needs"
    return "Python's library" if top in sys.stdlib_module_names else "other packages"


# --- Looking -----------------------------------------------------------------------------------


def look(
    name: str,
    module: Sequence[str],
    steps: Iterable[tuple[str, Callable[[Side], object]]] = (),
    *,
    options: object = None,
    environment: Sequence[str] = (),
) -> Seen:
    """Run a module under the probe, take the steps, and return what was seen.

    `environment` is more variables, as env(1) takes them. Raises RuntimeError if the probe does
    not report.
    """
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        report = Path(folder, "report")
        command = ["env", *environment, sys.executable, "-m", "benchmarks.memory_probe"]
        command += [str(report), *module]
        with Side(name, command, options=options) as side:
            stages = [_stage("`initialize` answered, the rest of it loaded", side)]
            for what, step in steps:
                step(side)
                stages.append(_stage(what, side))
            numbers = mapped(Path(f"/proc/{side.pid}/smaps").read_text())
            lines = _ask(side.pid, report)
    # Asking imports something itself.
    imports = [each for each in _imports(lines) if each.at <= stages[-1].at]
    numbers |= {what: int(n) for n, what in (x.split(" ", 1) for x in lines) if n != "import"}
    return Seen(name, stages, imports, numbers)


def _stage(what: str, side: Side) -> Stage:
    time.sleep(SETTLE)
    return Stage(what, time.monotonic(), side.rss())


def _ask(pid: int, report: Path) -> list[str]:
    os.kill(pid, signal.SIGUSR1)
    for _ in range(1000):
        if report.exists():
            return report.read_text().splitlines()
        time.sleep(0.01)
    raise RuntimeError("no report of the probe")


def _imports(lines: Iterable[str]) -> list[Import]:
    fields = (line.split(" ") for line in lines if line.startswith("import "))
    return [Import(float(at), int(own), int(whole), name) for _, at, own, whole, name in fields]


def mapped(smaps: str) -> dict[str, int]:
    """Return resident bytes by kind of mapping (proc(5), smaps), and the arenas of malloc's."""
    found = {"files, mostly shared": 0, "heap, arenas and stacks": 0, "malloc's arenas": 1}
    kind = ""
    for line in smaps.splitlines():
        fields = line.split()
        if fields[0] == "Rss:":
            found[kind] += int(fields[1]) * 1024
        elif not fields[0].endswith(":"):
            path = fields[5] if len(fields) > 5 else ""
            kind = "files, mostly shared" if path.startswith("/") else "heap, arenas and stacks"
            begin = int(fields[0].partition("-")[0], 16)
            found["malloc's arenas"] += not path and begin % HEAP == 0 and "rw" in fields[1]
    return found


# --- Telling -----------------------------------------------------------------------------------


def stages(seen: Seen) -> list[list[str]]:
    """Return a line for each stage: what it added, of that by imports of each origin, the rest."""
    begin, had = 0.0, seen.numbers["start"]
    lines = [["Python with the probe, before its first import", mb(had), "", "", "", "", ""]]
    for stage in seen.stages:
        by: dict[str, int] = defaultdict(int)
        for each in seen.imports:
            if begin < each.at <= stage.at:
                by[origin(each.name)] += each.own
        added = stage.resident - had
        shares = [mb(by[name]) for name in ORIGINS]
        lines.append([stage.name, mb(added), *shares, mb(added - sum(by.values()))])
        begin, had = stage.at, stage.resident
    return [*lines, ["all", mb(had), "", "", "", "", ""]]


def by_import(sides: Sequence[Seen], *, least: float) -> list[list[str]]:
    """Return a line for each module that added `least` MB or more in one of the programs."""
    own: list[dict[str, int]] = []
    for seen in sides:
        own.append(defaultdict(int))
        for each in seen.imports:
            own[-1][each.name] += each.own
    names = {name for one in own for name, size in one.items() if size >= least * MB}
    ranked = sorted(names, key=lambda name: -max(one.get(name, 0) for one in own))
    return [[name, *(mb(one[name]) if name in one else "" for one in own)] for name in ranked]


def without(whole: Seen, parts: Sequence[Seen]) -> list[list[str]]:
    """Return a line for each run in which something was left out: how much less it held."""
    held = whole.stages[-1].resident
    return [[part.name, mb(held - part.stages[-1].resident)] for part in parts]


def mb(size: int) -> str:
    return f"{size / MB:.2f}"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return aligned text: the first column to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in [head, *lines]
    )


def tell(sides: Sequence[Seen], *, least: float) -> str:
    """Return the whole report."""
    parts: list[str] = []
    for seen in sides:
        head = [f"{seen.name}: MB added by", "all", *ORIGINS, "no import"]
        parts.append(table(head, stages(seen)))
    names = [seen.name for seen in sides]
    parts.append(table(["MB added by the import itself", *names], by_import(sides, least=least)))
    kinds = [kind for kind in sides[0].numbers if kind != "start"]
    lines: list[list[str]] = []
    for kind in kinds:
        values = [seen.numbers.get(kind, 0) for seen in sides]
        counted = kind in ("threads", "malloc's arenas")
        lines.append([kind, *(str(value) if counted else mb(value) for value in values)])
    parts.append(table(["MB in the end", *names], lines))
    return "\n\n".join(parts)


def stream(*kinds: str) -> Callable[[Side], None]:
    """Return a step: one stream from a provider of each kind."""

    def step(side: Side) -> None:
        for kind in kinds:
            side.stream(f"where.{kind}", model_for(kind, "bench-t20"), provider=kind)
            side.wait()
        side.take()

    return step


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.where_memory", description=__doc__)
    parser.add_argument("--all", action="store_true", help="every import, however small")
    least = 0.0 if parser.parse_args().all else SHOWN
    settled = "a standard request answered", Side.settle
    streams = [("the first stream", stream(KINDS[0])), ("nine kinds more", stream(*KINDS[1:]))]
    with tempfile.TemporaryDirectory(prefix="bench-tls-") as folder:
        ca, certificate, key = certificates(Path(folder))
        with LoadServer(tls=(certificate, key)) as server, LoadServer() as plain:
            options = every_kind(f"https://localhost:{server.port}", ca=str(ca))
            sides = [
                look("bare pygls", ["benchmarks.peers.bare_pygls"], [settled]),
                look("`ai/*` alone", ["sidecar"], streams, options=options),
                look("and standard LSP", ["sidecar"], [settled, *streams], options=options),
            ]
            http, no_ledger = every_kind(f"http://127.0.0.1:{plain.port}"), [f"{PATH_VARIABLE}=off"]
            parts = [
                look("TLS", ["sidecar"], streams, options=http),
                look("the ledger", ["sidecar"], streams, options=options, environment=no_ledger),
            ]
    print(tell(sides, least=least), end="\n\n")
    print(table(["MB less with `ai/*` alone without", ""], without(sides[1], parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
