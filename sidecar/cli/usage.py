"""`ai-sidecar usage`: tokens and cost by day, provider and model, from the ledger.

It only reads, and may be used while sidecars run.
"""

import argparse
import os
import sqlite3
from datetime import datetime, timedelta

import msgspec

from providers.folders import OFF
from providers.ledger.place import PATH_VARIABLE, ledger_path
from providers.ledger.report import Column, UsageRow, read_usage
from providers.ledger.store import Unusable
from sidecar.cli import output
from sidecar.cli.output import FAILED, OK

_ALL: tuple[Column, ...] = ("day", "provider", "model")
_MOST_DAYS = 100_000
_TOKENS = (
    ("INPUT", "input_tokens"),
    ("OUTPUT", "output_tokens"),
    ("CACHE-READ", "cache_read_tokens"),
    ("CACHE-WRITE", "cache_write_tokens"),
    ("REASONING", "reasoning_tokens"),
)


class Usage(msgspec.Struct, rename="camel"):
    """What `--json` prints. `since` is the first day; a row has null for what it does not group."""

    path: str
    since: str
    days: int
    by: tuple[Column, ...]
    rows: list[UsageRow]
    total: UsageRow | None


@output.command
def run(argv: list[str]) -> int:
    """Run `usage`. Return 0, or 1 if the ledger cannot be read."""
    parser = output.parser("usage", "Tokens and cost, as far as they are known.")
    parser.add_argument(
        "--days", type=_days, default=30, metavar="N", help="the last N days, today included (30)"
    )
    parser.add_argument("--by", choices=_ALL, help="one row a day, provider or model")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    args = parser.parse_args(argv)
    try:
        usage = _read(args.days, _ALL if args.by is None else (args.by,))
    except (OSError, sqlite3.Error, Unusable) as error:
        output.complain(f"the ledger cannot be read: {error}")
        return FAILED
    if args.json:
        output.raw(msgspec.json.format(msgspec.json.encode(usage), indent=2))
    else:
        _show(usage)
    return OK


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"expected a number from 1 to {_MOST_DAYS}, got {text!r}")
    return int(text)


def _read(days: int, by: tuple[Column, ...]) -> Usage:
    if os.environ.get(PATH_VARIABLE) == OFF:
        raise Unusable(f"{PATH_VARIABLE}={OFF} turns it off")
    path = ledger_path(os.environ)
    today = datetime.now().replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    rows = read_usage(path, first.timestamp(), by)
    total = read_usage(path, first.timestamp(), ()) if rows else []
    return Usage(str(path), f"{first:%Y-%m-%d}", days, by, rows, total[0] if total else None)


def _show(usage: Usage) -> None:
    if usage.total is None:
        output.complain(f"nothing has been booked since {usage.since} ({usage.path})")
        return
    headings = [name.upper() for name in usage.by]
    headings += ["ANSWERS", "CUT", *(heading for heading, _ in _TOKENS), "USD", "UNPRICED"]
    named = [tuple(getattr(row, name) for name in usage.by) for row in usage.rows]
    named.append(("total", *[""] * (len(usage.by) - 1)))
    figures = [_figures(row) for row in (*usage.rows, usage.total)]
    output.table(headings, [(*a, *b) for a, b in zip(named, figures, strict=True)])
    if usage.total.unpriced:
        output.line(
            f"{usage.total.unpriced} unpriced: what those answers cost is not known and not in USD"
        )


def _figures(row: UsageRow) -> tuple[str, ...]:
    tokens = (str(getattr(row, name)) for _, name in _TOKENS)
    usd = "unknown" if row.cost_usd is None else f"{row.cost_usd:.6f}"
    return (str(row.answers), str(row.cancelled + row.broken), *tokens, usd, str(row.unpriced))
