"""Emacs in batch mode, with the program and a service on loopback."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.contract.process import PROGRAM, environment
from tests.http.server import RawServer

ROOT = Path(__file__).resolve().parents[3]
Emacs = Callable[..., Awaitable[str]]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RawServer]:
    server = await RawServer.start(chat.streamed(["grüße ", "😀"]))
    yield server
    await server.aclose()


@pytest.fixture
def emacs(tmp_path: Path, service: RawServer) -> Emacs:
    """Run Lisp after `ai-sidecar.el` was loaded, and return what it wrote."""
    program = shutil.which("emacs")
    if program is None:
        pytest.skip("emacs not found: run tools/editors/emacs.sh")
    user_file = tmp_path / "config/ai-sidecar/config.toml"
    user_file.parent.mkdir(parents=True)
    user_file.write_text(
        f'[providers.up]\nkind = "openai-compatible"\nbaseUrl = "{service.origin}/v1"\n'
        'apiKey = "sk-emacs-test-0123456789"\nmodel = "m"\n'
    )
    helpers = Path(__file__).with_name("helpers.el")

    async def run(
        lisp: str, *more: str, path: str | None = None, plugin: Path = ROOT / "editors/emacs"
    ) -> str:
        script = tmp_path / "script.el"
        script.write_text(lisp, "utf-8")
        folders = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            program,
            *("--batch", "--no-init-file", "--no-site-file"),
            *("-L", str(plugin), "-l", str(helpers), *more, "-l", str(script)),
            cwd=tmp_path,
            env=environment(tmp_path, PATH=folders if path is None else path, LANG="C.UTF-8"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0, out.decode(errors="replace") + err.decode(errors="replace")
        return out.decode()

    return run
