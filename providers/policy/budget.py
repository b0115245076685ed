"""`Budget`: may another request be sent, given what has been spent, and whom to warn of what.

Pure: times are arguments, in seconds of the wall clock; a day is one of the given time zone, from
midnight to midnight, be it 23, 24 or 25 hours long. What was spent is looked up by others.
"""

from datetime import datetime, timedelta, tzinfo
from typing import NamedTuple

from providers.errors import BudgetExceeded
from providers.settings import BudgetSettings

_DAY = 24 * 3600.0

_LEAST_USD = 1e-9
"""A billionth of a dollar: below any price, above what adding up a day's floats can be off by."""


class Day(NamedTuple):
    """From its first second to the next day's first; `start` names it."""

    start: float
    end: float

    def has(self, time: float) -> bool:
        """Say whether `time` is on this day."""
        return self.start <= time < self.end


class Spent(NamedTuple):
    """US dollars: today by every process of the user, and in this session."""

    day: float
    session: float


def day_of(now: float, zone: tzinfo | None = None) -> Day:
    """Return the day that `now` is on, in `zone` or where the machine is.

    A day of UTC where a clock says what no calendar has: a wrong clock fails no request.
    """
    try:
        date = datetime.fromtimestamp(now, zone).date()
        start, end = (
            datetime(d.year, d.month, d.day, tzinfo=zone).timestamp()
            for d in (date, date + timedelta(days=1))
        )
    except (ValueError, OverflowError, OSError):
        start = now // _DAY * _DAY
        end = start + _DAY
    return Day(start, end)


class Budget:
    """The caps in force, and which warnings were given: one a day, one a session, one a model.

    `limits_something`: there is a cap; `limits_days`: one that other processes share.

    A cap bounds what is spent before a request, not what the request will cost: together requests
    pass it by the cost of those in flight, and by nothing else.
    """

    def __init__(self, settings: BudgetSettings) -> None:
        self.configure(settings)
        self._warned: set[tuple[str, float]] = set()
        self._unpriced: set[str] = set()

    def configure(self, settings: BudgetSettings) -> None:
        """Take over new caps. A changed cap is warned about anew."""
        self._settings = settings
        self.limits_days = settings.usd_per_day is not None
        self.limits_something = self.limits_days or settings.usd_per_session is not None

    def check(self, spent: Spent, day: Day, now: float) -> None:
        """Raise `BudgetExceeded` if a cap is reached, with `retry_after` where waiting helps."""
        per_day, per_session = self._settings.usd_per_day, self._settings.usd_per_session
        if per_day is not None and spent.day >= per_day - _LEAST_USD:
            raise BudgetExceeded(
                f"the budget of {_usd(per_day)} USD a day is used up ({_usd(spent.day)} USD spent);"
                " a new one begins at midnight; the setting is budget.usdPerDay",
                retry_after=max(0.0, day.end - now),
            )
        if per_session is not None and spent.session >= per_session - _LEAST_USD:
            raise BudgetExceeded(
                f"the budget of {_usd(per_session)} USD a session is used up"
                f" ({_usd(spent.session)} USD spent); a new one begins when the editor is started"
                " again; the setting is budget.usdPerSession"
            )

    def warnings(self, spent: Spent, day: Day) -> list[str]:
        """Return the warnings that are due now; each is returned once a day, or once a session."""
        per_day, per_session = self._settings.usd_per_day, self._settings.usd_per_session
        due: list[str] = []
        if per_day is not None and self._is_due(spent.day, per_day, f"day {day.start}"):
            due.append(
                f"{_usd(spent.day)} of {_usd(per_day)} USD are spent today (budget.usdPerDay)"
            )
        if per_session is not None and self._is_due(spent.session, per_session, "session"):
            due.append(
                f"{_usd(spent.session)} of {_usd(per_session)} USD are spent in this session"
                " (budget.usdPerSession)"
            )
        return due

    def unpriced(self, model: str) -> str | None:
        """Return a warning at the first answer of `model` whose cost is not known, else None."""
        if not self.limits_something or model in self._unpriced:
            return None
        self._unpriced.add(model)
        return (
            f"what {model} costs is not known, so no budget counts it;"
            f' prices can be set under [models."{model}"]'
        )

    def _is_due(self, spent: float, cap: float, of: str) -> bool:
        if spent < max(cap * self._settings.warn_at - _LEAST_USD, _LEAST_USD):
            return False
        due = (of, cap) not in self._warned
        self._warned.add((of, cap))
        return due


def _usd(amount: float) -> str:
    """Cents where they say enough, up to six places where they do not."""
    if amount >= 1:
        return f"{amount:.2f}"
    exact, cents = f"{amount:.6f}", len("0.00")
    return exact[:cents] + exact[cents:].rstrip("0")
