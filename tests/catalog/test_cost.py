"""The arithmetic of cost, against hand-made sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.base import Price
from providers.catalog import cost
from providers.types import Usage

CACHED = Price(3.0, 15.0, cache_read=0.3, cache_write=3.75)
TIERED = Price(2.0, 12.0, 0.2, beyond_tokens=200_000, beyond=Price(4.0, 18.0, 0.4))


@pytest.mark.parametrize(
    ("usage", "price", "dollars"),
    [
        (Usage(1_000_000, 1_000_000), Price(3.0, 15.0), 18.0),
        # 1000 fresh, 6000 read, 3000 written, 500 out
        (
            Usage(10_000, 500, cache_read_tokens=6000, cache_write_tokens=3000),
            CACHED,
            (1000 * 3 + 6000 * 0.3 + 3000 * 3.75 + 500 * 15) / 1e6,
        ),
        # no price of its own for the cache: as fresh
        (Usage(10_000, 0, cache_read_tokens=6000), Price(3.0, 15.0), 0.03),
        # reasoning is part of the output already
        (Usage(0, 100, reasoning_tokens=90), CACHED, 0.0015),
        (Usage(200_000, 0), TIERED, 0.4),
        (Usage(200_001, 1000), TIERED, (200_001 * 4 + 1000 * 18) / 1e6),
        (Usage(300_000, 0, cache_read_tokens=100_000), TIERED, 0.84),
        (Usage(0, 0), CACHED, 0.0),
        # a service that counts cache reads beside the input does not make a fresh part below zero
        (Usage(100, 0, cache_read_tokens=150), CACHED, 100 * 0.3 / 1e6),
        (Usage(5, 5), Price(0.0, 0.0), 0.0),
    ],
)
def test_cost(usage: Usage, price: Price, dollars: float) -> None:
    assert cost(usage, price) == pytest.approx(dollars)


def test_an_unknown_price_is_not_zero() -> None:
    assert cost(Usage(10, 10), None) is None


counts = st.integers(min_value=0, max_value=10**7)


@given(counts, counts, counts, counts)
def test_never_negative_and_never_above_the_dearest(i: int, o: int, r: int, w: int) -> None:
    dollars = cost(Usage(i, o, cache_read_tokens=r, cache_write_tokens=w), CACHED)
    assert dollars is not None
    assert 0 <= dollars <= (i * 3.75 + o * 15) / 1e6 + 1e-9
