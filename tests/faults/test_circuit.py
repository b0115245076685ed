"""`circuitOpen` is told in `attempts`, and is the outcome only where nobody else was asked."""

import asyncio
import time

import pytest

from providers.errors import CircuitOpen, NotConfigured, ProviderError, ServerFailed
from providers.manager import ProviderManager
from providers.settings import FallbackSettings, ProvidersConfig, ProviderSettings
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
