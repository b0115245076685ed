"""Budgets where requests run: who is refused, who is not, and what is told of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from providers.errors import BudgetExceeded, NotConfigured, ServerFailed
from providers.policy.retry import may_fail_over
from providers.settings import (
    BudgetSettings,
    LimitSettings,
    ModelSettings,
    PriceSettings,
    ProviderSettings,
)
from providers.types import ChatRequest, StreamToken
from tests.ledger.booked import CHAIN, DOLLAR, FREE, MOCK, Paid, config, dollars, rows
from tests.manager.scripted import ANSWER, HANG, RetryNotice, Script, ScriptedProvider, text_of

pytestmark = pytest.mark.asyncio

DAILY = BudgetSettings(usd_per_day=2.0, warn_at=0.5)


async def test_the_request_past_the_cap_is_not_sent() -> None:
    async with Paid(None, config(DAILY), dollars()) as paid:
        await paid.ask()
        await paid.ask()
        with pytest.raises(BudgetExceeded) as caught:
            await paid.ask()
        assert len(paid.providers[0].requests) == 2
        assert (caught.value.kind, caught.value.retryable) == ("budgetExceeded", False)
        assert [x.error for x in caught.value.attempts] == [caught.value]
        assert paid.manager.providers()[0].rate.in_flight == 0
    (warning,) = paid.warnings
    assert "1.00 of 2.00 USD" in warning


async def test_a_retry_is_not_sent_either(waits: list[float]) -> None:
    a = ScriptedProvider("a", [[DOLLAR[2], ServerFailed("boom", status=500)], DOLLAR])
    async with Paid(None, config(BudgetSettings(usd_per_session=1.0)), a) as paid:
        with pytest.raises(ServerFailed) as caught:
            await paid.ask()
    assert len(a.requests) == 1
    kinds = [x.error.kind for x in caught.value.attempts if x.error]
    assert kinds == ["server", "budgetExceeded"]


async def test_the_next_day_begins_at_nothing() -> None:
    now = [1_750_000_000.0]
    async with Paid(None, config(DAILY), dollars(), wall=lambda: now[0]) as paid:
        for _ in range(2):
            await paid.ask()
        with pytest.raises(BudgetExceeded) as caught:
            await paid.ask()
        assert caught.value.retry_after is not None
        now[0] += caught.value.retry_after - 0.5
        with pytest.raises(BudgetExceeded):
            await paid.ask()
        now[0] += 1.0
        await paid.ask()


async def test_a_session_goes_on_over_midnight() -> None:
    now = [1_750_000_000.0]
    session = BudgetSettings(usd_per_session=1.0)
    async with Paid(None, config(session), dollars(), wall=lambda: now[0]) as paid:
        await paid.ask()
        now[0] += 86_400.0
        with pytest.raises(BudgetExceeded):
            await paid.ask()


async def test_the_next_session_has_a_cap_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        settings = config(BudgetSettings(usd_per_session=1.0))
        async with Paid(tmp_path / "usage.db", settings, dollars()) as paid:
            await paid.ask()
            with pytest.raises(BudgetExceeded):
                await paid.ask()
    assert len(set(rows(tmp_path / "usage.db", "session"))) == 2


async def test_the_next_session_goes_on_with_the_day(tmp_path: Path) -> None:
    for expected in (1, 1, 0):
        async with Paid(tmp_path / "usage.db", config(DAILY), dollars()) as paid:
            for _ in range(expected):
                await paid.ask()
            if not expected:
                with pytest.raises(BudgetExceeded):
                    await paid.ask()


async def test_what_costs_nothing_is_not_refused() -> None:
    models = {**config().models, "b/m": FREE}
    async with Paid(None, config(DAILY, models=models), dollars(), free("b")) as paid:
        for _ in range(2):
            await paid.ask()
        assert text_of(await paid.ask(provider="b")) == "Hello world"
        with pytest.raises(BudgetExceeded):
            await paid.ask()


@pytest.mark.parametrize("kind", ["local", "ollama", "lm-studio", "llama-cpp"])
async def test_what_runs_on_the_users_machine_is_free(tmp_path: Path, kind: str) -> None:
    providers = {"a": MOCK, "mine": ProviderSettings(kind=kind)}
    settings = config(DAILY, providers=providers)
    mine = free("mine")
    mine.base_url = "http://[::1]:1234/v1"
    async with Paid(tmp_path / "usage.db", settings, dollars(), mine) as paid:
        for _ in range(2):
            await paid.ask()
        await paid.ask(provider="mine")
        assert len(paid.warnings) == 1  # that half is spent: it is not called unpriced
    assert rows(tmp_path / "usage.db", "provider, usd")[-1] == ("mine", 0.0)


def free(name: str) -> ScriptedProvider:
    return ScriptedProvider(name, [ANSWER])


async def test_a_used_up_budget_goes_on_with_what_is_free() -> None:
    """Also past a candidate that would cost something: nothing is sent there."""
    settings = config(
        DAILY,
        providers={"a": MOCK, "b": MOCK, "c": MOCK},
        models={**config().models, "c/m": FREE},
    )
    b, c = dollars("b"), free("c")
    async with Paid(None, settings, dollars(), b, c) as paid:
        for _ in range(2):
            await paid.ask()
        tokens = await paid.ask(fallback=["b/m", "c/m"])
        assert text_of(tokens) == "Hello world"
        notices = [token for token in tokens if isinstance(token, RetryNotice)]
        assert [(n.provider, n.error.kind) for n in notices] == [
            ("a", "budgetExceeded"),
            ("b", "budgetExceeded"),
        ]
    assert (b.requests, len(c.requests)) == ([], 1)


async def test_a_used_up_budget_does_not_go_on_with_what_costs() -> None:
    b = dollars("b")
    async with Paid(None, config(DAILY, fallback=CHAIN), dollars(), b) as paid:
        for _ in range(2):
            await paid.ask()
        with pytest.raises(BudgetExceeded):
            await paid.ask()
    assert b.requests == []


async def test_an_unknown_price_is_not_free() -> None:
    b = free("b")
    settings = config(DAILY, models={}, fallback=CHAIN)
    async with Paid(None, settings, dollars(), b) as paid:
        for _ in range(2):
            await paid.ask()
        with pytest.raises(BudgetExceeded):
            await paid.ask()
    assert b.requests == []


async def test_an_unknown_price_is_warned_about_once_a_model_and_counts_nothing() -> None:
    settings = config(BudgetSettings(usd_per_session=1.0), models={})
    async with Paid(None, settings, free("a")) as paid:
        for _ in range(3):
            await paid.ask()
        await paid.ask(model="a/other")
    assert ["a/m " in paid.warnings[0], "a/other " in paid.warnings[1]] == [True, True]
    assert len(paid.warnings) == 2


async def test_what_the_same_programs_do_elsewhere_is_not_known_to_be() -> None:
    providers = {
        "mine": ProviderSettings(kind="ollama"),
        "theirs": ProviderSettings(kind="ollama", base_url="https://ollama.com"),
        "gateway": ProviderSettings(kind="litellm"),
    }
    async with Paid(None, config(DAILY, providers=providers, default="mine")) as paid:
        desk, parse = paid.manager._desk, paid.manager._router.parse
        assert desk.is_free(parse("mine/qwen3:8b"))
        for name in ("mine/gpt-oss:120b-cloud", "theirs/gpt-oss:120b", "gateway/qwen3:8b"):
            assert not desk.is_free(parse(name)), name


async def test_whether_a_price_is_nothing() -> None:
    """A model of which only reading is free is not."""
    half = ModelSettings(prices=PriceSettings(input_per_m_tok=0.0, output_per_m_tok=1.0))
    settings = config(DAILY, models={"a/m": half, "b/m": FREE})
    async with Paid(None, settings, dollars(), free("b")) as paid:
        desk = paid.manager._desk
        candidates = [paid.manager._router.parse(name) for name in ("a/m", "b/m", "a/none")]
        assert [desk.is_free(candidate) for candidate in candidates] == [False, True, False]


class Held(ScriptedProvider):
    """Answers when `go` is set."""

    def __init__(self, name: str, scripts: Sequence[Script]) -> None:
        super().__init__(name, scripts)
        self.reached, self.go = asyncio.Event(), asyncio.Event()

    async def chat_stream(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        self.reached.set()
        await self.go.wait()
        async for tokens in super().chat_stream(request):
            yield tokens


async def test_a_budget_that_runs_out_in_the_queue() -> None:
    """What waits for its turn is judged again when it comes, and its place goes to the next."""
    a = Held("a", [DOLLAR])
    settings = config(
        BudgetSettings(usd_per_day=1.0, warn_at=1.0), limits={"a": LimitSettings(max_concurrent=1)}
    )
    async with Paid(None, settings, a) as paid:
        asked = [asyncio.create_task(paid.ask()) for _ in range(5)]
        await a.reached.wait()
        await asyncio.sleep(0)  # the others are in the queue
        a.go.set()
        async with asyncio.timeout(5):
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert len(a.requests) == 1
        assert sum(isinstance(result, BudgetExceeded) for result in results) == 4
        assert paid.manager.providers()[0].rate.in_flight == 0


async def test_a_new_budget_is_in_force_at_once() -> None:
    async with Paid(None, config(), dollars()) as paid:
        await paid.ask()
        paid.manager.reconfigure(config(BudgetSettings(usd_per_session=1.0)))
        paid.manager._registry._made["a"] = paid.providers[0]
        with pytest.raises(BudgetExceeded):
            await paid.ask()


async def test_a_cancel_while_the_budget_is_looked_up(tmp_path: Path) -> None:
    a = ScriptedProvider("a", [[HANG]])
    async with Paid(tmp_path / "usage.db", config(DAILY), a) as paid:
        task = asyncio.create_task(paid.ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert a.requests == []
        assert paid.manager.providers()[0].rate.in_flight == 0


async def test_only_a_free_candidate_changes_what_a_budget_forbids() -> None:
    refused, missing = BudgetExceeded("no"), NotConfigured("no key")
    assert not may_fail_over(refused, larger_window=True)
    assert may_fail_over(refused, larger_window=False, free_left=True)
    assert may_fail_over(missing, larger_window=False, free_left=False)
