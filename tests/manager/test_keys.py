"""A pool of keys through a whole manager, on a service that limits each key by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from providers.errors import RateLimited
from providers.manager import ProviderManager
from providers.settings import FallbackSettings, LimitSettings, ProvidersConfig, ProviderSettings
from tests.faults.wires import CHAT, TEXT
from tests.http.server import END, Gate, RawServer, Recorded, Step, chunk, head
from tests.manager.scripted import ANSWER, ScriptedProvider, Target, ask, gather, text_of

pytestmark = pytest.mark.asyncio

KEYS = ["key-one-0123456789", "key-two-0123456789"]


def key_of(request: Recorded) -> str:
    return request.headers["authorization"].removeprefix("Bearer ")


def whole(**headers: str) -> list[Step]:
    told = {
        "Content-Type": "text/event-stream",
        **{k.replace("_", "-"): headers[k] for k in headers},
    }
    return [head(headers=told), *(chunk(event) for event in CHAT.events()), END]


def no(*headers: str) -> list[Step]:
    body = b'{"error": {"message": "slow down"}}'
    lines = ["HTTP/1.1 429 X", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body)}")
    return ["\r\n".join(lines).encode() + b"\r\n\r\n" + body]


class Pool:
    """A manager with `a`, which has two keys, and its fallback `b`; `answer` decides by the key."""

    def __init__(self) -> None:
        self.answer: Callable[[Recorded], list[Step]] = lambda request: whole()
        self.b = ScriptedProvider("b", [ANSWER])

    async def open(self, limits: LimitSettings | None = None) -> ProviderManager:
        self.server = await RawServer.start(handler=lambda request: self.answer(request))
        settings = ProviderSettings(
            kind="openai-compatible",
            base_url=self.server.origin + "/v1",
            api_key=[*KEYS],
            model="m",
        )
        config = ProvidersConfig(
            default="a",
            providers={"a": settings, "b": ProviderSettings(kind="mock")},
            fallback=FallbackSettings(["b"]),
            limits={"a": limits} if limits else {},
        )
        self.manager = ProviderManager(config, environ={})
        self.manager._registry._made["b"] = self.b
        return self.manager

    async def ask(self, **target: Any) -> str:
        return text_of(await gather(self.manager.stream(ask(), Target(**target))))

    @property
    def used(self) -> list[int]:
        return [KEYS.index(key_of(request)) for request in self.server.requests]

    @property
    def state(self) -> Any:
        return next(p for p in self.manager.providers() if p.id == "a")


@pytest_asyncio.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    yield made
    await made.manager.aclose()
    await made.server.aclose()


async def test_a_key_whose_allowance_is_empty_is_passed_over_without_waiting(pool: Pool) -> None:
    empty = {"x_ratelimit_limit_requests": "60", "x_ratelimit_remaining_requests": "0",
             "x_ratelimit_reset_requests": "15s"}  # fmt: skip
    full = {**empty, "x_ratelimit_remaining_requests": "59"}
    pool.answer = lambda request: whole(**(empty if key_of(request) == KEYS[0] else full))
    await pool.open()
    async with asyncio.timeout(5):
        for _ in range(5):
            assert await pool.ask() == TEXT
    assert pool.used == [0, 1, 1, 1, 1]
    assert (pool.state.rate.limit, pool.state.rate.remaining) == (120, 59)


async def test_an_allowance_counts_from_the_answers_head_not_from_its_end(pool: Pool) -> None:
    """A stream may last for minutes; "none left for 15 s" is said at its beginning."""
    empty = {"x_ratelimit_limit_requests": "60", "x_ratelimit_remaining_requests": "0",
             "x_ratelimit_reset_requests": "15s"}  # fmt: skip
    end = Gate()
    pool.answer = lambda request: [*whole(**empty)[:-1], end, END]
    await pool.open()
    run = pool.manager.stream(ask(), Target())
    await anext(aiter(run))
    assert (pool.state.rate.limit, pool.state.rate.remaining) == (60, 0)
    end.open()
    await gather(run)


async def test_a_model_that_thinks_before_its_first_token_does_not_prolong_it(pool: Pool) -> None:
    """Back 10 s after the head: a tenth of a second that it thinks has passed of them."""
    empty = {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "10s"}
    thinks = Gate()
    pool.answer = lambda request: [(steps := whole(**empty))[0], thinks, *steps[1:]]
    await pool.open()
    run = pool.manager.stream(ask(), Target())
    asyncio.get_running_loop().call_later(0.2, thinks.open)
    await anext(aiter(run))
    first = pool.manager._desk.record("a").gate.limiter._keys[0].limiter
    assert 0 < first.wait(asyncio.get_running_loop().time(), 0).seconds < 9.9
    await gather(run)


async def test_a_429_is_of_its_key_and_of_nothing_else(pool: Pool, waits: list[float]) -> None:
    pool.answer = lambda request: no("Retry-After: 7") if key_of(request) == KEYS[0] else whole()
    await pool.open()
    for _ in range(4):
        assert await pool.ask() == TEXT
    assert pool.used == [0, 1, 1, 1, 1]
    assert (waits, pool.b.requests) == ([], [])
    assert pool.state.cooldown_ms is None, "the provider is well"
    assert pool.state.rate.in_flight == 0


async def test_when_all_keys_rest_the_provider_cools_down(pool: Pool, waits: list[float]) -> None:
    pool.answer = lambda request: no("Retry-After: 7")
    await pool.open()
    assert await pool.ask() == "Hello world"
    assert pool.used == [0, 1]
    assert 6000 < pool.state.cooldown_ms <= 7000
    assert await pool.ask() == "Hello world"
    assert pool.used == [0, 1], "nobody is asked who has just said when"
    with pytest.raises(RateLimited):
        await pool.ask(fallback=[])
    assert waits and all(wait <= 7 for wait in waits), "the only candidate is asked all the same"


async def test_requests_wait_for_a_key_each_and_can_be_taken_back(pool: Pool) -> None:
    """Each key has told us, by a 429 with one running, that it takes one at a time."""
    gates = [Gate(), Gate()]
    pool.answer = lambda request: [
        head(headers={"Content-Type": "text/event-stream"}),
        gates[KEYS.index(key_of(request))],
        *(chunk(event) for event in CHAT.events()),
        END,
    ]
    manager = await pool.open()
    record = manager._desk.record("a")
    manager._desk._know_keys("a", record)
    for place in record.gate.limiter._keys:
        place.limiter._places = 1.0
    tasks = [asyncio.create_task(pool.ask()) for _ in range(4)]
    await pool.server.arrived(2)
    assert sorted(pool.used) == [0, 1]
    assert (record.gate.length, pool.state.rate.in_flight) == (2, 2)
    tasks[2].cancel()
    gates[1].open()
    assert await asyncio.wait_for(tasks[3], 5) == TEXT
    assert pool.used == [0, 1, 1], "the waiter takes the key that became free"
    gates[0].open()
    assert await tasks[0] == TEXT and await tasks[1] == TEXT
    assert (record.gate.length, pool.state.rate.in_flight) == (0, 0)
    with pytest.raises(asyncio.CancelledError):
        await tasks[2]


async def test_a_configured_limit_is_the_providers_whatever_key(pool: Pool) -> None:
    await pool.open(LimitSettings(requests_per_minute=2))
    assert await pool.ask() == TEXT
    assert await pool.ask() == TEXT
    assert await pool.ask() == "Hello world", "the third one fails over instead of waiting"
    assert pool.used == [0, 1]
