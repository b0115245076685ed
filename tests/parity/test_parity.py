"""Every recorded case of the port, through the whole of ours: what differs is meant, or a bug."""

from pathlib import Path

import pytest

from tests.parity.compare import REQUEST_POINTS
from tests.parity.known import KNOWN, reason_of
from tests.parity.replay import cases, replay
from tests.parity.setups import SETUPS

FEWEST = 20
"""Recorded cases of the provider with the fewest."""


@pytest.mark.asyncio
@pytest.mark.parametrize("provider", SETUPS)
async def test_what_differs_is_meant(provider: str, shared: Path) -> None:
    unmeant: list[str] = []
    count = 0
    for name, case in cases(shared, provider):
        count += 1
        unmeant += [
            f"{provider}/{name}: {line}"
            for line in await replay(provider, case)
            if reason_of(f"{provider}/{name}", line) is None
        ]
    assert unmeant == []
    assert count >= FEWEST


def test_no_reason_excuses_a_whole_point() -> None:
    """A rule that fits every case of a provider's requests would hide what it is not about."""
    for point in REQUEST_POINTS:
        assert reason_of("groq/request__hello", f"{point}: x for y") is None
    assert all(why and not why.endswith(".") for _, _, why in KNOWN)
