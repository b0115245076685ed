"""A kept connection that the service had closed: asked again at once, and counted."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from providers.errors import Disconnected
from providers.manager import ProviderManager
from providers.settings import (
    FallbackSettings,
    LimitSettings,
    ProvidersConfig,
    ProviderSettings,
    RetrySettings,
)
from tests.faults.faults import whole
from tests.faults.wires import CHAT, TEXT
from tests.http.server import CLOSE, RESET, RawServer, Step
from tests.manager.scripted import (
    ANSWER,
    RetryNotice,
    ScriptedProvider,
    Target,
    ask,
    gather,
    text_of,
)

pytestmark = pytest.mark.asyncio


def ours(waits: list[float]) -> list[float]:
    """The waits that are not the test server's."""
    return [wait for wait in waits if wait < 60]


class Kept:
    """A manager whose provider `a` has answered once, on a connection that is kept."""

    async def open(self, *then: list[Step], retries: int = 3, chain: bool = False) -> None:
        self.server = await RawServer.start(whole(CHAT), *then)
        settings = ProviderSettings(
            kind="openai-compatible", base_url=self.server.origin + "/v1", model="m"
        )
        config = ProvidersConfig(
            default="a",
            providers={"a": settings, "b": ProviderSettings(kind="mock")},
            fallback=FallbackSettings(["b"] if chain else []),
            retry=RetrySettings(attempts=retries),
            limits={"a": LimitSettings(requests_per_minute=60)},
        )
        self.manager = ProviderManager(config, environ={})
        self.b = ScriptedProvider("b", [ANSWER])
        self.manager._registry._made["b"] = self.b
        await gather(self.run())

    def run(self, **target: Any) -> Any:
        return self.manager.stream(ask(), Target(**target))


@pytest_asyncio.fixture
async def kept() -> AsyncIterator[Kept]:
    made = Kept()
    yield made
    await made.manager.aclose()
    await made.server.aclose()


@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("retries", [1, 3])
async def test_it_is_sent_again_at_once_told_and_counted(
    end: Step, retries: int, kept: Kept, waits: list[float]
) -> None:
    await kept.open([end], whole(CHAT), retries=retries)
    run = kept.run()
    tokens = await gather(run)
    assert text_of(tokens) == TEXT
    (told,) = [t for t in tokens if isinstance(t, RetryNotice)]
    assert (told.attempt, told.wait, told.error.kind) == (1, 0.0, "network")
    assert "kept from an earlier request" in told.error.message
    assert [x.error.kind if x.error else None for x in run.outcome.attempts] == ["network", None]
    assert len(kept.server.requests) == 3
    assert ours(waits) == []
    metrics = kept.manager.metrics().providers["a"]
    assert (metrics.requests, metrics.ok, metrics.retries, metrics.errors) == (
        3,
        2,
        1,
        {"network": 1},
    )
    (state,) = [p for p in kept.manager.providers() if p.id == "a"]
    assert (state.circuit, state.rate.in_flight, state.rate.remaining) == ("closed", 0, 57)
    (health,) = await kept.manager.health("a")
    assert health.status == "healthy", "no connection lives for ever"


async def test_it_is_one_of_the_attempts(kept: Kept, waits: list[float]) -> None:
    await kept.open([CLOSE])
    with pytest.raises(Disconnected) as caught:
        await gather(kept.run())
    assert len(caught.value.attempts) == 3 == len(kept.server.requests) - 1
    assert len(ours(waits)) == 1


async def test_with_a_fallback_it_is_the_one_retry(kept: Kept, waits: list[float]) -> None:
    await kept.open([CLOSE], chain=True)
    run = kept.run()
    assert text_of(await gather(run)) == "Hello world"
    assert [x.provider for x in run.outcome.attempts] == ["a", "a", "b"]
    assert ours(waits) == []


async def test_the_second_time_a_connection_of_its_own_is_used(kept: Kept) -> None:
    """Several connections are kept; the service has closed them all, and says so when asked."""
    await kept.open(whole(CHAT), whole(CHAT), whole(CHAT))
    await asyncio.gather(*(gather(kept.run()) for _ in range(3)))
    before = len(kept.server.requests)
    kept.server.script([CLOSE], whole(CHAT))
    run = kept.run()
    assert text_of(await gather(run)) == TEXT
    assert len(run.outcome.attempts) == 2
    first, second = kept.server.requests[before:]
    assert len(first.connection.requests) > 1 and len(second.connection.requests) == 1


async def test_a_unary_request_is_counted_too(kept: Kept) -> None:
    body = b'{"id":"c","model":"m","choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}'
    answer: list[Step] = [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
        % (len(body), body)
    ]
    await kept.open([RESET], answer)
    outcome = await kept.manager.complete(ask(), Target())
    assert outcome.response.text == "ok"
    assert [x.error.kind if x.error else None for x in outcome.attempts] == ["network", None]
