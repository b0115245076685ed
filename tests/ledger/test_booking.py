"""Every answer is booked, whole or not; by a thread of its own; and only once there is one."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from providers.errors import BudgetExceeded, Truncated
from providers.ledger.entry import Entry, Numbered
from providers.ledger.store import KEPT_SECONDS, LedgerFile
from providers.policy.budget import day_of
from providers.settings import BudgetSettings, LimitSettings, ProviderSettings
from providers.types import Cost, StreamStart, TextDelta, Usage, UsageReport
from tests.faults.faults import no, whole
from tests.faults.wires import CHAT
from tests.http.server import Gate, RawServer, Step
from tests.ledger.booked import DOLLAR, Paid, config, dollars, rows, until
from tests.manager.scripted import ANSWER, HANG, ScriptedProvider

pytestmark = pytest.mark.asyncio

DAY = 24 * 3600.0

SENT = 5
"""Tokens that "hi" is estimated at, as the one message of a conversation."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "usage.db"


async def test_a_whole_answer_with_the_providers_own_figure(path: Path) -> None:
    async with Paid(path, config(), dollars()) as paid:
        await paid.ask()
    assert rows(path) == [("a", "m", 100, 10, 50, 5, 3, 1.0, "provider", "ok")]


async def test_the_catalogs_price(path: Path) -> None:
    script = [StreamStart("r", "m"), TextDelta("x"), UsageReport(Usage(2, 1)), DOLLAR[-1]]
    async with Paid(path, config(), ScriptedProvider("a", [script])) as paid:
        await paid.ask()
    (row,) = rows(path, "usd, source")
    assert row == (pytest.approx(0.03), "catalog")


async def test_an_unknown_cost_is_null(path: Path) -> None:
    async with Paid(path, config(), ScriptedProvider("a", [ANSWER])) as paid:
        await paid.ask()
    assert rows(path, "usd, source, outcome") == [(None, None, "ok")]


async def test_a_broken_stream_is_booked_with_an_estimate(path: Path) -> None:
    script = [StreamStart("r", "m"), TextDelta("x" * 400), Truncated("cut")]
    async with Paid(path, config(), ScriptedProvider("a", [script])) as paid:
        with pytest.raises(Truncated):
            await paid.ask()
    ((written, usd, source, outcome),) = rows(path, "output_tokens, usd, source, outcome")
    assert (written, source, outcome) == (100, "estimate", "broken")
    assert usd > 1.0


async def test_what_arrived_counts_where_the_service_had_said_less(path: Path) -> None:
    """Anthropic says at the start that one token was written, and the truth at the end."""
    begin = UsageReport(Usage(input_tokens=50, output_tokens=1, total_tokens=51))
    script = [StreamStart("r", "m"), begin, TextDelta("x" * 400), Truncated("cut")]
    async with Paid(path, config(), ScriptedProvider("a", [script])) as paid:
        with pytest.raises(Truncated):
            await paid.ask()
    assert rows(path, "input_tokens, output_tokens, usd") == [(50, 100, pytest.approx(1.5))]


async def test_what_a_service_said_that_a_broken_answer_costs(path: Path) -> None:
    script = [*DOLLAR[:3], Truncated("cut")]
    async with Paid(path, config(), ScriptedProvider("a", [script])) as paid:
        with pytest.raises(Truncated):
            await paid.ask()
    assert rows(path, "usd, source, outcome") == [(1.0, "provider", "broken")]


