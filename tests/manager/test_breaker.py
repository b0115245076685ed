"""The circuit breaker: its laws for any history, and what a request sees of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.errors import (
    CircuitOpen,
    ConnectFailed,
    InvalidRequest,
    ProviderError,
    RateLimited,
    ServerFailed,
)
from providers.policy.breaker import FAULTS_TO_OPEN, FIRST_OPEN, LONGEST_OPEN, CircuitBreaker
from tests.manager.scripted import (
    ANSWER,
    ScriptedProvider,
    Target,
    ask,
    gather,
    manager_of,
    text_of,
)
from tests.manager.test_run import ONE, TWO

FAULT = ServerFailed("boom")


def opened(now: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for _ in range(FAULTS_TO_OPEN):
        breaker.failed(FAULT, now, probe=breaker.began(now))
    return breaker


def test_it_opens_probes_once_and_closes_again() -> None:
    breaker = opened()
    assert breaker.state(0) == "open"
    assert not breaker.admits(FIRST_OPEN - 0.01)
    assert breaker.admits(FIRST_OPEN)
    assert breaker.state(FIRST_OPEN) == "halfOpen"
    assert breaker.began(FIRST_OPEN)
    assert not breaker.admits(FIRST_OPEN), "a single probe"
    breaker.succeeded(probe=True)
    assert breaker.state(FIRST_OPEN) == "closed"
    assert breaker.admits(FIRST_OPEN)


def test_a_failed_probe_opens_it_for_longer_up_to_a_bound() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(8):
        waits.append(breaker.wait(now))
        now += breaker.wait(now)
        breaker.failed(FAULT, now, probe=breaker.began(now))
    assert waits[:3] == [FIRST_OPEN, FIRST_OPEN * 2, FIRST_OPEN * 4]
    assert waits[-1] == LONGEST_OPEN


def test_a_cancelled_probe_lets_the_next_one_try() -> None:
    breaker = opened()
    assert breaker.began(FIRST_OPEN)
    breaker.abandoned(probe=True)
    assert breaker.admits(FIRST_OPEN)


def test_a_rate_limit_is_a_cooldown_and_no_fault() -> None:
    breaker = CircuitBreaker()
    for _ in range(FAULTS_TO_OPEN * 2):
        breaker.failed(RateLimited("slow", retry_after=3.0), 0.0, probe=False)
    assert breaker.state(0.0) == "closed"
    assert not breaker.admits(2.9)
    assert breaker.admits(3.0)


def test_a_callers_mistake_is_no_fault() -> None:
    breaker = CircuitBreaker()
    for _ in range(FAULTS_TO_OPEN * 2):
        breaker.failed(InvalidRequest("no"), 0.0, probe=False)
    assert breaker.admits(0.0)


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 30),
        st.sampled_from(["ok", "fault", "limit", "mistake", "cancel"]),
    ),
    max_size=60,
)


@given(EVENTS)
def test_laws_for_any_history(events: list[tuple[float, str]]) -> None:
    breaker, now, row = CircuitBreaker(), 0.0, 0
    for pause, what in events:
        now += pause
        if not breaker.admits(now):
            assert breaker.wait(now) > 0, "what refuses says for how long"
            continue
        probe = breaker.began(now)
        assert not (probe and breaker.admits(now)), "never two probes at once"
        error = {"fault": FAULT, "limit": RateLimited("x"), "mistake": InvalidRequest("x")}
        if what == "ok":
            breaker.succeeded(probe=probe)
            assert breaker.state(now) == "closed"
        elif what == "cancel":
            breaker.abandoned(probe=probe)
        else:
            breaker.failed(error[what], now, probe=probe)
        row = 0 if what == "ok" else row + (what == "fault")
        if breaker.state(now) != "closed":
            assert row >= FAULTS_TO_OPEN, "only faults in a row open it"
        assert breaker.admits(now + LONGEST_OPEN + 1), "it never stays shut"


@pytest.mark.asyncio
async def test_an_open_circuit_is_passed_over_and_told(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ConnectFailed("refused")]])
    b = ScriptedProvider("b", [ANSWER])
    manager = manager_of(TWO, a, b)
    for _ in range(3):
        await gather(manager.stream(ask(), Target()))
    asked = len(a.requests)
    assert asked == FAULTS_TO_OPEN + 1  # the last request's retry went past the opening
    run = manager.stream(ask(), Target())
    assert text_of(await gather(run)) == "Hello world"
    assert len(a.requests) == asked
    kinds = [x.error.kind if x.error else None for x in run.outcome.attempts]
    assert kinds == ["circuitOpen", None]
    state = {s.id: s for s in manager.providers()}
    assert (state["a"].circuit, state["b"].circuit) == ("open", "closed")
    assert (state["a"].cooldown_ms or 0) > 0


@pytest.mark.asyncio
async def test_all_open_is_the_one_case_that_ends_as_circuit_open(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ConnectFailed("refused")]])
    b = ScriptedProvider("b", [[ConnectFailed("refused")]])
    manager = manager_of(TWO, a, b)
    for _ in range(3):
        with pytest.raises(ProviderError):
            await gather(manager.stream(ask(), Target()))
    with pytest.raises(CircuitOpen):
        await gather(manager.stream(ask(), Target()))


@pytest.mark.asyncio
async def test_the_only_candidate_is_tried_however_often_it_failed(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ConnectFailed("refused")]] * 9 + [ANSWER])
    manager = manager_of(ONE, a)
    for _ in range(3):
        with pytest.raises(ConnectFailed):
            await gather(manager.stream(ask(), Target()))
    assert text_of(await gather(manager.stream(ask(), Target()))) == "Hello world"
