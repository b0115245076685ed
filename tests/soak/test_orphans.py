"""The editor is killed at any moment: nothing that was started because of it is left.

This process takes over what loses its parent (a "subreaper"), so that whatever is left is found
among its own descendants, wherever in the tree it was.
"""

import asyncio
import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from providers.auth.command import CommandFailed, run_command
from tests.contract.process import PROGRAM, environment
from tests.soak.driver import children_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

EDITOR = Path(__file__).with_name("editor.py")
PR_SET_CHILD_SUBREAPER = 36  # prctl.h
GONE_SECONDS = 5.0


@pytest.fixture
def taken_over() -> Iterator[Callable[[], list[int]]]:
    """What the processes that were here before did not start."""
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    before = set(children_of(os.getpid()))

    def left() -> list[int]:
        found = [pid for pid in children_of(os.getpid()) if pid not in before]
        for pid in found:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue
        return found

    yield left
    for pid in left():
        os.kill(pid, signal.SIGKILL)
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def script(folder: Path, text: str) -> str:
    path = folder / "program.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


HANGS = "touch ~/started; sleep 300 & sleep 300; echo key"


def scenario(name: str, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the providers' settings, the first of which is asked, and more environment."""
    up = {"kind": "openai-compatible", "baseUrl": "http://127.0.0.1:9/v1", "model": "m"}
    if name == "embedded model":
        return {"local": {}}, {}
    if name == "key command":
        return {"up": {**up, "apiKey": {"command": [script(folder, HANGS)]}}}, {}
    if name == "claude program":
        return {"claude-code": {"program": script(folder, HANGS)}}, {}
    if name == "credential process":
        (folder / "aws").write_text(f"[profile x]\ncredential_process = {script(folder, HANGS)}\n")
        env = {"AWS_CONFIG_FILE": str(folder / "aws"), "AWS_EC2_METADATA_DISABLED": "true"}
        settings = {"profile": "x", "region": "us-east-1", "baseUrl": "http://127.0.0.1:9"}
        return {"bedrock": settings}, env
    return {"up": {**up, "baseUrl": "http://192.0.2.1:9/v1"}}, {}  # nobody answers there


SCENARIOS = ("embedded model", "key command", "claude program", "credential process", "request")


def kill_an_editor(name: str, folder: Path, after: float | None) -> None:
    """Start an editor with a program beside it, and kill the editor: after so many seconds, or when
    what hangs has been started."""
    folder.mkdir()
    providers, env = scenario(name, folder)
    (provider,) = providers
    params = {"capabilities": {}, "initializationOptions": {"providers": providers}}
    asked = {"prompt": "x", "provider": provider, "fallback": []}
    messages = [
        {"id": 1, "method": "initialize", "params": params},
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "ai/stream", "params": asked},
    ]
    (folder / "said.json").write_text(json.dumps(messages))
    editor = subprocess.Popen(
        [sys.executable, "-S", str(EDITOR), str(PROGRAM), str(folder / "said.json")],
        env=environment(folder, **env),
        cwd=folder,
    )
    if after is not None:
        time.sleep(after)
    until = time.monotonic() + 10
    while after is None and not (folder / "started").exists() and time.monotonic() < until:
        time.sleep(0.01)
    editor.kill()
    editor.wait()


def until_nothing_is_left(left: Callable[[], list[int]]) -> None:
    until = time.monotonic() + GONE_SECONDS
    while found := left():
        if time.monotonic() > until:
            names = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in found]
            raise AssertionError(f"left behind: {names}")
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_is_left(name: str, tmp_path: Path, taken_over: Callable[[], list[int]]) -> None:
    luck = random.Random(name)
    for number in range(8):
        kill_an_editor(name, tmp_path / str(number), luck.uniform(0.05, 2.0))
        until_nothing_is_left(taken_over)


@pytest.mark.parametrize("name", ["key command", "credential process"])
def test_nothing_is_left_of_what_hangs(
    name: str, tmp_path: Path, taken_over: Callable[[], list[int]]
) -> None:
    kill_an_editor(name, tmp_path / "home", None)
    until_nothing_is_left(taken_over)


@pytest.mark.asyncio
async def test_a_key_command_that_is_given_up(
    tmp_path: Path, taken_over: Callable[[], list[int]]
) -> None:
    with pytest.raises(CommandFailed, match="no answer"):
        environ = {**os.environ, "HOME": str(tmp_path)}
        await run_command([script(tmp_path, HANGS)], environ=environ, timeout=0.5)
    assert (tmp_path / "started").exists()
    await asyncio.to_thread(until_nothing_is_left, taken_over)
