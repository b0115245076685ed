"""Retry, failover and what is left behind: scripted providers, the loop's clock standing still."""

import asyncio
import contextlib
import logging

import pytest

from providers.errors import (
    Authentication,
    ConnectFailed,
    ContextLength,
    InvalidRequest,
    NotConfigured,
    ProviderError,
    ProviderNotFound,
    RateLimited,
    ServerFailed,
    TimedOut,
    Truncated,
)
from providers.settings import (
    FallbackSettings,
    ModelSettings,
    ProvidersConfig,
    ProviderSettings,
    RetrySettings,
)
from providers.types import StreamStart, TextDelta
from tests.manager.scripted import (
    ANSWER,
    HANG,
    RetryNotice,
    ScriptedProvider,
    Started,
    Target,
    ask,
    gather,
    manager_of,
    text_of,
)

pytestmark = pytest.mark.asyncio

MOCK = ProviderSettings(kind="mock")
TWO = ProvidersConfig(
    default="a", providers={"a": MOCK, "b": MOCK}, fallback=FallbackSettings(["b/big"])
)
ONE = ProvidersConfig(default="a", providers={"a": MOCK})


async def test_an_answer_begins_with_started_and_leaves_an_outcome() -> None:
    a = ScriptedProvider("a", [ANSWER])
    run = manager_of(ONE, a).stream(ask(), Target())
    tokens = await gather(run)
    assert tokens[0] == Started("r1", "a", "m")
    assert text_of(tokens) == "Hello world" == run.outcome.response.text
    assert [x.error for x in run.outcome.attempts] == [None]
    assert run.outcome.response.finish_reason == "stop"
    assert run.outcome.timing.total_ms >= run.outcome.timing.first_token_ms > 0


@pytest.mark.parametrize(
    "failure",
    [
        ConnectFailed("refused"),
        ServerFailed("boom", status=500),
        Truncated("cut"),
        TimedOut("slow", phase="firstByte"),
        InvalidRequest("conflict", status=409, retryable=True),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_may_pass_is_tried_three_times(
    failure: ProviderError, waits: list[float]
) -> None:
    a = ScriptedProvider("a", [[failure], [failure], ANSWER])
    tokens = await gather(manager_of(ONE, a).stream(ask(), Target()))
    notices = [t for t in tokens if isinstance(t, RetryNotice)]
    assert [n.attempt for n in notices] == [1, 2]
    assert text_of(tokens) == "Hello world"
    assert waits == [n.wait for n in notices]
    assert 0.37 <= waits[0] <= 0.5 < waits[1] <= 1.0


async def test_the_attempts_end(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ServerFailed("boom", status=502)]])
    with pytest.raises(ServerFailed) as caught:
        await gather(manager_of(ONE, a).stream(ask(), Target()))
    assert len(a.requests) == 3 == len(caught.value.attempts)
    assert all(x.error for x in caught.value.attempts)


@pytest.mark.parametrize(
    "failure",
    [
        InvalidRequest("no", status=400),
        Authentication("who", status=401),
        TimedOut("over", phase="total"),
        ContextLength("long"),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_cannot_pass_is_asked_once(failure: ProviderError) -> None:
    a = ScriptedProvider("a", [[failure]])
    with pytest.raises(type(failure)):
        await gather(manager_of(ONE, a).stream(ask(), Target()))
    assert len(a.requests) == 1


async def test_a_retry_after_that_fits_is_waited_for(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[RateLimited("slow down", retry_after=7.5)], ANSWER])
    tokens = await gather(manager_of(ONE, a).stream(ask(), Target()))
    assert waits == [7.5]
    assert text_of(tokens) == "Hello world"


async def test_a_retry_after_that_does_not_fit_is_answered_at_once(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[RateLimited("slow down", retry_after=21.0)]])
    with pytest.raises(RateLimited) as caught:
        await gather(manager_of(ONE, a).stream(ask(), Target()))
    assert (waits, caught.value.retry_after, len(a.requests)) == ([], 21.0, 1)


async def test_the_waits_of_a_request_are_bounded_together(waits: list[float]) -> None:
    config = ProvidersConfig(
        default="a", providers={"a": MOCK}, retry=RetrySettings(attempts=9, max_wait_ms=5000)
    )
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=2.0)]])
    with pytest.raises(RateLimited):
        await gather(manager_of(config, a).stream(ask(), Target()))
    assert waits == [2.0, 2.0]


