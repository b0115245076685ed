"""Fixtures that every test shares, and the guard that keeps tests on loopback."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# How long an example takes says more of the machine's load than of the code.
settings.register_profile("ours", deadline=None)
settings.load_profile("ours")


def shared_folder() -> Path | None:
    """Return the folder of recorded answers and vectors, or None where it is not there."""
    folder = Path(os.environ.get("AI_SIDECAR_SHARED", ROOT.parent / "shared"))
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared() -> Path:
    """The recorded answers and vectors; a newcomer's clone does without, CI does not."""
    folder = shared_folder()
    if folder is None:
        reason = "recorded answers not found: set AI_SIDECAR_SHARED to their folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail any connection of the test process that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else None
        if isinstance(host, str) and not (host.startswith("127.") or host in ("::1", "localhost")):
            raise AssertionError(f"a test tried to reach {host}")
        return connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_ledger_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """What tests spend is not booked where `ai-sidecar usage` looks, and no list is kept there."""
    monkeypatch.setenv("AI_SIDECAR_LEDGER", "off")
    monkeypatch.setenv("AI_SIDECAR_MODEL_LISTS", "off")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """In CI a skip is a failure: what a newcomer's machine may lack, .ci/run installs."""
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.write_line(f"{len(skipped)} skipped, which CI does not allow", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """See `pytest_terminal_summary`."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
