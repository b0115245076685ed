"""`ai-sidecar usage`."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.ledger.entry import AnswerOutcome, Entry, Numbered
from providers.ledger.store import LedgerFile
from providers.policy.budget import day_of
from providers.types import Cost, Usage
from sidecar.cli.usage import run
from tests.contract.conftest import options, service
from tests.contract.process import Sidecar
from tests.http.server import RawServer

__all__ = ["service"]

NOON = datetime.now().replace(hour=12, minute=0, second=0, microsecond=0)
USED = Usage(100, 10, 50, 5, 3, 110)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "usage.db"
    monkeypatch.setenv("AI_SIDECAR_LEDGER", str(path))
    return path


@contextmanager
def opened(path: Path) -> Iterator[LedgerFile]:
    file = LedgerFile(path)
    yield file
    file.close()


def entry(
    days_ago: int,
    provider: str,
    model: str,
    usd: float | None = 1.0,
    outcome: AnswerOutcome = "ok",
) -> Entry:
    cost = None if usd is None else Cost(usd, "catalog" if outcome == "ok" else "estimate")
    at = (NOON - timedelta(days=days_ago)).timestamp()
    return Entry(at, provider, model, outcome, USED, cost)


def book(path: Path, *entries: Entry) -> None:
    with opened(path) as file:
        numbered = [Numbered(n, day_of(each.at), each) for n, each in enumerate(entries)]
        file.write("a session", numbered)


SOME = (
    entry(0, "openai", "gpt-5", 0.25),
    entry(0, "openai", "gpt-5", 0.5, "cancelled"),
    entry(0, "local", "tiny", 0.0),
    entry(1, "openai", "gpt-5", None),
    entry(1, "openai", "o3", 2.0, "broken"),
    entry(40, "openai", "o3", 64.0),
)


def table(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [line.split() for line in capsys.readouterr().out.splitlines()]


def as_json(capsys: pytest.CaptureFixture[str]) -> Any:
    return msgspec.json.decode(capsys.readouterr().out)


def day(days_ago: int) -> str:
    return f"{NOON - timedelta(days=days_ago):%Y-%m-%d}"


def test_by_day_provider_and_model(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book(path, *SOME)
    assert run([]) == 0
    head, *body, total, note = table(capsys)
    assert head == [
        "DAY", "PROVIDER", "MODEL", "ANSWERS", "CUT", "INPUT", "OUTPUT",
        "CACHE-READ", "CACHE-WRITE", "REASONING", "USD", "UNPRICED",
    ]  # fmt: skip
    assert [row[:5] for row in body] == [
        [day(0), "local", "tiny", "1", "0"],
        [day(0), "openai", "gpt-5", "2", "1"],
        [day(1), "openai", "gpt-5", "1", "0"],
        [day(1), "openai", "o3", "1", "1"],
    ]
    assert [row[10:] for row in body] == [
        ["0.000000", "0"], ["0.750000", "0"], ["unknown", "1"], ["2.000000", "0"],
    ]  # fmt: skip
    assert body[1][5:10] == ["200", "20", "100", "10", "6"]
    assert total == ["total", "-", "-", "5", "2", "500", "50", "250", "25", "15", "2.750000", "1"]
    assert note[:2] == ["1", "unpriced:"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", [(day(0), 3, 0.75), (day(1), 2, 2.0), (day(40), 1, 64.0)]),
        ("provider", [("local", 1, 0.0), ("openai", 5, 66.75)]),
        ("model", [("gpt-5", 3, 0.75), ("o3", 2, 66.0), ("tiny", 1, 0.0)]),
    ],
)
def test_by_one_of_them_as_json(
    path: Path, capsys: pytest.CaptureFixture[str], by: str, expected: list[Any]
) -> None:
    book(path, *SOME)
    assert run(["--by", by, "--days", "41", "--json"]) == 0
    found = as_json(capsys)
    assert [(row[by], row["answers"], row["costUsd"]) for row in found["rows"]] == expected
    others = {"day", "provider", "model"} - {by}
    assert all(row[other] is None for row in found["rows"] for other in others)
    total = found["total"]
    assert (total["answers"], total["cancelled"], total["broken"]) == (6, 1, 1)
    assert (total["unpriced"], total["estimated"], total["costUsd"]) == (1, 2, 66.75)


def test_today_only(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book(path, *SOME)
    assert run(["--days", "1", "--json"]) == 0
    found = as_json(capsys)
    assert (found["since"], {row["day"] for row in found["rows"]}) == (day(0), {day(0)})


def test_a_cost_of_which_nothing_is_known_is_not_zero(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book(path, entry(0, "a", "m", None))
    assert run(["--json"]) == 0
    assert as_json(capsys)["total"]["costUsd"] is None


def test_nothing_booked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    captured = capsys.readouterr()
    assert captured.out == "" and "nothing has been booked" in captured.err
    assert run(["--json"]) == 0
    found = as_json(capsys)
    assert (found["rows"], found["total"]) == ([], None)
    assert not path.exists()


def test_while_a_sidecar_writes(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Even in the middle of a transaction; what is not committed is not counted."""
    book(path, SOME[0])
    with opened(path) as file:
        file._db.execute("BEGIN IMMEDIATE")
        file._db.execute("UPDATE answers SET usd = 99")
        assert run(["--json"]) == 0
        file._db.execute("ROLLBACK")
    assert as_json(capsys)["total"]["costUsd"] == 0.25


@pytest.mark.parametrize("arguments", [["--days", "0"], ["--days", "x"], ["--by", "hour"]])
def test_wrong_use(path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_read(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(b"no database at all. " * 500)
    assert run([]) == 1
    with closing(sqlite3.connect(path.with_name("new.db"))) as db:
        db.execute("PRAGMA user_version = 99")
    path.with_name("new.db").replace(path)
    assert run([]) == 1
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("cannot be read") == 2


def test_where_it_is_turned_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AI_SIDECAR_LEDGER", "off")
    assert run([]) == 1
    assert "turns it off" in capsys.readouterr().err


@pytest.mark.asyncio
async def test_what_an_editor_asked_for_is_in_it(
    tmp_path: Path, path: Path, service: RawServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real program from answer to table, with a budget that is used up on the way."""
    prices = {
        "up/m": {"prices": {"inputPerMTok": 100_000.0, "outputPerMTok": 100_000.0}}
    }  # 0.8 USD each
    settings = options(service, budget={"usdPerDay": 1.0}, models=prices)
    env = {"AI_SIDECAR_LEDGER": str(path)}
    async with Sidecar(tmp_path, options=settings, env=env) as sidecar:
        assert not path.exists()
        (warning,), answer = await sidecar.until_answer(
            sidecar.request("ai/stream", {"prompt": "hi"})
        )
        assert answer["result"]["cost"] == {"usd": pytest.approx(0.8), "source": "catalog"}
        assert (warning["method"], warning["params"]["type"]) == ("window/showMessage", 2)
        assert "0.80 of 1.00 USD" in warning["params"]["message"]
        await sidecar.call("ai/stream", {"prompt": "hi"})
        error = await sidecar.fail("ai/stream", {"prompt": "hi"})
        assert (error["code"], error["data"]["kind"]) == (-32803, "budgetExceeded")
        assert error["data"]["retryAfterMs"] > 0
    assert run(["--json"]) == 0
    total = as_json(capsys)["total"]
    assert (total["answers"], total["costUsd"]) == (2, pytest.approx(1.6))
