"""Every recorded case of the cloud services, through the whole of ours; what differs has a reason.

Paths and headers differ nowhere but where `KNOWN` says; bodies of requests in 95 of 100.
"""

from pathlib import Path

import pytest

from tests.parity.cloud import SETUPS, cases, reasons, replay


@pytest.mark.asyncio
@pytest.mark.parametrize("provider", SETUPS)
async def test_as_the_port(shared: Path, provider: str) -> None:
    unexpected: list[str] = []
    same = compared = 0
    for name, case in cases(shared, provider):
        found = await replay(provider, case)
        known = reasons(provider, name)
        unexpected += [
            f"{name}: {each[:300]}" for each in found if each.partition(":")[0] not in known
        ]
        if case["requests"]:
            compared += 1
            same += not any(each.startswith("body:") for each in found)
    assert not unexpected, "\n".join(unexpected)
    assert compared >= 20
    assert same / compared >= 0.9, f"{same} of {compared} bodies"
