"""A thousand streams at once through the real process, some of them faulty, and with few files."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract import process
from tests.contract.process import Sidecar
from tests.faults.wires import CHAT
from tests.load.services import FAULTS, PASSING, Service, fault_of, text_of

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for memory and open files"),
]

STREAMS = 1000
SEED = 20261121
SECONDS = 60.0
KINDS = {
    "400": "invalidRequest",
    "cut after": "truncatedStream",
    "malformed after": "malformedStream",
}


class Services:
    """Ten providers, p0 to p9, and the configuration that names them."""

    def __init__(self, share: float, pause: float = 0.02) -> None:
        self.share = share
        self.all = [Service(SEED, share, pause) for _ in range(10)]

    async def start(self) -> None:
        for service in self.all:
            await service.start()

    def options(self, **more: Any) -> dict[str, Any]:
        named = {f"p{n}": CHAT.provider(s.server.origin) for n, s in enumerate(self.all)}
        return {"default": "p0", "providers": named, **more}

    @property
    def open_connections(self) -> int:
        return sum(service.server.open_connections for service in self.all)


@pytest_asyncio.fixture
async def started() -> AsyncIterator[list[Services]]:
    made: list[Services] = []
    yield made
    for services in made:
        for service in services.all:
            await service.server.aclose()


async def wave(sidecar: Sidecar, numbers: range) -> dict[int, tuple[str, Any]]:
    """Send all of them at once; return each one's text and answer."""
    for n in numbers:
        asked = {"prompt": f"number {n}", "provider": f"p{n % 10}", "partialResultToken": n}
        sidecar.request("ai/stream", asked, id=n)
    texts: dict[int, list[str]] = {n: [] for n in numbers}
    answers: dict[int, Any] = {}
    while len(answers) < len(numbers):
        message = await sidecar.read()
        if "id" in message:
            assert message["id"] not in answers, "answered twice"
            answers[message["id"]] = message
            continue
        token = message["params"]["token"]
        assert token not in answers, "progress after the answer"
        value = message["params"]["value"]
        if value["kind"] == "text":
            texts[token].append(value["text"])
    return {n: ("".join(texts[n]), answers[n]) for n in numbers}


