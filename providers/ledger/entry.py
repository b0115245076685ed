"""What is booked of one upstream answer. Shapes only."""

from math import inf
from typing import Literal, NamedTuple

from providers.policy.budget import Day
from providers.types import Cost, Usage

AnswerOutcome = Literal["ok", "cancelled", "broken"]


class Entry(NamedTuple):
    """`at`: when the answer ended, in seconds since 1970. A `cost` of None is unknown, not 0."""

    at: float
    provider: str
    model: str
    outcome: AnswerOutcome
    usage: Usage
    cost: Cost | None

    @property
    def usd(self) -> float:
        """What a budget counts: nothing of what is unknown, or is no sum of money."""
        return self.cost.usd if self.is_priced and self.cost is not None else 0.0

    @property
    def is_priced(self) -> bool:
        """Whether the cost is known. A service's own figure may be anything."""
        return self.cost is not None and 0.0 <= self.cost.usd < inf


class Numbered(NamedTuple):
    """An entry with its day, and its number in this session: by that it is written only once."""

    number: int
    day: Day
    entry: Entry


class DayTotal(NamedTuple):
    """What all processes spent on `day`, this one's entries up to number `upto` included."""

    day: Day
    usd: float
    upto: int