async def test_after_the_first_text_nothing_is_tried_again() -> None:
    broken = [StreamStart("r1", "m"), TextDelta("Hel"), Truncated("cut")]
    a, b = ScriptedProvider("a", [broken, ANSWER]), ScriptedProvider("b", [ANSWER])
    with pytest.raises(Truncated) as caught:
        await gather(manager_of(TWO, a, b).stream(ask(), Target()))
    assert caught.value.partial == "Hel"
    assert (len(a.requests), len(b.requests)) == (1, 0)


async def test_failover_makes_one_short_retry_first(waits: list[float]) -> None:
    a, b = ScriptedProvider("a", [[ServerFailed("boom")]]), ScriptedProvider("b", [ANSWER])
    run = manager_of(TWO, a, b).stream(ask(), Target())
    tokens = await gather(run)
    assert text_of(tokens) == "Hello world"
    assert (len(a.requests), len(b.requests)) == (2, 1)
    assert sum(waits) <= 0.5
    assert b.requests[0].model == "big"
    assert [x.provider for x in run.outcome.attempts] == ["a", "a", "b"]


async def test_failover_does_not_wait_for_a_long_retry_after(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=3.0)]])
    b = ScriptedProvider("b", [ANSWER])
    await gather(manager_of(TWO, a, b).stream(ask(), Target()))
    assert (waits, len(a.requests), len(b.requests)) == ([], 1, 1)


@pytest.mark.parametrize("failure", [InvalidRequest("no", status=400), ContextLength("long")])
async def test_the_callers_own_mistake_stays(failure: ProviderError) -> None:
    a, b = ScriptedProvider("a", [[failure]]), ScriptedProvider("b", [ANSWER])
    with pytest.raises(type(failure)):
        await gather(manager_of(TWO, a, b).stream(ask(), Target()))
    assert b.requests == []


async def test_context_overflow_goes_to_a_larger_window() -> None:
    models = {"a/m": ModelSettings(context_window=10), "b/big": ModelSettings(context_window=20)}
    config = ProvidersConfig(
        default="a", providers=TWO.providers, fallback=TWO.fallback, models=models
    )
    a, b = ScriptedProvider("a", [[ContextLength("long")]]), ScriptedProvider("b", [ANSWER])
    assert text_of(await gather(manager_of(config, a, b).stream(ask(), Target()))) == "Hello world"


async def test_an_explicit_provider_has_no_configured_fallback(waits: list[float]) -> None:
    a, b = ScriptedProvider("a", [[ServerFailed("boom")]]), ScriptedProvider("b", [ANSWER])
    with pytest.raises(ServerFailed):
        await gather(manager_of(TWO, a, b).stream(ask(), Target(provider="a")))
    assert b.requests == []


async def test_a_key_is_renewed_once_a_request() -> None:
    a = ScriptedProvider("a", [[Authentication("no", status=401)]] * 5, recoveries=5)
    run = manager_of(ONE, a).stream(ask(), Target())
    with pytest.raises(Authentication):
        await gather(run)
    assert len(a.requests) == 2
    pool = ScriptedProvider("a", [[Authentication("no", status=401)]] * 2 + [ANSWER], recoveries=5)
    pool.key_count = 3
    await gather(manager_of(ONE, pool).stream(ask(), Target()))
    assert len(pool.requests) == 3


async def test_a_recovery_is_sent_at_once_and_not_counted_as_a_retry() -> None:
    a = ScriptedProvider("a", [[Authentication("old key", status=401)], ANSWER], recoveries=1)
    run = manager_of(ONE, a).stream(ask(), Target())
    assert text_of(await gather(run)) == "Hello world"
    assert [x.error is None for x in run.outcome.attempts] == [False, True]


async def test_what_a_service_said_is_told_before_what_we_refused() -> None:
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=60)]])
    b = ScriptedProvider("b", [[NotConfigured("no key")]])
    with pytest.raises(RateLimited) as caught:
        await gather(manager_of(TWO, a, b).stream(ask(), Target()))
    assert [x.error.kind for x in caught.value.attempts if x.error] == [
        "rateLimit",
        "notConfigured",
    ]


