"""`python -m fuzz [TARGET…] [--seconds N]`: fuzzes, one target after the other.

Prints executions and coverage of each; the longest clean run of each is kept in
`fuzz/results.toml` and in the table of docs/fuzzing.md.
"""

import argparse
import sys
import tomllib
from pathlib import Path

from fuzz import engine, targets

RESULTS = engine.ROOT / "fuzz" / "results.toml"
PAGE = engine.ROOT / "docs" / "fuzzing.md"
BEGIN, END = "<!-- results -->\n", "<!-- end -->"
CORPUS = engine.ROOT / "fuzz" / "corpus"  # grows from run to run; not tracked


def main() -> int:
    """Return 0 if no target found anything."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(targets.NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="where inputs are kept")
    parser.add_argument(
        "--keep",
        nargs=3,
        metavar=("TARGET", "FILE", "NAME"),
        help="keep a found case",
    )
    args = parser.parse_args()
    if args.keep:
        return keep_case(*args.keep)
    unknown = set(args.targets) - set(targets.NAMES)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    failed = 0
    for name in args.targets or targets.NAMES:
        result = engine.run(name, args.seconds, args.corpus)
        failed += result.failed
        sys.stdout.write(line(result))
        sys.stdout.flush()
        if result.failed:
            sys.stdout.write(result.output[-6000:] + "\n")
        else:
            keep(result)
    return 1 if failed else 0


def keep_case(target: str, file: str, name: str) -> int:
    """Write a case where the tests replay it; in a form that does not depend on the seeds."""
    data = Path(file).read_bytes()
    explicit = getattr(targets.load(target), "explicit", bytes)
    (engine.FOUND / target).mkdir(parents=True, exist_ok=True)
    (engine.FOUND / target / name).write_bytes(explicit(data))
    return 0


def line(result: engine.Run) -> str:
    """Return what a run came to, in one line."""
    return (
        f"{'FOUND' if result.failed else 'clean'} {result.target}: {result.executions} executions "
        f"in {result.seconds} s, cov {result.covered}, ft {result.features}, "
        f"corpus {result.corpus}\n"
    )


def read() -> dict[str, dict[str, int]]:
    """Return the kept results."""
    return tomllib.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}


def keep(result: engine.Run) -> None:
    """Keep a clean run if none as long is kept."""
    kept = read()
    if kept.get(result.target, {}).get("seconds", 0) > result.seconds:
        return
    kept[result.target] = {
        name: getattr(result, name)
        for name in ("seconds", "executions", "covered", "features", "corpus")
    }
    tables = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in kept[name].items())
        for name in sorted(kept)
    ]
    RESULTS.write_text("\n".join(tables), "utf-8")
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + table(kept) + END + rest.partition(END)[2], "utf-8")


def table(kept: dict[str, dict[str, int]]) -> str:
    """Return the kept results as a table of Markdown."""
    rows = ["| target | seconds | executions | coverage | features | inputs kept |"]
    rows.append("|---|---:|---:|---:|---:|---:|")
    for name, row in sorted(kept.items()):
        figures = (row["seconds"], row["executions"], row["covered"])
        cells = " | ".join(f"{n:,}" for n in (*figures, row["features"], row["corpus"]))
        rows.append(f"| `{name}` | {cells} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
