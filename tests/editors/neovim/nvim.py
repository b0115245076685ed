"""A real Neovim, without a screen, in folders of its own: typed into and looked at over its RPC."""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.process import PROGRAM
from tests.editors.neovim.msgpack import Incomplete, end_of, plain

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "editors" / "neovim"
SECONDS = 60.0
"""How long a condition may take: the whole suite may be running beside this."""

_KEPT = ("SYSTEMROOT", "TMPDIR", "TERMINFO", "TERMINFO_DIRS")


def program() -> str:
    """Return the path of nvim 0.11 or later, or skip."""
    own = ROOT / ".editors" / "neovim" / "bin" / "nvim"
    found = str(own) if own.exists() else shutil.which("nvim")
    if found is None:
        pytest.skip("nvim not found: run tools/editors/neovim.sh")
    return found


def environment(folder: Path, *, on_path: bool = True) -> dict[str, str]:
    """Return an environment without anybody's keys or configuration.

    `on_path`: whether ai-sidecar is on PATH.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    folders = [str(PROGRAM.parent)] if on_path else []
    homes = {
        f"XDG_{name}_HOME": str(folder / name.lower())
        for name in ("CONFIG", "DATA", "STATE", "CACHE")
    }
    return {
        **kept,
        **homes,
        "HOME": str(folder),
        "PATH": os.pathsep.join([*folders, "/usr/local/bin", "/usr/bin", "/bin"]),
        "LANG": "C.UTF-8",
        "NVIM_LOG_FILE": str(folder / "nvim.log"),
        "AI_SIDECAR_LEDGER": "off",
    }


def lua(value: Any) -> str:
    """Return `value` as Lua text."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"[ {lua(k)} ] = {lua(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(map(lua, value)) + "}"
    return f"{value}" if isinstance(value, int | float) else f"[==[{value}]==]"


def copied(folder: Path) -> Path:
    """Return the plugin as it is outside of a clone, which has a program of its own."""
    return shutil.copytree(PLUGIN, folder / "plugin")


def init(options: dict[str, Any], *, plugin: Path = PLUGIN, **more: Any) -> str:
    """Return an init.lua that takes the plugin from its own folder, and its settings from here."""
    return (
        "vim.o.swapfile = false\n"
        "NOTES = {}\n"
        "vim.notify = function(text, level) table.insert(NOTES, text) end\n"
        f"vim.opt.runtimepath:prepend({lua(str(plugin))})\n"
        f"require('ai-sidecar').setup({lua({'settings': options, **more})})\n"
    )


class Nvim:
    """Use as an asynchronous context manager. `init` is the text of init.lua.

    Leaving it fails the test if Neovim's log of language servers has an error, unless `quiet` is
    False: each line that the program writes to stderr is one there.
    """

    def __init__(
        self,
        folder: Path,
        init: str,
        *arguments: str,
        on_path: bool = True,
        quiet: bool = True,
    ) -> None:
        self._folder = folder
        self._quiet = quiet
        self._arguments = arguments
        self._env = environment(folder, on_path=on_path)
        (folder / "config" / "nvim").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "nvim" / "init.lua").write_text(init)
        self._count = 0
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def __aenter__(self) -> "Nvim":
        self.process = await asyncio.create_subprocess_exec(
            program(),
            "--embed",
            "--headless",
            *self._arguments,
            stdin=PIPE,
            stdout=PIPE,
            cwd=self._folder,
            env=self._env,
        )
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.process.returncode is None:
            self._send("nvim_command", ["qall!"])
        try:
            async with asyncio.timeout(SECONDS):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise
        finally:
            await self._reader
            assert self.process.stdin is not None
            self.process.stdin.close()
        if kind is None and self._quiet:
            log = self._folder / "state" / "nvim" / "lsp.log"
            said = log.read_text() if log.exists() else ""
            assert [line for line in said.splitlines() if line.startswith("[ERROR]")] == []

    async def _read(self) -> None:
        assert self.process.stdout is not None
        data = b""
        while piece := await self.process.stdout.read(1 << 16):
            data += piece
            while data:
                try:
                    end = end_of(data)
                except Incomplete:
                    break
                self._take(data[:end])
                data = data[end:]
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(EOFError("nvim has ended"))

    def _take(self, message: bytes) -> None:
        kind, *rest = msgspec.msgpack.decode(message, ext_hook=lambda code, data: code)
        if kind != 1:
            return
        number, error, result = rest
        answer = self._answers.pop(number, None)
        if answer is None or answer.done():
            return
        if error is not None:
            answer.set_exception(AssertionError(plain(error)[1]))
        else:
            answer.set_result(plain(result))

    def _send(self, method: str, arguments: list[Any]) -> int:
        self._count += 1
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.msgpack.encode([0, self._count, method, arguments]))
        return self._count

    async def call(self, method: str, *arguments: Any) -> Any:
        number = self._send(method, list(arguments))
        self._answers[number] = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(SECONDS):
            return await self._answers[number]

    # --- what tests use -----------------------------------------------------------------------

    async def lua(self, code: str, *arguments: Any) -> Any:
        """Run Lua and return what it returns."""
        return await self.call("nvim_exec_lua", code, list(arguments))

    async def command(self, text: str) -> None:
        await self.call("nvim_command", text)

    async def type(self, keys: str) -> None:
        """Type keys; `<` is written `<lt>`."""
        await self.call("nvim_input", keys)

    async def until(self, expression: str, *arguments: Any) -> Any:
        """Wait until the Lua expression is neither nil nor false, and return it."""
        code = f"return {expression}"
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        while not (value := await self.lua(code, *arguments)):
            if loop.time() > end:
                said = await self.lua("return vim.api.nvim_exec2('messages', {output = true})")
                told = f"{await self.notes()}\n{said}\n{await self.lines()}"
                raise AssertionError(f"never true: {expression}\n{told}")
            await asyncio.sleep(0.02)
        return value

    async def lines(self, buffer: int = 0) -> list[str]:
        return await self.call("nvim_buf_get_lines", buffer, 0, -1, False)

    async def notes(self) -> list[str]:
        """Return what the user was told."""
        return await self.lua("return NOTES or {}")

    async def attached(self) -> None:
        """Wait until the current buffer is known to the program."""
        await self.until("#vim.lsp.get_clients({ name = 'ai_sidecar', bufnr = 0 }) == 1")

    async def ghost(self) -> list[str] | None:
        """Return the lines of the ghost text, None if there is none."""
        return await self.lua(
            """
            local ns = vim.api.nvim_get_namespaces()["ai-sidecar.ghost"]
            local mark = ns and vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })[1]
            if not mark then return nil end
            local function joined(chunks)
              return table.concat(vim.tbl_map(function(c) return c[1] end, chunks or {}))
            end
            local lines = { joined(mark[4].virt_text) }
            for _, below in ipairs(mark[4].virt_lines or {}) do
              table.insert(lines, joined(below))
            end
            return lines
            """
        )

    async def until_ghost(self, *lines: str) -> None:
        """Wait until exactly this is shown."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        while (shown := await self.ghost()) != list(lines):
            if loop.time() > end:
                raise AssertionError(f"shown: {shown}, not {lines}\n{await self.notes()}")
            await asyncio.sleep(0.02)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


def children_of(parent: int) -> list[int]:
    found: list[int] = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            child = int(status.parent.name)
            found += [child, *children_of(child)]
    return found


async def until_gone(processes: list[int]) -> None:
    """Wait until none of the processes is there any more (a zombie counts as gone)."""
    async with asyncio.timeout(SECONDS):
        while any(_lives(process) for process in processes):
            await asyncio.sleep(0.02)


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
