"""No room, no rights: the program starts, answers, and says once what is missing."""

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract import chat
from tests.contract.conftest import options, service
from tests.contract.process import PROGRAM, Sidecar, environment
from tests.http.server import RawServer

__all__ = ["service"]

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and /proc are Linux'"),
]

NOWHERE = "/proc/nowhere"  # nobody can write there, root neither
NO_HOME = {
    "HOME": NOWHERE,
    "XDG_CONFIG_HOME": NOWHERE,
    "XDG_DATA_HOME": NOWHERE,
    "XDG_CACHE_HOME": NOWHERE,
    "XDG_STATE_HOME": NOWHERE,
}


async def some_requests(sidecar: Sidecar, count: int = 20) -> list[str]:
    """Ask and ask again; return the warnings that were shown meanwhile."""
    warnings: list[str] = []
    for _ in range(count):
        asked = sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        before, answer = await sidecar.until_answer(asked)
        assert "error" not in answer, answer
        shown = [m for m in before if m["method"] == "window/showMessage"]
        warnings += [m["params"]["message"] for m in shown]
        await asyncio.sleep(0.01)
    return warnings


async def test_a_home_that_cannot_be_written(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.streamed(["ok"]))
    async with Sidecar(tmp_path, options=options(service), env=NO_HOME) as sidecar:
        warnings = await some_requests(sidecar)
        assert len(warnings) == 1 and "ledger" in warnings[0], warnings


async def test_a_full_disk_under_the_ledger(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.streamed(["ok"]))
    ledger = str(tmp_path / "usage.db")
    env = {"AI_SIDECAR_LEDGER": ledger}
    async with Sidecar(tmp_path, options=options(service), env=env) as sidecar:
        assert await some_requests(sidecar, 3) == []
        size = os.path.getsize(ledger) + 4096
        resource.prlimit(sidecar.process.pid, resource.RLIMIT_FSIZE, (size, size))
        warnings = await some_requests(sidecar, 60)
        assert len(warnings) == 1 and "kept in memory" in warnings[0], warnings


async def test_a_full_disk_under_the_log(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.streamed(["ok"]))
    arguments = ("--log-level", "trace", "--log-file", "/dev/full")
    sidecar = Sidecar(tmp_path, *arguments, options=options(service), quiet=False)
    async with sidecar:
        assert await some_requests(sidecar) == []
    assert sidecar.stderr == "ai-sidecar: the log cannot be written: No space left on device\n"


async def test_a_log_that_cannot_be_opened(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.streamed(["ok"]))
    sidecar = Sidecar(
        tmp_path, "--log-file", f"{NOWHERE}/log", options=options(service), quiet=False
    )
    async with sidecar:
        await some_requests(sidecar, 2)
    assert sidecar.stderr.count("\n") == 1
    assert "the log file cannot be used" in sidecar.stderr


async def test_a_program_that_wants_a_folder(tmp_path: Path) -> None:
    claude = tmp_path / "claude"
    claude.write_text("#!/bin/sh\nexit 1\n")
    claude.chmod(0o700)
    configured = {"providers": {"claude-code": {"program": str(claude)}}}
    async with Sidecar(tmp_path, options=configured, env=NO_HOME, quiet=False) as sidecar:
        error = await sidecar.fail("ai/complete", {"prompt": "x", "provider": "claude-code"})
        assert error["code"] == -32803, error


@pytest.mark.parametrize("command", [["ask", "-p", "mock", "hello"], ["doctor"], ["usage"]])
async def test_commands_without_a_home(tmp_path: Path, command: list[str]) -> None:
    done = subprocess.run(
        [str(PROGRAM), *command],
        env=environment(tmp_path) | NO_HOME,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.stdout or done.stderr
    if command[0] == "ask":
        assert done.returncode == 0, done.stderr


async def test_files_are_the_user_s_alone(tmp_path: Path, service: RawServer) -> None:
    """Ledger, log and configuration, whatever the umask."""
    service.script(chat.streamed(["ok"]))
    files = {name: tmp_path / name for name in ("usage.db", "log", "config.toml")}
    env = {"AI_SIDECAR_LEDGER": str(files["usage.db"])}
    former = os.umask(0)
    try:
        arguments = ("--log-level", "info", "--log-file", str(files["log"]))
        async with Sidecar(tmp_path, *arguments, options=options(service), env=env) as sidecar:
            await some_requests(sidecar, 2)
        subprocess.run(
            [str(PROGRAM), "config", "init"],
            env=environment(tmp_path, AI_SIDECAR_CONFIG=str(files["config.toml"])),
            check=True,
            stdout=subprocess.DEVNULL,
        )
    finally:
        os.umask(former)
    for path in tmp_path.glob("usage.db*"):
        files[path.name] = path
    assert {n: oct(p.stat().st_mode & 0o777) for n, p in files.items()} == dict.fromkeys(
        files, "0o600"
    )