async def test_a_cancelled_stream_is_booked(path: Path) -> None:
    a = ScriptedProvider("a", [[StreamStart("r", "m"), TextDelta("x" * 40), HANG]])
    async with Paid(path, config(), a) as paid:
        task = asyncio.create_task(paid.ask())
        await until(lambda: a.open > 0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert rows(path, "output_tokens, source, outcome") == [(10, "estimate", "cancelled")]


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("priced", [True, False])
async def test_what_was_sent_is_booked_if_the_cancel_comes_before_an_answer(
    begun: bool, priced: bool, path: Path
) -> None:
    """The service has read it by then, and works on: an estimate of the input is its least cost."""
    gate = Gate()
    steps: list[Step] = [*(whole(CHAT)[:2] if begun else ()), gate]
    server = await RawServer.start(steps)
    told = ProviderSettings(kind="openai-compatible", base_url=server.origin + "/v1", model="m")
    settings = config(providers={"a": told}, **({} if priced else {"models": {}}))
    async with Paid(path, settings) as paid:
        task = asyncio.create_task(paid.ask())
        await gate.reached.wait()
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        metrics = paid.manager.metrics().providers["a"]
        assert (metrics.input_tokens, metrics.output_tokens) == (SENT, 0)
    await server.aclose()
    ((read, written, usd, source, outcome),) = rows(
        path, "input_tokens, output_tokens, usd, source, outcome"
    )
    assert (read, written, outcome) == (SENT, 0, "cancelled")
    assert (usd, source) == ((pytest.approx(SENT * 0.01), "estimate") if priced else (None, None))


async def test_what_was_never_sent_is_not_booked(path: Path) -> None:
    """Cancelled while it waits for its turn, and after an answer that said no."""
    gate = Gate()
    server = await RawServer.start([gate])
    told = ProviderSettings(kind="openai-compatible", base_url=server.origin + "/v1", model="m")
    one = {"a": LimitSettings(max_concurrent=1)}
    async with Paid(path, config(providers={"a": told}, limits=one)) as paid:
        first, second = (asyncio.create_task(paid.ask()) for _ in range(2))
        await gate.reached.wait()
        for task in (second, first):
            task.cancel()
        await asyncio.gather(first, second, return_exceptions=True)
        server.script([s for s in no(429, "slow", "Retry-After: 5")(CHAT) if isinstance(s, bytes)])
        third = asyncio.create_task(paid.ask())
        await until(lambda: bool(paid.manager.metrics().providers["a"].errors))
        third.cancel()
        await asyncio.gather(third, return_exceptions=True)
        assert paid.manager.metrics().providers["a"].cancelled == 3
    await server.aclose()
    assert rows(path, "input_tokens, outcome") == [(SENT, "cancelled")]


async def test_each_answer_is_there_before_the_next_is_asked_for(path: Path) -> None:
    """Nothing waits for a batch to fill or for the end."""
    async with Paid(path, config(), dollars()) as paid:
        await paid.ask()
        await until(lambda: len(rows(path)) == 1)


async def test_no_text_is_in_the_file_and_nobody_else_may_read_it(path: Path) -> None:
    async with Paid(path, config(BudgetSettings(usd_per_day=9.0)), dollars()) as paid:
        await paid.ask()
        await until(lambda: len(rows(path)) == 1)
        files = sorted(path.parent.iterdir())
        assert len(files) == 3  # the file, its log, its index
        for file in files:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert b"Hello" not in file.read_bytes()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_old_rows_go(path: Path) -> None:
    """Seven days with answers say that the time has passed, not one."""
    now = 20_000 * DAY
    first = now - KEPT_SECONDS
    later = [now + n * DAY + 100 for n in range(7)]
    for at in (first - 1, first + 60, *later):
        assert [each for (each,) in rows(path, "at")][:1] in ([], [first - 1])
        async with Paid(path, config(), dollars(), wall=lambda at=at: at) as paid:
            await paid.ask()
    assert [at for (at,) in rows(path, "at")] == [first + 60, *later]


async def test_what_is_written_twice_is_there_once(path: Path) -> None:
    """A commit that failed may have succeeded: the entries are then written again."""
    entry = Entry(1_750_000_000.0, "a", "m", "ok", Usage(), Cost(1.0, "provider"))
    day = day_of(entry.at)
    file = LedgerFile(path)
    for numbers in ([1], [1, 2]):
        file.write("a session", [Numbered(n, day, entry) for n in numbers])
    assert file.spent_on(day) == 2.0
    file.write("another", [Numbered(1, day, entry)])
    assert file.spent_on(day) == 3.0
    file.close()


async def test_odd_names_and_numbers_do_not_hold_up_the_others(path: Path) -> None:
    used = UsageReport(Usage(2**70, -1), cost_usd=float("nan"))
    odd = [StreamStart("r", "unpriced"), TextDelta("x"), used, DOLLAR[-1]]
    session = BudgetSettings(usd_per_session=1.0)
    async with Paid(path, config(session), ScriptedProvider("a", [odd, DOLLAR])) as paid:
        await paid.ask(model="a/\ud800")
        await paid.ask()
        with pytest.raises(BudgetExceeded):  # what is no number has not spoilt the sum
            await paid.ask()
    assert rows(path, "model, input_tokens, output_tokens, usd") == [
        ("?", 2**53 - 1, 0, None),
        ("m", 100, 10, 1.0),
    ]
    assert len(paid.warnings) == 2 and "not known" in paid.warnings[0]


async def test_nothing_of_sqlite_happens_on_the_loops_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect, threads = sqlite3.connect, set[int]()

    def watched(*args: Any, **more: Any) -> sqlite3.Connection:
        threads.add(threading.get_ident())
        db = connect(*args, **more)
        db.set_trace_callback(lambda statement: threads.add(threading.get_ident()))
        return db

    monkeypatch.setattr(sqlite3, "connect", watched)
    async with Paid(path, config(BudgetSettings(usd_per_day=50.0)), dollars()) as paid:
        await asyncio.gather(*(paid.ask() for _ in range(20)))
    assert len(threads) == 1 and threading.get_ident() not in threads
    assert not [thread for thread in threading.enumerate() if thread.name == "ledger"]
    assert len(rows(path)) == 20


async def test_without_an_answer_there_is_no_file_and_no_thread(path: Path) -> None:
    async with Paid(path, config(), dollars()) as paid:
        paid.manager.providers(), paid.manager.metrics()
        paid.manager.reconfigure(config(BudgetSettings(usd_per_day=1.0)))
        assert "ledger" not in [thread.name for thread in threading.enumerate()]
    assert not path.parent.exists()


_UNTIL_READY = """
import asyncio, sys
from pathlib import Path
from providers.ledger.place import locate_in
from providers.manager import ProviderManager
from providers.settings import BudgetSettings, ProvidersConfig, ProviderSettings
from providers.policy.router import Target
from providers.types import ChatRequest, Message, Text
import sidecar.services, sidecar.server
async def main():
    config = ProvidersConfig(default="a", providers={"a": ProviderSettings(kind="mock")})
    manager = ProviderManager(config, environ={}, ledger=locate_in({}))
    await manager.models(); await manager.health()
    print("sqlite3" in sys.modules, "platformdirs.unix" in sys.modules)
    async for _ in manager.stream(ChatRequest(messages=[Message("user", [Text("hi")])]), Target()):
        pass
    await manager.aclose()
    print("sqlite3" in sys.modules)
asyncio.run(main())
"""


async def test_sqlite_is_not_imported_before_the_first_answer(tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", _UNTIL_READY],
        env=env,
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False", "False", "True"]


async def test_in_memory_nothing_is_written_and_budgets_hold(tmp_path: Path) -> None:
    async with Paid(None, config(BudgetSettings(usd_per_day=2.0)), dollars()) as paid:
        await paid.ask()
        await paid.ask()
        with pytest.raises(Exception, match="used up"):
            await paid.ask()
    assert list(tmp_path.iterdir()) == []