def judge(n: int, share: float, text: str, answer: Any, asked: int) -> None:
    """Hold one request against what its number says must come of it."""
    fault = fault_of(n, SEED, share)
    whole = "".join(text_of(n))
    if fault is None or fault in PASSING:
        assert "result" in answer, (fault, answer)
        assert text == whole
        assert asked == (1 if fault is None else 2), fault
        assert len(answer["result"]["attempts"]) == asked, fault
        return
    data = answer["error"]["data"]
    assert data["kind"] == KINDS[fault]
    assert len(data["attempts"]) == asked == 1
    half = "".join(text_of(n)[: len(text_of(n)) // 2]) if fault != "400" else ""
    assert text == half
    assert data.get("partial") == ({"text": half} if half else None)


def judge_all(services: Services, seen: dict[int, tuple[str, Any]]) -> None:
    for n, (text, answer) in seen.items():
        judge(n, services.share, text, answer, services.all[n % 10].attempts[n])


async def nothing_in_flight(sidecar: Sidecar) -> None:
    for provider in (await sidecar.call("ai/providers"))["providers"]:
        assert provider["rate"]["inFlight"] == 0, provider


def open_files(sidecar: Sidecar) -> int:
    return len(list(Path(f"/proc/{sidecar.process.pid}/fd").iterdir()))


def soft_limit(sidecar: Sidecar) -> int:
    lines = Path(f"/proc/{sidecar.process.pid}/limits").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Max open files"))
    return int(line.split()[3])


async def test_a_thousand_at_once_with_faults(tmp_path: Path, started: list[Services]) -> None:
    services = Services(share=0.1)
    started.append(services)
    await services.start()
    faults = [fault_of(n, SEED, 0.1) for n in range(STREAMS)]
    assert set(faults) == {None, *FAULTS}
    async with asyncio.timeout(SECONDS), Sidecar(tmp_path, options=services.options()) as sidecar:
        await wave(sidecar, range(90_000, 90_010))  # what is loaded at the first use is there
        await asyncio.sleep(0.5)
        sizes: list[int] = []
        for at in range(3):
            seen = await wave(sidecar, range(at * STREAMS, (at + 1) * STREAMS))
            judge_all(services, seen)
            await nothing_in_flight(sidecar)
            sizes.append(sidecar.rss())
        # The allocator keeps what a first wave needed; a leak would grow with every wave.
        growth = (sizes[2] - sizes[1]) / STREAMS
        assert growth < 1_000, f"{growth:.0f} bytes a stream: {sizes}"
        assert open_files(sidecar) < services.open_connections + 40
        await sidecar.quiet()


COUNTING = """\
#!{python}
import ctypes, gc, os, signal, sys  # ctypes: with it memory is given back, at some time
from sidecar.__main__ import main

def count(*_):
    gc.collect()
    with open({told!r} + ".new", "w") as file:
        file.write(str(sys.getallocatedblocks()))
    os.rename({told!r} + ".new", {told!r})

signal.signal(signal.SIGUSR1, count)
sys.exit(main())
"""


class Left:
    """What a sidecar holds besides its connections: live blocks of memory, files, threads."""

    def __init__(self, folder: Path) -> None:
        self.program, self._told = folder / "counting", folder / "blocks"
        self.program.write_text(COUNTING.format(python=sys.executable, told=str(self._told)))
        self.program.chmod(0o755)

    async def after(self, sidecar: Sidecar, services: Services) -> tuple[int, int, int]:
        """Count once nothing is under way and no connection is kept any more."""
        while services.open_connections:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)  # the ledger's thread writes
        self._told.unlink(missing_ok=True)
        sidecar.process.send_signal(signal.SIGUSR1)
        while not self._told.exists():
            await asyncio.sleep(0.01)
        threads = len(list(Path(f"/proc/{sidecar.process.pid}/task").iterdir()))
        return int(self._told.read_text()), open_files(sidecar), threads


async def test_memory_is_back_to_where_it_was(
    tmp_path: Path, started: list[Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of live memory: what the allocator keeps of pages for the next time is bounded above."""
    services = Services(share=0.1)
    started.append(services)
    await services.start()
    left = Left(tmp_path)
    monkeypatch.setattr(Sidecar, "program", (str(left.program),))
    options = services.options(http={"idleSeconds": 0.5})
    async with asyncio.timeout(SECONDS), Sidecar(tmp_path, options=options) as sidecar:
        await wave(sidecar, range(90_000, 90_100))  # each fault once: what it needs is imported
        await nothing_in_flight(sidecar)  # the list has every kind of provider: all are loaded
        before = await left.after(sidecar, services)
        judge_all(services, await wave(sidecar, range(STREAMS)))
        await nothing_in_flight(sidecar)
        after = await left.after(sidecar, services)
        assert after[0] - before[0] < STREAMS, f"{before} blocks before, {after} after"
        assert after[1:] == before[1:], "files and threads"


def program_with(folder: Path, limits: str) -> Path:
    """Return a program that is ours, started with these limits of a shell."""
    program = folder / "limited"
    program.write_text(f'#!/bin/sh\nulimit {limits}\nexec "{process.PROGRAM}" "$@"\n')
    program.chmod(0o755)
    return program


@pytest.mark.parametrize("limits", ["-Sn 256", "-n 256"], ids=["soft", "soft and hard"])
async def test_a_thousand_with_few_files(
    limits: str, tmp_path: Path, started: list[Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The soft limit is raised; where the hard one is as low, what does not fit waits."""
    services = Services(share=0.0)
    started.append(services)
    await services.start()
    monkeypatch.setattr(Sidecar, "program", (str(program_with(tmp_path, limits)),))
    async with asyncio.timeout(SECONDS), Sidecar(tmp_path, options=services.options()) as sidecar:
        seen = await wave(sidecar, range(STREAMS))
        judge_all(services, seen)
        await nothing_in_flight(sidecar)
        if limits == "-n 256":
            assert (open_files(sidecar), soft_limit(sidecar)) < (256, 257)
        else:
            assert soft_limit(sidecar) > STREAMS
        await sidecar.quiet()
