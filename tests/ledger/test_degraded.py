"""A file that cannot be used costs a warning, and no request."""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from providers.errors import BudgetExceeded
from providers.ledger import keeper, ledger, store
from providers.ledger.place import filesystem_of, is_on_network, ledger_path, locate_in
from providers.settings import BudgetSettings
from tests.ledger.booked import Paid, config, dollars, rows, until

pytestmark = pytest.mark.asyncio

TWO_DOLLARS = BudgetSettings(usd_per_day=2.0, warn_at=1.0)


async def two_answers_and_a_refusal(path: Path) -> list[str]:
    """Return the warnings, the budget's own left out. What the budget needs, memory knows."""
    async with Paid(path, config(TWO_DOLLARS), dollars()) as paid:
        await paid.ask()
        await paid.ask()
        with pytest.raises(BudgetExceeded):
            await paid.ask()
        (a,) = paid.providers
        assert len(a.requests) == 2
    return [text for text in paid.warnings if "budget.usdPerDay" not in text]


async def test_a_corrupt_file(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    path.write_bytes(b"no database at all. " * 500)
    before = path.read_bytes()
    (warning,) = await two_answers_and_a_refusal(path)
    assert "not a database" in warning
    assert path.read_bytes() == before


async def test_a_file_damaged_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    async with Paid(path, config(), dollars()) as paid:
        await paid.ask()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    (warning,) = await two_answers_and_a_refusal(path)
    assert "cannot be used" in warning


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (warning,) = await two_answers_and_a_refusal(tmp_path / "file" / "usage.db")
    assert "cannot be used" in warning


async def test_a_folder_that_is_in_the_files_place(tmp_path: Path) -> None:
    (warning,) = await two_answers_and_a_refusal(tmp_path)
    assert "cannot be used" in warning


def opened_with(monkeypatch: pytest.MonkeyPatch, *pragmas: str) -> None:
    """Have SQLite itself refuse as it does on a full or a read-only disk."""
    prepare = store.LedgerFile._prepare

    def prepared(self: store.LedgerFile) -> None:
        prepare(self)
        for pragma in pragmas:
            self._db.execute(pragma)

    monkeypatch.setattr(store.LedgerFile, "_prepare", prepared)


async def test_a_read_only_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_with(monkeypatch, "PRAGMA query_only = ON")
    (warning,) = await two_answers_and_a_refusal(tmp_path / "usage.db")
    assert "readonly" in warning


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened_with(monkeypatch, "CREATE TABLE padding (x)", "PRAGMA max_page_count = 1")
    monkeypatch.setattr(store, "_INSERT", store._INSERT.replace("?)", "zeroblob(9999) || ?)"))
    (warning,) = await two_answers_and_a_refusal(tmp_path / "usage.db")
    assert "full" in warning


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no RLIMIT_FSIZE")
async def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """The operating system's own refusal, in a process of its own."""
    program = (
        "import asyncio, resource, sys, pathlib\n"
        "from tests.ledger.test_degraded import two_answers_and_a_refusal\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "asyncio.run(two_answers_and_a_refusal(pathlib.Path(sys.argv[1])))\n"
        "print('answered')\n"
    )
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(tmp_path / "usage.db"),
        cwd=Path(__file__).resolve().parents[2],
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await child.communicate()
    assert (child.returncode, out) == (0, b"answered\n")


async def test_a_lock_is_not_waited_for_by_requests_and_its_end_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(keeper, "RETRY_SECONDS", 0.05)
    path = tmp_path / "usage.db"
    async with Paid(path, config(), dollars()) as paid:
        await paid.ask()
        await until(lambda: len(rows(path)) == 1)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                await paid.ask()
            await until(lambda: bool(paid.warnings))
            other.execute("ROLLBACK")
        await asyncio.sleep(0.1)
        await paid.ask()
        await until(lambda: len(rows(path)) == 5)
    assert len(paid.warnings) == 1 and "locked" in paid.warnings[0]


async def test_a_thread_that_hangs_holds_up_a_request_only_for_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget then goes by what is known here."""
    monkeypatch.setattr(ledger, "PATIENCE", 0.05)
    monkeypatch.setattr(store, "BUSY_SECONDS", 1.5)
    path = tmp_path / "usage.db"
    async with Paid(path, config(), dollars()) as first:
        await first.ask()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        async with Paid(path, config(TWO_DOLLARS), dollars()) as paid:
            async with asyncio.timeout(1.2):
                await paid.ask()
                await paid.ask()
                with pytest.raises(BudgetExceeded):
                    await paid.ask()
            await until(lambda: any("locked" in text for text in paid.warnings))
            # From then on nobody waits: the file is tried again after the answer.
            monkeypatch.setattr(paid.manager._desk.spending._ledger._keeper, "_retry_at", 0.0)
            monkeypatch.setattr(ledger, "PATIENCE", 60.0)
            async with asyncio.timeout(1.2):
                with pytest.raises(BudgetExceeded):
                    await paid.ask()
        other.execute("ROLLBACK")


async def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "usage.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    (warning,) = await two_answers_and_a_refusal(path)
    assert "later version" in warning


async def test_storage_of_another_machine_is_not_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "is_on_network", lambda path: True)
    (warning,) = await two_answers_and_a_refusal(tmp_path / "usage.db")
    assert "network" in warning
    assert not (tmp_path / "usage.db").exists()


MOUNTS = (
    "/dev/sda1 / ext4 rw 0 0\n"
    "server:/home /home nfs4 rw 0 0\n"
    "/dev/sdb1 /home/me/my\\040disk ext4 rw 0 0\n"
    "odd\n"
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/usage.db", "ext4"),
        ("/home/me/.local/usage.db", "nfs4"),
        ("/home/me/my disk/usage.db", "ext4"),
        ("/homely/usage.db", "ext4"),
        ("/home", "nfs4"),
    ],
)
async def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    assert filesystem_of(path, MOUNTS) == kind


async def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_on_network(tmp_path)
    assert locate_in({"AI_SIDECAR_LEDGER": "off"}) is None
    named = {"AI_SIDECAR_LEDGER": str(tmp_path / "x.db")}
    locate: Any = locate_in(named)
    assert locate() == ledger_path(named) == tmp_path / "x.db"
    assert ledger_path({}).name == "usage.db" and ledger_path({}).parent.name == "ai-sidecar"
