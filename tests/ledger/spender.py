"""A process that asks for answers, for tests with several: `spender LEDGER CAP AT_ONCE HOW_MANY`.

Each answer takes a few milliseconds and costs a cent. A line `.` is written when it could begin,
which it does with a line on stdin; `+` when an answer is asked for, `=` when it has come, `-` when
the budget refuses it.
"""

import asyncio
import os
import sys
from pathlib import Path

from providers.errors import BudgetExceeded
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import (
    BudgetSettings,
    ModelSettings,
    PriceSettings,
    ProvidersConfig,
    ProviderSettings,
)
from tests.manager.scripted import ask, gather

CENT = 0.01


def tell(mark: bytes) -> None:
    os.write(1, mark + b"\n")  # one system call: what is told survives the process


async def main(path: Path, cap: float, at_once: int, how_many: int) -> None:
    # An echo of `hi` is five tokens read and one written.
    price = PriceSettings(input_per_m_tok=CENT * 1e6 / 6, output_per_m_tok=CENT * 1e6 / 6)
    config = ProvidersConfig(
        default="a/slow-5",
        providers={"a": ProviderSettings(kind="mock")},
        models={"a/slow-5": ModelSettings(prices=price)},
        budget=BudgetSettings(usd_per_day=cap),
    )
    manager = ProviderManager(config, environ={}, ledger=lambda: path)
    left = how_many

    async def client() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            tell(b"+")
            try:
                await gather(manager.stream(ask(), Target()))
                tell(b"=")
            except BudgetExceeded:
                tell(b"-")

    tell(b".")
    sys.stdin.readline()  # all begin together
    await asyncio.gather(*(client() for _ in range(at_once)))
    await manager.aclose()


if __name__ == "__main__":
    path, cap, at_once, how_many = sys.argv[1:]
    asyncio.run(main(Path(path), float(cap), int(at_once), int(how_many)))
