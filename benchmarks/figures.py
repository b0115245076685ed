"""Arithmetic and presentation of the results: medians, percentiles, the verdict, the table.

Knows nothing of processes or time; everything here is a function of numbers.
"""

import statistics
from collections.abc import Sequence

import msgspec


class Row(msgspec.Struct, kw_only=True):
    """One line of the table.

    `measured` is the sidecar's figure and `reference` the other side's of the same run, both in
    `unit`; None was not measured. `target` says in words what is asked for, `met` whether it was
    (None: no target, or nothing measured). `detail` holds what else was seen, for the JSON.
    """

    what: str
    unit: str
    measured: float | None
    reference: float | None = None
    reference_name: str = ""
    target: str = ""
    met: bool | None = None
    detail: dict[str, object] = {}

    @property
    def ratio(self) -> float | None:
        return ratio(self.measured, self.reference)


def ratio(measured: float | None, reference: float | None) -> float | None:
    """Return measured / reference, None where one is missing or the reference is 0."""
    if measured is None or not reference:
        return None
    return measured / reference


def median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def percentile(values: Sequence[float], q: float) -> float | None:
    """Return the nearest-rank percentile (`q` from 0 to 100): a value that really occurred."""
    if not values:
        return None
    ranked = sorted(values)
    rank = -(-len(ranked) * q // 100)  # ceiling
    return ranked[min(len(ranked) - 1, max(0, int(rank) - 1))]


def at_most(
    value: float | None,
    limit: float,
    *,
    floor: float | None = None,
    allowance: float = 2.0,
) -> bool | None:
    """Tell whether `value` keeps `limit`; None if there is no value.

    With `floor`: where a neighbour's load makes the floor itself miss the limit, up to `allowance`
    times the floor of the same run counts as kept.
    """
    if value is None:
        return None
    if value <= limit:
        return True
    return floor is not None and floor > limit and value <= allowance * floor


MISSING = "–"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def verdict(runs: Sequence[Row]) -> str:
    """Return whether the target was met, of several runs in how many."""
    said = [row.met for row in runs if row.met is not None]
    if not said:
        return "–"
    word = "met" if all(said) else "MISSED"
    return word if len(runs) == 1 else f"{word} ({sum(said)} of {len(said)})"


def by_row(runs: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Return what each run has found for the same row, in the order in which rows first came."""
    found: dict[tuple[str, str], list[Row]] = {}
    for rows in runs:
        for row in rows:
            found.setdefault((row.what, row.reference_name + row.target), []).append(row)
    return list(found.values())


HEAD = ("what", "measured", "reference", "ratio", "target", "")


def _cells(runs: Sequence[Row]) -> tuple[str, ...]:
    row = runs[0]
    measured = _numbers([r.measured for r in runs])
    reference = _numbers([r.reference for r in runs])
    if measured != MISSING:
        measured = f"{measured} {row.unit}".strip()
    if reference != MISSING:
        reference = f"{reference} {row.unit} {row.reference_name}".replace("  ", " ").strip()
    ratios = median([r.ratio for r in runs if r.ratio is not None])
    return row.what, measured, reference, _ratio_text(ratios), row.target, verdict(runs)


def _numbers(values: Sequence[float | None]) -> str:
    there = [_number(value) for value in values if value is not None]
    return ", ".join(there) or MISSING


def _ratio_text(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def table(runs: Sequence[Sequence[Row]]) -> str:
    """Return the rows of one run or more as aligned text."""
    lines: list[tuple[str, ...]] = [HEAD, *map(_cells, by_row(runs))]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(runs: Sequence[Sequence[Row]]) -> str:
    """Return the rows of one run or more as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, by_row(runs))]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
