"""The death of another process is noticed, by pidfd and by looking."""

import asyncio
import os
import subprocess
import sys

import pytest

from sidecar import lifetime

pytestmark = pytest.mark.asyncio


@pytest.fixture(params=["pidfd", "polling"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "polling":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
        monkeypatch.setattr(lifetime, "POLL_SECONDS", 0.02)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("pidfds are Linux' own")
    return str(request.param)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


async def test_a_death_is_told_once(way: str) -> None:
    died: list[int] = []
    event = asyncio.Event()
    process = sleeper()
    stop = lifetime.watch_process(process.pid, lambda: (died.append(1), event.set()))
    await asyncio.sleep(0.05)
    assert not died
    process.kill()
    process.wait()
    await asyncio.wait_for(event.wait(), 5)
    await asyncio.sleep(0.05)
    assert died == [1]
    stop()


async def test_a_process_that_is_gone_already_counts(way: str) -> None:
    process = sleeper()
    process.kill()
    process.wait()
    event = asyncio.Event()
    stop = lifetime.watch_process(process.pid, event.set)
    await asyncio.wait_for(event.wait(), 5)
    stop()


async def test_nothing_is_told_after_stopping(way: str) -> None:
    event = asyncio.Event()
    process = sleeper()
    stop = lifetime.watch_process(process.pid, event.set)
    await asyncio.sleep(0.03)
    stop()
    stop()
    process.kill()
    process.wait()
    await asyncio.sleep(0.05)
    assert not event.is_set()


async def test_who_is_alive() -> None:
    assert lifetime.is_alive(os.getpid())
    assert lifetime.is_alive(1)  # may not be asked about, but is there
    assert not lifetime.is_alive(2**22 + 1)  # above Linux' largest
