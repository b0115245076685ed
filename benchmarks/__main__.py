"""Runs the benchmarks and prints one table; the figures go to `benchmarks/results/` as JSON.

python -m benchmarks [NAME …] [--quick] [--references] [--runs N]
python -m benchmarks [NAME …] --saved       the last results again, as Markdown
"""

import argparse
import platform
import sys
import traceback
from datetime import UTC, datetime

import msgspec

from benchmarks import (
    choices,
    concurrency,
    connections,
    cpu_per_token,
    dispatch,
    figures,
    gc_objects,
    growth,
    inline_completion,
    latency,
    memory,
    peers_iterating,
    startup,
    wire_formats,
)
from benchmarks.processes import ROOT, bare_pygls, sidecar

BENCHMARKS = {
    "cpu_per_token": cpu_per_token.run,
    "wire_formats": wire_formats.run,
    "gc": gc_objects.run,
    "dispatch": dispatch.run,
    "latency": latency.run,
    "concurrency": concurrency.run,
    "memory": memory.run,
    "startup": startup.run,
    "connections": connections.run,
    "inline": inline_completion.run,
    "growth": growth.run,
    "peers": peers_iterating.run,
    "choices": choices.run,
}


def has_sidecar() -> bool:
    """Tell whether the sidecar starts and answers; say why if not."""
    try:
        sidecar(9).close()
    except (OSError, RuntimeError) as error:
        print(f"the sidecar does not start, only references are measured: {error}", file=sys.stderr)
        return False
    return True


def save(name: str, runs: list[list[figures.Row]], *, quick: bool) -> None:
    """Write what each run of one benchmark has found to its JSON file."""
    folder = ROOT / "benchmarks" / "results"
    folder.mkdir(exist_ok=True)
    written = {
        "benchmark": name,
        "quick": quick,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.platform(),
        "runs": runs,
    }
    path = folder / f"{name}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(written)) + b"\n")


def saved(names: list[str]) -> list[list[figures.Row]]:
    """Return what the last runs of `names` have found; one that never ran has nothing."""
    runs: list[list[figures.Row]] = []
    for name in names:
        path = ROOT / "benchmarks" / "results" / f"{name}.json"
        if path.exists():
            found = msgspec.json.decode(path.read_bytes())["runs"]
            runs += msgspec.convert(found, list[list[figures.Row]])
    return runs


def measure(names: list[str], sides: list[str], *, quick: bool, runs: int) -> tuple[str, bool]:
    """Run everything `runs` times; return the table and whether every benchmark came to its end.

    One that fails is told of and left out: the others' figures are not lost with it.
    """
    found: dict[str, list[list[figures.Row]]] = {}
    whole = True
    for turn in range(runs):
        for name in names:
            which = f" ({turn + 1} of {runs})" if runs > 1 else ""
            print(f"{name}{which} …", file=sys.stderr, flush=True)
            try:
                rows = BENCHMARKS[name](sides, quick=quick)
            except Exception:  # noqa: BLE001 - whatever it is, it is shown
                traceback.print_exc()
                whole = False
                continue
            found.setdefault(name, []).append(rows)
            save(name, found[name], quick=quick)
    return figures.table([rows for each in found.values() for rows in each]), whole


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small counts: a look, not a figure")
    parser.add_argument("--references", action="store_true", help="leave the sidecar out")
    parser.add_argument("--saved", action="store_true", help="print the last results as Markdown")
    parser.add_argument("--runs", type=int, default=1, metavar="N", help="all of it N times")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    names = arguments.names or list(BENCHMARKS)
    if arguments.saved:
        print(figures.markdown(saved(names)))
        return 0
    sides = ["floor", "openai"]
    if not arguments.references and has_sidecar():
        sides.insert(0, "sidecar")
    bare_pygls().close()  # so that no side pays for compiling what they share
    table, whole = measure(names, sides, quick=arguments.quick, runs=arguments.runs)
    print(table)
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
