"""Several processes with one ledger, and processes that are killed: real ones."""

import asyncio
import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.ledger.booked import rows, until
from tests.ledger.spender import CENT

pytestmark = pytest.mark.asyncio

ROOT = Path(__file__).resolve().parents[2]
FOREVER = 10**9


class Spender:
    """One such process; `said` is what it has written so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = b""
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, path: Path, cap: float, at_once: int, how_many: int) -> "Spender":
        arguments = (str(path), str(cap), str(at_once), str(how_many))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.ledger.spender", *arguments,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        return cls(process)

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def end(self) -> int:
        await self._reading
        return await self.process.wait()

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(1 << 16):
            self.said += data


async def test_two_processes_share_one_budget(tmp_path: Path) -> None:
    path, at_once, cap = tmp_path / "usage.db", 4, 50
    spenders = [await Spender.start(path, cap * CENT, at_once, 60) for _ in range(2)]
    await until(lambda: all(spender.said for spender in spenders))
    for spender in spenders:
        spender.go()
    assert [await spender.end() for spender in spenders] == [0, 0]
    answered = [spender.said.count(b"=") for spender in spenders]
    refused = [spender.said.count(b"-") for spender in spenders]
    assert all(answered) and all(refused)
    in_flight = 2 * at_once
    assert cap <= sum(answered) <= cap + in_flight
    booked = rows(path, "usd, outcome")
    assert len(booked) == sum(answered)
    assert sum(usd for usd, _ in booked) == pytest.approx(sum(answered) * CENT)


@pytest.mark.slow
async def test_ten_kills_under_load(tmp_path: Path) -> None:
    path, at_once, kills = tmp_path / "usage.db", 8, 10
    chance = random.Random(20261121)
    answered = 0
    for _ in range(kills):
        # The second window goes on while the first is killed.
        killed = await Spender.start(path, 1e9, at_once, FOREVER)
        other = await Spender.start(path, 1e9, 1, 40)
        killed.go()
        other.go()
        await until(lambda killed=killed: b"=" in killed.said)
        await asyncio.sleep(chance.uniform(0.0, 0.5))
        killed.process.kill()
        await killed.end()
        assert await other.end() == 0
        answered += killed.said.count(b"=") + other.said.count(b"=")
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        booked = rows(path, "usd, number, session")
        # What was in flight may be booked and not told, or told and not booked: at each kill anew.
        assert abs(len(booked) - answered) <= at_once
        assert sum(usd for usd, *_ in booked) == pytest.approx(len(booked) * CENT)
        answered = len(booked)
    assert len(set(rows(path, "session, number"))) == answered
    assert answered > 10 * 40
