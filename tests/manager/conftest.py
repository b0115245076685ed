"""What every test of the manager may use."""

import pytest


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait of the retry rules, taken at once."""
    asked: list[float] = []

    async def at_once(delay: float) -> None:
        asked.append(delay)

    monkeypatch.setattr("providers.run.asyncio.sleep", at_once)
    return asked