async def test_a_wrong_name_in_a_requests_chain_is_passed_over_and_told() -> None:
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=60)]])
    b = ScriptedProvider("b", [ANSWER])
    run = manager_of(TWO, a, b).stream(ask(), Target(fallback=["nope/x", "b"]))
    assert text_of(await gather(run)) == "Hello world"
    assert [(x.provider, x.error and x.error.kind) for x in run.outcome.attempts] == [
        ("a", "rateLimit"),
        ("nope", "providerNotFound"),
        ("b", None),
    ]


async def test_a_wrong_name_is_nobody_to_fall_back_on(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ServerFailed("boom", status=500)]])
    manager = manager_of(ONE, a)
    for _ in range(4):  # enough for its circuit to open; the only candidate is tried all the same
        with pytest.raises(ServerFailed) as caught:
            await gather(manager.stream(ask(), Target(fallback=["nope"])))
        kinds = [x.error.kind for x in caught.value.attempts if x.error]
        assert kinds == ["server"] * 3 + ["providerNotFound"]
    assert list(manager.metrics().providers) == ["a"]


async def test_a_circuit_that_opens_and_closes_is_logged(
    waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    down = [ServerFailed("boom", status=500)]
    manager = manager_of(ONE, ScriptedProvider("a", [down, down, down, down, down, ANSWER]))
    for _ in range(2):  # six attempts, the last of which is answered
        with contextlib.suppress(ServerFailed):
            await gather(manager.stream(ask(), Target("a")))
    await gather(manager.stream(ask(), Target("a")))
    assert [record.getMessage() for record in caplog.records] == [
        "a failed too often (server): its circuit is open for 5 s",
        "a answers again: its circuit is closed",
    ]


async def test_a_wrong_name_that_is_asked_for_is_said() -> None:
    b = ScriptedProvider("b", [ANSWER])
    manager = manager_of(TWO, b)
    with pytest.raises(ProviderNotFound):
        await gather(manager.stream(ask(), Target(provider="nope", fallback=["b"])))
    assert (b.requests, manager.metrics().providers) == ([], {})


async def test_what_never_left_is_no_request() -> None:
    manager = manager_of(ONE, ScriptedProvider("a", [[NotConfigured("no key")], ANSWER]))
    with pytest.raises(NotConfigured):
        await gather(manager.stream(ask(), Target()))
    assert manager.metrics().providers["a"].requests == 0
    assert manager.metrics().providers["a"].errors == {"notConfigured": 1}
    await gather(manager.stream(ask(), Target()))
    assert manager.metrics().providers["a"].requests == 1


@pytest.mark.parametrize("script", [[HANG], [StreamStart("r", "m"), TextDelta("x"), HANG]])
async def test_a_cancel_closes_the_provider(script: list[object]) -> None:
    a = ScriptedProvider("a", [script])  # type: ignore[list-item]
    manager = manager_of(ONE, a)
    task = asyncio.create_task(gather(manager.stream(ask(), Target())))
    while not a.open:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert a.open == 0
    metrics = manager.metrics().providers["a"]
    assert (metrics.requests, metrics.cancelled) == (1, 1)
    assert manager.providers()[0].rate.in_flight == 0


async def test_a_cancel_while_waiting_to_retry_sends_nothing_more() -> None:
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=5)], ANSWER])
    run = manager_of(ONE, a).stream(ask(), Target())
    task = asyncio.create_task(gather(run))
    while not a.requests:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(a.requests) == 1


async def test_a_wait_that_outlives_the_request_is_not_begun(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[RateLimited("slow", retry_after=5)]])
    with pytest.raises(RateLimited):
        await gather(manager_of(ONE, a).stream(ask(), Target(timeout=2)))
    assert waits == []


async def test_unary_answers_take_the_same_path(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[ServerFailed("boom")], ANSWER])
    outcome = await manager_of(ONE, a).complete(ask(), Target())
    assert outcome.response.text == "Hello world"
    assert len(outcome.attempts) == 2
    assert outcome.timing.first_token_ms == outcome.timing.total_ms


async def test_each_candidate_gets_its_own_options_only() -> None:
    a = ScriptedProvider("a", [ANSWER])
    request = ask()
    request.provider_options = {"a": {"x": 1}, "b": {"y": 2}}
    await gather(manager_of(ONE, a).stream(request, Target()))
    assert a.requests[0].provider_options == {"x": 1}
