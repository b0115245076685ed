"""`LedgerFile`: the ledger as an SQLite database, the only one to write to it.

It blocks, and is for one thread. It raises what sqlite3 raises: what then is to be done is the
keeper's business.

A write-ahead log lets windows read while one writes, and a process that is killed loses nothing
that was committed: what it wrote is the system's by then. Only a power failure can cost the last
answers (`synchronous = NORMAL`), and it cannot harm the file.
"""

import math
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from providers.ledger.entry import Numbered
from providers.ledger.place import is_on_network
from providers.policy.budget import Day

BUSY_SECONDS = 2.0
"""How long another process may hold the file; one transaction of ours takes below a millisecond."""

KEPT_SECONDS = 400 * 24 * 3600.0
"""Rows are kept for 400 days: a year, and the month before it to compare."""

WITNESSES = 7
"""Days with answers that must lie behind a row's 400 before it goes: one wrong reading of a clock,
or a few, are no reason to believe that so much time has passed."""

_DAY = 24 * 3600.0

VERSION = 1

_CACHE_KIB = 256

_MOST_TOKENS = 2**53
"""Beyond any answer; every reader of JSON can still read it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session TEXT NOT NULL,
    number INTEGER NOT NULL,
    at REAL NOT NULL,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    usd REAL,
    source TEXT,
    outcome TEXT NOT NULL,
    UNIQUE (session, number)
);
CREATE INDEX IF NOT EXISTS answers_at ON answers (at, usd);
"""

_INSERT = "INSERT OR IGNORE INTO answers VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Unusable(Exception):
    """The message says why this file is not written to."""


class LedgerFile:
    """Open it, and close it, on the thread that uses it. Raises `OSError`, `sqlite3.Error`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if is_on_network(path):
            raise Unusable("it is on a network file system")
        # SQLite gives the log and the index beside it the rights of the file itself.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        self._day: Day | None = None
        self._usd, self._seen = 0.0, 0
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        run = self._db.execute
        run(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._use_wal()
        run("PRAGMA synchronous = NORMAL")
        (version,) = run("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise Unusable(f"a later version of ai-sidecar made it (format {version})")
        if version < VERSION:
            self._db.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {VERSION};")
            run("COMMIT")

    def _use_wal(self) -> None:
        """Two processes that make the file at once get in each other's way here, unwaited for."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                (mode,) = self._db.execute("PRAGMA journal_mode = WAL").fetchone()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                break
        if mode != "wal":
            raise Unusable("the file system has no shared memory for its log")

    def write(self, session: str, entries: Iterable[Numbered]) -> None:
        """Write all of them or, if it raises, none. One that is there already is left as it is."""
        rows = [_row(session, each) for each in entries]
        if not rows:
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_INSERT, rows)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def spent_on(self, day: Day) -> float:
        """Return the US dollars that every process booked on `day`, as of now.

        After the first time only the rows that are new are looked at.
        """
        run = self._db.execute
        if day != self._day:
            run("BEGIN")
            query = "SELECT total(usd) FROM answers WHERE at >= ? AND at < ?"
            (usd,) = run(query, day).fetchone()
            (seen,) = run("SELECT max(id) FROM answers").fetchone()
            run("COMMIT")
            self._day, self._usd, self._seen = day, usd, seen or 0
            return usd
        query = (
            "SELECT total(CASE WHEN at >= ? AND at < ? THEN usd END), max(id)"
            " FROM answers WHERE id > ?"
        )
        usd, seen = run(query, (*day, self._seen)).fetchone()
        self._usd += usd
        self._seen = seen or self._seen
        return self._usd

    def prune(self, now: float) -> None:
        """Delete the rows that are too old at `now`, and by `WITNESSES` days of other rows."""
        day = bound = now
        for _ in range(WITNESSES):
            query = "SELECT max(at) FROM answers WHERE at <= ?"
            (newest,) = self._db.execute(query, (bound,)).fetchone()
            if newest is None:
                return
            day = newest // _DAY * _DAY
            bound = math.nextafter(day, -math.inf)
        self._db.execute("DELETE FROM answers WHERE at < ?", (day - KEPT_SECONDS,))

    def close(self) -> None:
        """Close it; the last process to do so merges the log into the file."""
        self._db.close()


def _row(session: str, numbered: Numbered) -> tuple[object, ...]:
    entry = numbered.entry
    usage, cost = entry.usage, entry.cost if entry.is_priced else None
    return (
        session,
        numbered.number,
        entry.at,
        _text(entry.provider),
        _text(entry.model),
        _count(usage.input_tokens),
        _count(usage.output_tokens),
        _count(usage.cache_read_tokens),
        _count(usage.cache_write_tokens),
        _count(usage.reasoning_tokens),
        None if cost is None else cost.usd,
        None if cost is None else cost.source,
        entry.outcome,
    )


# A row that SQLite refuses would hold up those behind it: numbers come from services, names from
# users.


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _count(tokens: int) -> int:
    return min(max(tokens, 0), _MOST_TOKENS)
