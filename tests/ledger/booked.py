"""What the tests of the ledger share: a provider with a price, and a look at what was booked."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from providers.manager import ProviderManager
from providers.settings import (
    BudgetSettings,
    FallbackSettings,
    ModelSettings,
    PriceSettings,
    ProvidersConfig,
    ProviderSettings,
)
from providers.types import Finish, StreamStart, TextDelta, Usage, UsageReport
from tests.manager.scripted import Script, ScriptedProvider, Target, ask, gather

MOCK = ProviderSettings(kind="mock")
USED = Usage(100, 10, 50, 5, 3, 110)
DOLLAR: Script = (
    StreamStart("r1", "m"),
    TextDelta("Hello"),
    UsageReport(USED, cost_usd=1.0),
    Finish("stop"),
)
COLUMNS = (
    "provider, model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
    " reasoning_tokens, usd, source, outcome"
)


def config(budget: BudgetSettings | None = None, **more: Any) -> ProvidersConfig:
    """Two providers, `a` and its fallback `b`; a token of `a/m` and of `b/m` costs a cent."""
    prices = ModelSettings(
        prices=PriceSettings(input_per_m_tok=10_000.0, output_per_m_tok=10_000.0)
    )
    settings: dict[str, Any] = {
        "default": "a",
        "providers": {"a": MOCK, "b": MOCK},
        "models": {"a/m": prices, "b/m": prices},
        "budget": budget or BudgetSettings(),
    }
    return ProvidersConfig(**{**settings, **more})


FREE = ModelSettings(prices=PriceSettings(input_per_m_tok=0.0, output_per_m_tok=0.0))
CHAIN = FallbackSettings(["b/m"])


class Paid:
    """A manager of scripted providers, its ledger in `path`; use it as a context manager."""

    def __init__(
        self,
        path: Path | None,
        settings: ProvidersConfig,
        *providers: ScriptedProvider,
        wall: Callable[[], float] | None = None,
    ) -> None:
        self.warnings: list[str] = []
        self.providers = providers
        self.manager = ProviderManager(
            settings,
            environ={},
            on_warning=self.warnings.append,
            ledger=None if path is None else lambda: path,
            **({} if wall is None else {"wall": wall}),
        )
        for provider in providers:
            self.manager._registry._made[provider.name] = provider

    async def ask(self, **target: Any) -> Any:
        """Return the tokens of an answer."""
        return await gather(self.manager.stream(ask(), Target(**target)))

    async def __aenter__(self) -> "Paid":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.aclose()


def dollars(name: str = "a") -> ScriptedProvider:
    """A provider each of whose answers costs a dollar."""
    return ScriptedProvider(name, [DOLLAR])


def rows(path: Path, columns: str = COLUMNS) -> list[tuple[Any, ...]]:
    """Return what is in the ledger; nothing while it is only being made."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as db:
        if not db.execute("PRAGMA user_version").fetchone()[0]:
            return []
        return db.execute(f"SELECT {columns} FROM answers ORDER BY id").fetchall()


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what another thread or process does."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)
