"""`circuitOpen` is told in `attempts`, and is the outcome only where nobody else was asked."""

import asyncio
import time

import pytest

from providers.errors import (
    CircuitOpen,
    NotConfigured,
    Overloaded,
    ProviderError,
    RateLimited,
    ServerFailed,
)
from providers.manager import ProviderManager
from providers.settings import FallbackSettings, ProvidersConfig, ProviderSettings
from providers.types import RetryNotice
from tests.manager.scripted import (
    ANSWER,
    Script,
    ScriptedProvider,
    Target,
    ask,
    gather,
    manager_of,
    text_of,
)

pytestmark = pytest.mark.asyncio

MOCK = ProviderSettings(kind="mock")
NAMES = ("a", "b", "c")
CHAIN = ProvidersConfig(
    default="a",
    providers=dict.fromkeys(NAMES, MOCK),
    fallback=FallbackSettings(["b", "c"]),
)


def chain(*scripts: Script) -> tuple[ProviderManager, list[ScriptedProvider]]:
    made = [ScriptedProvider(name, [script]) for name, script in zip(NAMES, scripts, strict=False)]
    return manager_of(CHAIN, *made), made


def open_circuits(manager: ProviderManager, *names: str) -> None:
    for name in names:
        for _ in range(5):
            breaker = manager._desk.record(name).breaker
            breaker.failed(ServerFailed("boom"), time.monotonic(), probe=False)


def cool(manager: ProviderManager, error: ProviderError, *names: str) -> None:
    for name in names:
        breaker = manager._desk.record(name).breaker
        breaker.failed(error, time.monotonic(), probe=False)


async def outcome(manager: ProviderManager) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await asyncio.wait_for(gather(manager.stream(ask(), Target())), 5)
    return caught.value


async def test_an_open_circuit_is_passed_over_and_told() -> None:
    manager, (a, _, _) = chain(ANSWER, ANSWER, ANSWER)
    open_circuits(manager, "a")
    run = manager.stream(ask(), Target())
    assert text_of(await gather(run)) == "Hello world"
    told = [(x.provider, x.error.kind if x.error else None) for x in run.outcome.attempts]
    assert told == [("a", "circuitOpen"), ("b", None)]
    assert a.requests == []


async def test_it_is_the_outcome_where_every_circuit_is_open() -> None:
    manager, made = chain(ANSWER, ANSWER, ANSWER)
    open_circuits(manager, *NAMES)
    error = await outcome(manager)
    assert isinstance(error, CircuitOpen) and error.retry_after is not None
    assert [x.error.kind for x in error.attempts if x.error] == ["circuitOpen"] * 3
    assert all(provider.requests == [] for provider in made)


@pytest.mark.parametrize("opened", [("b", "c"), ("a", "c"), ("a", "b")])
async def test_another_reason_is_told_before_an_open_circuit(opened: tuple[str, ...]) -> None:
    refusal = [NotConfigured("no key")]
    manager, _ = chain(refusal, refusal, refusal)
    open_circuits(manager, *opened)
    error = await outcome(manager)
    assert error.kind == "notConfigured"
    assert len(error.attempts) == 3


async def test_where_all_only_cool_down_the_pause_is_waited_for() -> None:
    """No circuit is open: a pause that fits is a wait like any other, told and then over."""
    manager, (a, b, c) = chain(ANSWER, ANSWER, ANSWER)
    cool(manager, RateLimited("slow down", retry_after=0.2), *NAMES)
    run = manager.stream(ask(), Target())
    got = await asyncio.wait_for(gather(run), 5)
    assert text_of(got) == "Hello world"
    waits = [t.wait for t in got if isinstance(t, RetryNotice)]
    assert waits[:2] == [0, 0] and 0.1 < waits[2] <= 0.2, "only the last one is waited for"
    assert (a.requests, b.requests, len(c.requests)) == ([], [], 1)


async def test_a_pause_that_does_not_fit_is_told_as_what_it_is() -> None:
    manager, made = chain(ANSWER, ANSWER, ANSWER)
    cool(manager, RateLimited("slow down", retry_after=90), "a")
    cool(manager, Overloaded("full", retry_after=90), "b", "c")
    error = await outcome(manager)
    assert error.kind == "overloaded" and error.retry_after is not None
    assert 80 < error.retry_after <= 90
    assert [x.error.kind for x in error.attempts if x.error] == ["rateLimit", *["overloaded"] * 2]
    assert all(provider.requests == [] for provider in made)


async def test_a_pause_of_one_is_told_before_the_open_circuits_of_others() -> None:
    manager, _ = chain(ANSWER, ANSWER, ANSWER)
    open_circuits(manager, "a", "c")
    cool(manager, RateLimited("slow down", retry_after=90), "b")
    assert (await outcome(manager)).kind == "rateLimit"
