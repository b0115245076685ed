"""`policy.budget`: laws with a fake clock, and days of every length."""

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import BudgetExceeded
from providers.policy.budget import Budget, Day, Spent, day_of
from providers.settings import BudgetSettings

# The clock is changed at one, two or three, at midnight itself, or by half an hour.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Apia",
]
zones = st.sampled_from([ZoneInfo(name) for name in ZONES])
times = st.integers(1_600_000_000, 1_900_000_000)
costs = st.floats(0.0, 2.0)
TODAY = Day(0.0, 86_400.0)


@given(times, zones)
def test_a_day_has_its_own_times_and_no_others(now: int, zone: tzinfo) -> None:
    day = day_of(now, zone)
    assert day.has(now)
    assert day_of(day.start, zone) == day == day_of(day.end - 1, zone)
    assert day_of(day.end, zone).start == day.end
    date = datetime.fromtimestamp(now, zone).date()
    assert datetime.fromtimestamp(day.start, zone).date() == date
    assert datetime.fromtimestamp(day.end - 1, zone).date() == date


@pytest.mark.parametrize(
    ("date", "hours"), [("2026-03-29", 23), ("2026-03-30", 24), ("2026-10-25", 25)]
)
def test_days_on_which_the_clock_is_changed(date: str, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(f"{date}T12:00").replace(tzinfo=berlin)
    day = day_of(noon.timestamp(), berlin)
    assert day.end - day.start == hours * 3600
    assert datetime.fromtimestamp(day.start, berlin).isoformat().startswith(f"{date}T00:00:00")


@pytest.mark.parametrize("now", [-1e18, -1.0, 0.0, 4e11, 1e18])
def test_a_clock_that_no_calendar_has_is_on_some_day(now: float) -> None:
    day = day_of(now)
    assert day.has(now)
    assert day_of(now) == day


def test_a_day_that_begins_at_one() -> None:
    """In Beirut the clock is put forward at midnight."""
    beirut = ZoneInfo("Asia/Beirut")
    noon = datetime(2026, 3, 29, 12, tzinfo=beirut)
    day = day_of(noon.timestamp(), beirut)
    assert datetime.fromtimestamp(day.start, beirut).hour == 1
    assert day.end - day.start == 23 * 3600


def is_refused(budget: Budget, spent: Spent) -> bool:
    try:
        budget.check(spent, TODAY, 0.0)
    except BudgetExceeded:
        return True
    return False


@given(st.floats(0.01, 5.0), st.lists(costs, max_size=60), st.integers(1, 5))
def test_no_more_is_spent_than_the_cap_and_what_is_in_flight(
    cap: float, prices: list[float], at_once: int
) -> None:
    """Requests are let in while others run; each is booked when it ends."""
    budget = Budget(BudgetSettings(usd_per_day=cap))
    spent, running, over = 0.0, [], 0.0
    for price in prices:
        if not is_refused(budget, Spent(spent, spent)):
            running.append(price)
            over = sum(running)  # what was in flight when the last one was let in
        if len(running) >= at_once:
            spent += running.pop(0)
    spent += sum(running)
    assert spent <= cap + over + 1e-6


@given(st.floats(0.01, 5.0), st.lists(costs), st.floats(0.0, 1.0))
def test_a_warning_comes_exactly_once_and_when_its_share_is_reached(
    cap: float, prices: list[float], warn_at: float
) -> None:
    budget = Budget(BudgetSettings(usd_per_day=cap, usd_per_session=2 * cap, warn_at=warn_at))
    spent = 0.0
    told: dict[str, list[float]] = {"today": [], "in this session": []}
    for price in prices:
        spent += price
        for warning in budget.warnings(Spent(spent, spent), TODAY):
            told["today" if "today" in warning else "in this session"].append(spent)
    for name, limit in (("today", cap), ("in this session", 2 * cap)):
        reached = spent > 1e-9 and spent >= limit * warn_at - 1e-9
        assert len(told[name]) == reached
        assert all(at >= limit * warn_at - 1e-9 for at in told[name])


@given(st.lists(st.tuples(st.integers(0, 3), costs)))
def test_each_day_is_warned_about_once(steps: list[tuple[int, float]]) -> None:
    budget = Budget(BudgetSettings(usd_per_day=1.0))
    spent, told = dict.fromkeys(range(4), 0.0), dict.fromkeys(range(4), 0)
    for number, price in sorted(steps, key=lambda step: step[0]):
        day = Day(number * 86_400.0, (number + 1) * 86_400.0)
        spent[number] += price
        told[number] += len(budget.warnings(Spent(spent[number], 0.0), day))
    assert told == {number: int(usd >= 0.8) for number, usd in spent.items()}


def test_a_refusal_says_what_was_spent_when_it_ends_and_which_setting_it_is() -> None:
    budget = Budget(BudgetSettings(usd_per_day=5.0, usd_per_session=0.001))
    with pytest.raises(BudgetExceeded) as of_day:
        budget.check(Spent(5.02, 0.0), TODAY, 86_000.0)
    message = of_day.value.message
    assert all(part in message for part in ("5.00", "5.02", "midnight", "budget.usdPerDay"))
    assert (of_day.value.kind, of_day.value.retry_after) == ("budgetExceeded", 400.0)
    with pytest.raises(BudgetExceeded) as of_session:
        budget.check(Spent(4.0, 0.0012), TODAY, 0.0)
    message = of_session.value.message
    assert all(part in message for part in ("0.001 ", "0.0012", "budget.usdPerSession"))
    assert of_session.value.retry_after is None


def test_ten_dimes_are_a_dollar() -> None:
    """0.1 added up ten times is a little less than 1 in floating point."""
    spent = 0.0
    for _ in range(10):
        spent += 0.1  # `sum` makes up for it from Python 3.12 on
    assert spent < 1.0 and is_refused(Budget(BudgetSettings(usd_per_day=1.0)), Spent(spent, 0))


def test_a_changed_cap_is_in_force_at_once_and_warned_about_anew() -> None:
    budget = Budget(BudgetSettings(usd_per_day=1.0))
    assert len(budget.warnings(Spent(1.0, 0), TODAY)) == 1 and is_refused(budget, Spent(1.0, 0))
    budget.configure(BudgetSettings(usd_per_day=10.0))
    assert not is_refused(budget, Spent(1.0, 0)) and budget.warnings(Spent(1.0, 0), TODAY) == []
    assert len(budget.warnings(Spent(8.0, 0), TODAY)) == 1


def test_without_a_cap_nothing_is_refused_or_said() -> None:
    budget = Budget(BudgetSettings())
    assert not budget.limits_something and budget.unpriced("a/b") is None
    assert not is_refused(budget, Spent(1e9, 1e9)) and not budget.warnings(Spent(1e9, 1e9), TODAY)


def test_an_unknown_price_is_told_once_a_model() -> None:
    budget = Budget(BudgetSettings(usd_per_session=1.0))
    first = budget.unpriced("a/b")
    assert first is not None and 'models."a/b"' in first
    assert budget.unpriced("a/b") is None and budget.unpriced("a/c") is not None


def test_local_midnight_is_that_of_the_machine() -> None:
    now = datetime(2026, 6, 1, 12).timestamp()
    day = day_of(now)
    assert datetime.fromtimestamp(day.start) == datetime(2026, 6, 1)
    assert datetime.fromtimestamp(day.end) - timedelta(days=1) == datetime(2026, 6, 1)
