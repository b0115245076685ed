"""Arithmetic and presentation of the results: medians, percentiles, the verdict, the table.

Knows nothing of processes or time; everything here is a function of numbers.
"""

import statistics
from collections.abc import Sequence
from typing import Literal

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


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def verdict(row: Row) -> Literal["met", "MISSED", "–"]:
    if row.met is None:
        return "–"
    return "met" if row.met else "MISSED"


HEAD = ("what", "measured", "reference", "ratio", "target", "")


def _cells(row: Row) -> tuple[str, ...]:
    measured = _number(row.measured)
    if row.measured is not None:
        measured = f"{measured} {row.unit}".strip()
    reference = _number(row.reference)
    if row.reference is not None:
        reference = f"{reference} {row.unit} {row.reference_name}".replace("  ", " ").strip()
    ratio_text = "–" if row.ratio is None else f"{row.ratio:.2f}"
    return row.what, measured, reference, ratio_text, row.target, verdict(row)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    lines: list[tuple[str, ...]] = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [HEAD, ("---",) * len(HEAD), *map(_cells, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
