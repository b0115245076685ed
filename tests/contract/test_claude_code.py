"""The `claude` program (a stand-in) behind the real process: nothing outlives the sidecar."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract.process import Sidecar, text_of
from tests.vendors.test_claude_code import PROGRAMS, alive, init, result, streamed

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(os.name != "posix", reason="the stand-in is a POSIX script"),
]
OPTIONS = {"default": "claude-code", "providers": {"claude-code": {}}, "retry": {"attempts": 1}}


def variables(folder: Path, *lines: Any) -> dict[str, str]:
    script = folder / "script"
    script.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    folders = [str(PROGRAMS), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
    return {
        "PATH": os.pathsep.join(folders),
        "XDG_DATA_HOME": str(folder / "data"),
        "CLAUDE_SCRIPT": str(script),
        "CLAUDE_SEEN": str(folder / "seen.json"),
    }


async def pids(folder: Path) -> list[int]:
    """Return the program's process and the one it started, once there is one."""
    seen = folder / "seen.json"
    async with asyncio.timeout(10):
        while not seen.exists() or not json.loads(seen.read_text())["children"]:
            await asyncio.sleep(0.01)
    said = json.loads(seen.read_text())
    return [said["pid"], *said["children"]]


async def gone(found: list[int]) -> None:
    async with asyncio.timeout(5):
        while any(alive(pid) for pid in found):
            await asyncio.sleep(0.01)


async def test_an_answer_and_its_cost(tmp_path: Path) -> None:
    env = variables(tmp_path, init(), *streamed("Hello", " there", thinking="hm"), result())
    async with Sidecar(tmp_path, options=OPTIONS, env=env) as it:
        request = it.request("ai/stream", {"prompt": "hi", "partialResultToken": "t"})
        before, answer = await it.until_answer(request)
        assert text_of(before, "t") == "Hello there"
        assert answer["result"]["cost"] == {"usd": 0.0125, "source": "provider"}
        assert answer["result"]["reasoning"] == [
            {"type": "reasoning", "text": "hm", "opaque": "sig"}
        ]


@pytest.mark.parametrize("end", ["cancel", "stdin", "kill"])
async def test_nothing_is_left_running(end: str, tmp_path: Path) -> None:
    env = variables(tmp_path, init(), *streamed("Hello")[:-2], "child", "sleep 60")
    async with Sidecar(tmp_path, options=OPTIONS, env=env, quiet=False) as it:
        request = it.request("ai/complete", {"prompt": "hi"})
        found = await pids(tmp_path)
        assert all(alive(pid) for pid in found)
        if end == "cancel":
            it.cancel(request)
            assert (await it.answer(request))["error"]["code"] == -32800
        elif end == "stdin":
            assert it.process.stdin is not None
            it.process.stdin.close()
        else:
            it.process.terminate()
        await gone(found)
