"""Answers of a service that lies: what is booked, and what is read."""

import math

import pytest

from providers.accumulate import MOST_TOKENS, Accumulator
from providers.types import Finish, TextDelta, Usage, UsageReport


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        (Usage(-5, -1, 0, 0, 0, -6), Usage()),
        (Usage(10**40, 5, 0, 0, 0, 10**40), Usage(MOST_TOKENS, 5, 0, 0, 0, MOST_TOKENS)),
        (Usage(1, 2, 3, 4, 5, 6), Usage(1, 2, 3, 4, 5, 6)),
    ],
)
@pytest.mark.parametrize("cost", [-1.0, math.inf, math.nan, None])
def test_counts_and_costs_below_nothing_are_not_believed(
    said: Usage, believed: Usage, cost: float | None
) -> None:
    answer = Accumulator()
    answer.add([TextDelta("x"), UsageReport(said, cost), Finish("stop")])
    assert answer.response().usage == believed == answer.usage
    assert answer.response().cost_usd is None and answer.cost_usd is None


def test_a_cost_that_can_be_is_believed() -> None:
    answer = Accumulator()
    answer.add([UsageReport(Usage(1, 1), 0.0), UsageReport(Usage(1, 1), 0.25)])
    assert answer.cost_usd == 0.25
    answer.add([UsageReport(Usage(1, 1), -3.0)])
    assert answer.cost_usd == 0.25
