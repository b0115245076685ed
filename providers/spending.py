"""`Spending`: the budgets of one manager, on top of the ledger.

It asks the ledger before a request, books after it, and tells what the budget wants told. Caps and
warnings are decided by `policy.budget`; files are the ledger's.
"""

from collections.abc import Callable
from datetime import tzinfo

from providers.ledger.entry import AnswerOutcome, Entry
from providers.ledger.ledger import Ledger, Locate
from providers.policy.budget import Budget, Day, Spent, day_of
from providers.settings import BudgetSettings
from providers.types import Cost, Usage


class Spending:
    """`wall` is the clock on the wall, in seconds since 1970; `zone` is None for where we are."""

    def __init__(
        self,
        settings: BudgetSettings,
        locate: Locate | None,
        *,
        wall: Callable[[], float],
        on_warning: Callable[[str], None],
        zone: tzinfo | None = None,
    ) -> None:
        self._budget = Budget(settings)
        self._wall = wall
        self._zone = zone
        self._warn = on_warning
        self._ledger = Ledger(locate, on_total=self._look, on_warning=on_warning)
        self._day = Day(0.0, 0.0)
        self._session = 0.0

    def configure(self, settings: BudgetSettings) -> None:
        """Take over new caps; what was spent stays."""
        self._budget.configure(settings)

    @property
    def now(self) -> float:
        """The time on the wall."""
        return self._wall()

    @property
    def is_limited(self) -> bool:
        """Whether `admit` could refuse anything."""
        return self._budget.limits_something

    async def admit(self) -> None:
        """Raise `BudgetExceeded` if a cap is reached, counting what other processes spent by now.

        To be called before each upstream request that may cost something.
        """
        if self._budget.limits_days:
            await self._ledger.read(self._today())
        self._look()
        self._budget.check(self._spent(), self._today(), self._wall())

    def book(
        self, provider: str, model: str, outcome: AnswerOutcome, usage: Usage, cost: Cost | None
    ) -> None:
        """Write down what an answer used and cost, whole or not."""
        entry = Entry(self._wall(), provider, model, outcome, usage, cost)
        self._ledger.book(entry, self._today())
        self._session += entry.usd
        if not entry.is_priced and (warning := self._budget.unpriced(f"{provider}/{model}")):
            self._warn(warning)
        self._look()

    async def aclose(self) -> None:
        """Have everything written."""
        await self._ledger.aclose()

    def _today(self) -> Day:
        now = self._wall()
        if not self._day.has(now):
            self._day = day_of(now, self._zone)
        return self._day

    def _spent(self) -> Spent:
        return Spent(self._ledger.spent_on(self._today()), self._session)

    def _look(self) -> None:
        """Give the warnings that are due."""
        if self._budget.limits_something:
            for warning in self._budget.warnings(self._spent(), self._today()):
                self._warn(warning)
