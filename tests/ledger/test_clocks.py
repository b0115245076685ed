"""Wrong clocks: a few readings cost neither what was recorded nor a cap."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import BudgetExceeded
from providers.ledger.entry import Entry, Numbered
from providers.ledger.store import LedgerFile
from providers.policy.budget import Day
from providers.settings import BudgetSettings
from providers.types import Usage
from tests.ledger.booked import Paid, config, dollars, rows

DAY = 24 * 3600.0


@settings(max_examples=25)
@given(
    st.lists(st.integers(19_000, 19_300), min_size=1, max_size=12),
    st.lists(st.integers(19_301, 10**6), max_size=6),
    st.randoms(use_true_random=False),
)
def test_a_few_wrong_clocks_lose_nothing(days: list[int], wrong: list[int], random: Random) -> None:
    booked = [*days, *wrong]
    random.shuffle(booked)
    with TemporaryDirectory() as folder:
        file = LedgerFile(Path(folder) / "usage.db")
        for number, day in enumerate(booked):
            entry = Entry(day * DAY + 7.0, "a", "m", "ok", Usage(), None)
            file.write("s", [Numbered(number, Day(day * DAY, (day + 1) * DAY), entry)])
            file.prune(entry.at)
        file.close()
        assert len(rows(Path(folder) / "usage.db", "at")) == len(booked)


@pytest.mark.asyncio
@pytest.mark.parametrize("in_file", [False, True])
async def test_a_clock_that_goes_back_and_forth_gives_no_new_budget(
    tmp_path: Path, in_file: bool
) -> None:
    now = [20_000 * DAY + 12 * 3600]
    path = tmp_path / "usage.db" if in_file else None
    budget = config(BudgetSettings(usd_per_day=1.0))
    async with Paid(path, budget, dollars(), wall=lambda: now[0]) as paid:
        await paid.ask()
        for jump in (-DAY, 900 * DAY):
            now[0] += jump
            await paid.ask()
            now[0] -= jump
            with pytest.raises(BudgetExceeded):
                await paid.ask()
