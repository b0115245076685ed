"""Laws of retrying, of the queue and of the router: any errors, any cancels, any configuration."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.errors import (
    Authentication,
    CircuitOpen,
    ConnectFailed,
    ContextLength,
    InvalidRequest,
    Malformed,
    Overloaded,
    ProviderError,
    Quota,
    RateLimited,
    ServerFailed,
    TimedOut,
    Truncated,
)
from providers.gate import Gate
from providers.policy.breaker import FAULTS_TO_OPEN, LONGEST_OPEN, CircuitBreaker
from providers.policy.keyed_limiter import KeyedRateLimiter
from providers.policy.pool import Load
from providers.policy.retry import FAILOVER_RETRY_WAIT, RetryPolicy
from providers.policy.router import Directory, Router, Target
from providers.settings import (
    FallbackSettings,
    LimitSettings,
    ProvidersConfig,
    RetrySettings,
    RouteSettings,
)

AFTER = st.one_of(st.none(), st.floats(0, 100))
PASSING = st.one_of(
    AFTER.map(lambda after: RateLimited("slow", retry_after=after)),
    AFTER.map(lambda after: Overloaded("full", retry_after=after)),
    st.builds(lambda: ServerFailed("boom")),
    st.builds(lambda: ConnectFailed("refused")),
    st.builds(lambda: TimedOut("slow", phase="firstByte")),
    st.builds(lambda: Truncated("cut")),
    st.builds(lambda: Malformed("odd")),
)
FINAL = st.sampled_from(
    [
        Authentication("who"),
        Quota("empty"),
        InvalidRequest("no"),
        ContextLength("long"),
        CircuitOpen("open"),
        TimedOut("over", phase="total"),
        ConnectFailed("no such name", at_once=False),
    ]
)
CHANCE = st.floats(0, 1, exclude_max=True)


@given(
    st.lists(st.one_of(PASSING, FINAL), max_size=20),
    st.integers(1, 9),
    st.integers(0, 30_000),
    CHANCE,
)
def test_a_request_waits_for_no_more_than_its_budget(
    errors: list[ProviderError], attempts: int, most: int, chance: float
) -> None:
    policy = RetryPolicy(RetrySettings(attempts, most), lambda: chance)
    waited, tried = 0.0, 0
    for tried, error in enumerate(errors, 1):
        wait = policy.wait_before_retry(error, tried, more_candidates=False)
        if wait is None:
            break
        assert wait >= 0
        assert error.retry_after is None or wait == error.retry_after, "as long as was asked for"
        policy.waited(wait)
        waited += wait
    assert waited <= most / 1000 + 1e-9
    assert tried <= attempts or not errors


@given(PASSING, st.integers(1, 9), CHANCE)
def test_before_somebody_else_is_asked_there_is_one_short_wait(
    error: ProviderError, attempt: int, chance: float
) -> None:
    policy = RetryPolicy(RetrySettings(9, 60_000), lambda: chance)
    wait = policy.wait_before_retry(error, attempt, more_candidates=True)
    assert wait is None or (attempt == 1 and wait <= FAILOVER_RETRY_WAIT)
    if attempt == 1 and (error.retry_after or 0.0) <= FAILOVER_RETRY_WAIT:
        assert wait is not None, "what fits is tried once more"


@given(FINAL, st.booleans())
def test_what_cannot_pass_is_never_waited_for(error: ProviderError, more: bool) -> None:
    policy = RetryPolicy(RetrySettings(9, 60_000), lambda: 0.0)
    assert policy.wait_before_retry(error, 1, more_candidates=more) is None


@given(st.integers(1, 8), CHANCE)
def test_backoff_grows_and_is_capped(attempt: int, chance: float) -> None:
    policy = RetryPolicy(RetrySettings(20, 10_000_000), lambda: chance)
    wait = policy.wait_before_retry(ServerFailed("boom"), attempt, more_candidates=False)
    full = min(0.5 * 2 ** (attempt - 1), 8.0)
    assert wait is not None and 0.75 * full <= wait <= full


# --- the queue ------------------------------------------------------------------------------


@pytest.mark.asyncio
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=25),
    st.integers(1, 4),
)
async def test_everybody_is_served_in_order_however_many_give_up(
    plan: list[tuple[bool, int]], places: int
) -> None:
    """Each gives up after some turns of the loop, or stays; nobody who stays waits for ever."""
    gate = Gate(KeyedRateLimiter(LimitSettings(max_concurrent=places)))
    served: list[int] = []

    async def one(number: int) -> None:
        place = gate.enter_now(1) or await gate.enter(1, 60)
        served.append(number)
        assert gate.limiter.in_flight <= places
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        finally:
            gate.leave(place)

    async def give_up(task: asyncio.Task[None], turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()

    tasks = [asyncio.create_task(one(number)) for number in range(len(plan))]
    leavers = [
        asyncio.create_task(give_up(task, turns))
        for task, (stays, turns) in zip(tasks, plan, strict=True)
        if not stays
    ]
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks, *leavers, return_exceptions=True)
    assert {n for n, (stays, _) in enumerate(plan) if stays} <= set(served)
    assert served == sorted(served), "first come, first served"
    assert (gate.length, gate.limiter.in_flight) == (0, 0)


# --- the router ------------------------------------------------------------------------------

NAMES = ["a", "b", "c"]
WHERE = st.sampled_from([*NAMES, "a/x", "b/y", "c/z", "a/y"])


@given(
    st.one_of(st.none(), st.sampled_from(NAMES)),
    st.one_of(st.none(), st.sampled_from(["x", "y", "a/x", "c/z", "odd/model"])),
    st.one_of(st.none(), st.lists(WHERE, max_size=3)),
    st.lists(WHERE, max_size=4),
    WHERE,
)
def test_who_is_asked(
    provider: str | None, model: str | None, own: list[str] | None, chain: list[str], default: str
) -> None:
    """Somebody is, nobody twice; who names a provider gets that one and whom it adds itself."""
    route = RouteSettings(pattern="y", providers=["b", "c"])
    directory = Directory(
        NAMES.__contains__,
        lambda: NAMES,
        lambda p, m: False,
        Load(lambda name: 0, lambda name: 0.0, lambda: 0.0),
    )
    config = ProvidersConfig(default=default, routes=[route], fallback=FallbackSettings(chain))
    found = Router(config, directory).candidates(Target(provider, model, own))
    assert found and len(set(found)) == len(found)
    named = provider or ((model or "").split("/")[0] if (model or "")[:2] in ("a/", "c/") else None)
    further = {name.split("/")[0] for name in own or []}
    if named is not None:
        assert found[0].provider == named
        assert {each.provider for each in found} <= {named} | further
    elif own == []:
        assert len(found) == 1
    else:
        expected = own if own is not None else chain
        assert {name.split("/")[0] for name in expected} <= {each.provider for each in found}


# --- the circuit, with many requests under way -------------------------------------------------


@given(
    st.lists(
        st.tuples(
            st.floats(0, 20),
            st.sampled_from(["ask", "ask", "ok", "fault", "fault", "limit", "cancel"]),
            st.integers(0, 20),
        ),
        max_size=80,
    )
)
def test_a_half_open_circuit_has_one_probe_however_requests_interleave(
    steps: list[tuple[float, str, int]],
) -> None:
    circuit, now, under_way = CircuitBreaker(), 0.0, list[bool]()
    for _ in range(FAULTS_TO_OPEN):
        circuit.failed(ServerFailed("boom"), now, probe=False)
    errors = {"fault": ServerFailed("boom"), "limit": RateLimited("slow", retry_after=3.0)}
    for pause, what, which in steps:
        now += pause
        if what == "ask":
            before = circuit.state(now)
            if not circuit.admits(now):
                assert before != "closed" or circuit.wait(now) > 0
                continue
            probe = circuit.began(now)
            assert probe == (before == "halfOpen")
            under_way.append(probe)
            assert sum(under_way) <= 1, "two probes"
        elif under_way:
            probe = under_way.pop(which % len(under_way))
            if what == "ok":
                circuit.succeeded(probe=probe)
            elif what == "cancel":
                circuit.abandoned(probe=probe)
            else:
                circuit.failed(errors[what], now, probe=probe)
    for probe in under_way:
        circuit.abandoned(probe=probe)
    assert circuit.admits(now + LONGEST_OPEN + 1), "once nothing is under way, it is asked again"
