"""The rate limiter's laws with a fake clock, and the queue before a provider on the real loop."""

import asyncio
from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.dialects.rate_headers import Allowance, read_allowances
from providers.errors import LocalLimit
from providers.gate import Gate
from providers.policy.keyed_limiter import KeyedRateLimiter
from providers.policy.limiter import AdaptiveRateLimiter
from providers.settings import LimitSettings

FREE = LimitSettings()


def limiter(**limits: int) -> AdaptiveRateLimiter:
    return AdaptiveRateLimiter(LimitSettings(**limits))


def gate_of(**limits: int) -> Gate:
    return Gate(KeyedRateLimiter(LimitSettings(**limits)))


@given(
    st.integers(1, 120),
    st.lists(st.floats(0, 10), min_size=1, max_size=300),
)
def test_never_more_than_a_minutes_allowance_beyond_the_steady_rate(
    per_minute: int, pauses: list[float]
) -> None:
    limits, now, sent = limiter(requests_per_minute=per_minute), 0.0, 0
    for pause in pauses:
        now += pause
        if limits.wait(now, 1).seconds == 0:
            limits.began(now, 1)
            limits.ended()
            sent += 1
        assert sent <= per_minute + per_minute * now / 60 + 1e-6


@given(st.integers(1, 1000), st.lists(st.integers(1, 5000), min_size=1, max_size=30))
def test_a_wait_that_was_kept_is_enough(per_minute: int, sizes: list[int]) -> None:
    limits, now = limiter(tokens_per_minute=per_minute), 0.0
    for size in sizes:
        now += limits.wait(now, size).seconds
        assert limits.wait(now, size).seconds < 1e-6, "also for more than a minute's worth"
        limits.began(now, size)
        limits.ended()


def test_nothing_is_limited_until_something_is_known() -> None:
    limits = AdaptiveRateLimiter(FREE)
    for _ in range(1000):
        assert limits.wait(0.0, 10_000).seconds == 0
        limits.began(0.0, 10_000)
    assert (limits.limit, limits.remaining(0.0)) == (None, None)


def test_a_rate_limit_halves_and_answers_raise_by_one_per_round() -> None:
    limits = AdaptiveRateLimiter(FREE)
    for _ in range(16):
        limits.began(0.0, 1)
    limits.throttled()
    for _ in range(9):
        limits.ended()
    assert limits.in_flight == 7
    assert limits.wait(0.0, 1).seconds == 0
    limits.began(0.0, 1)
    assert limits.wait(0.0, 1) == (inf, False)
    for _ in range(9):
        limits.answered()
    assert limits.wait(0.0, 1).seconds == 0


def test_it_always_lets_one_through() -> None:
    limits = AdaptiveRateLimiter(FREE)
    limits.began(0.0, 1)
    for _ in range(50):
        limits.throttled()
    limits.ended()
    assert limits.wait(0.0, 1).seconds == 0


def test_what_is_left_holds_until_the_reset_and_then_all_of_it_is_there() -> None:
    limits = limiter()
    limits.learned(Allowance(60, 7, 2.5), None, now=10.0)
    assert [limits.remaining(now) for now in (10.0, 12.4, 12.5, 99.0)] == [7, 7, 60, 60]
    limits.learned(Allowance(60, 7, None), None, now=100.0)  # which names no reset: a minute
    assert [limits.remaining(now) for now in (159.0, 160.0)] == [7, 60]
    limits.learned(Allowance(None, 7, 1.0), None, now=200.0)
    assert [limits.remaining(now) for now in (200.5, 201.0)] == [7, None]


def test_a_configured_allowance_fills_while_nobody_asks() -> None:
    limits = limiter(requests_per_minute=60)
    for _ in range(30):
        limits.began(0.0, 1)
    assert [limits.remaining(now) for now in (0.0, 10.0, 60.0)] == [30, 40, 60]


def test_an_empty_allowance_delays_until_it_comes_back_if_that_is_soon() -> None:
    limits = AdaptiveRateLimiter(FREE)
    limits.learned(Allowance(60, 0, 2.5), None, now=10.0)
    assert limits.wait(10.0, 1).seconds == pytest.approx(2.5)
    assert limits.wait(12.5, 1).seconds == 0
    assert (limits.limit, limits.remaining(10.0)) == (60, 0)
    limits.learned(Allowance(60, 0, 3600.0), None, now=20.0)
    assert limits.wait(20.0, 1).seconds == 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "1m2.5s",
            },
            Allowance(60, 0, 62.5),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "49",
                "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:15Z",
            },
            Allowance(50, 49, 10.0),
        ),
        ({"x-ratelimit-remaining": "7"}, Allowance(None, 7, None)),
        ({"content-type": "text/plain"}, None),
    ],
)
def test_every_services_headers_are_read(
    headers: dict[str, str], expected: Allowance | None
) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
    assert read_allowances(headers, clock=lambda: now)[0] == expected


# --- the queue ------------------------------------------------------------------------------


async def waiting(gate: Gate, count: int) -> None:
    while gate.length != count:
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_first_come_first_served() -> None:
    gate = gate_of(max_concurrent=1)
    held = gate.enter_now(1)
    assert held is not None
    served: list[int] = []

    async def one(number: int) -> None:
        place = await gate.enter(1, 60)
        served.append(number)
        await asyncio.sleep(0)
        gate.leave(place)

    tasks = []
    for number in range(20):
        tasks.append(asyncio.create_task(one(number)))
        await waiting(gate, number + 1)
    assert not gate.enter_now(1), "nobody overtakes the queue"
    gate.leave(held)
    await asyncio.gather(*tasks)
    assert served == list(range(20))
    assert (gate.length, gate.limiter.in_flight) == (0, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("given_a_turn", [False, True])
async def test_a_cancelled_waiter_leaves_nothing_behind(given_a_turn: bool) -> None:
    gate = gate_of(max_concurrent=1)
    held = gate.enter_now(1)
    assert held is not None
    first = asyncio.create_task(gate.enter(1, 60))
    second = asyncio.create_task(gate.enter(1, 60))
    await waiting(gate, 2)
    if given_a_turn:
        gate.leave(held)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    if not given_a_turn:
        gate.leave(held)
    gate.leave(await asyncio.wait_for(second, 5))
    assert (gate.length, gate.limiter.in_flight) == (0, 0)


@pytest.mark.asyncio
async def test_more_than_the_patience_is_refused_at_once() -> None:
    gate = gate_of(requests_per_minute=1)
    held = gate.enter_now(1)
    assert held is not None
    gate.leave(held)
    with pytest.raises(LocalLimit) as caught:
        await asyncio.wait_for(gate.enter(1, 5.0), 1)
    assert 59 < (caught.value.retry_after or 0) <= 60
    assert gate.length == 0
