"""What the ledger has, added up for people. Reads; a sidecar may write at the same time."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from providers.ledger.store import BUSY_SECONDS, VERSION, Unusable

Column = Literal["day", "provider", "model"]

_COLUMNS: dict[Column, str] = {
    "day": "date(at, 'unixepoch', 'localtime')",
    "provider": "provider",
    "model": "model",
}
# Of no rows at all, `sum` is NULL; tokens are then 0, and dollars unknown.
_COUNTED = (
    "outcome = 'cancelled'",
    "outcome = 'broken'",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_SUMS = ", ".join(
    [
        "count(*)",
        *(f"ifnull(sum({what}), 0)" for what in _COUNTED),
        "sum(usd)",
        "ifnull(sum(usd IS NULL), 0)",
        "ifnull(sum(source IS 'estimate'), 0)",
    ]
)


class UsageRow(msgspec.Struct, rename="camel"):
    """What the answers of one group came to.

    `cost_usd` leaves out the `unpriced` answers, and is None where no answer has a known cost.
    `estimated` answers were cut short: their cost is about right.
    """

    day: str | None
    provider: str | None
    model: str | None
    answers: int
    cancelled: int
    broken: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: float | None
    unpriced: int
    estimated: int


def read_usage(path: Path, since: float, by: tuple[Column, ...]) -> list[UsageRow]:
    """Return what was booked since `since` (seconds since 1970), a row per value of `by`.

    Sorted by those, of days the latest first; with no `by`, one row for all. Empty where there is
    no file. Raises `sqlite3.Error`, `OSError`, `Unusable`.
    """
    if not path.exists():
        return []
    columns = [_COLUMNS[name] for name in by]
    selected = [_COLUMNS[name] if name in by else "NULL" for name in _COLUMNS]
    query = f"SELECT {', '.join(selected)}, {_SUMS} FROM answers WHERE at >= ?"
    if columns:
        order = [
            column + (" DESC" if name == "day" else "")
            for name, column in zip(by, columns, strict=True)
        ]
        query += f" GROUP BY {', '.join(columns)} ORDER BY {', '.join(order)}"
    uri = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise Unusable(f"a later version of ai-sidecar made it (format {version})")
        if version == 0:
            return []  # a sidecar is about to make it
        found = db.execute(query, (since,)).fetchall()
    return [UsageRow(*values) for values in found]
