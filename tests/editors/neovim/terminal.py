"""A real terminal: Neovim in a tmux of its own, typed into with keys, looked at as text."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.editors.neovim.nvim import SECONDS, environment, program


class Terminal:
    """Use as an asynchronous context manager; leaving it ends tmux and what runs in it."""

    def __init__(
        self, folder: Path, init: str, *arguments: str, columns: int = 100, rows: int = 30
    ) -> None:
        if shutil.which("tmux") is None:
            pytest.skip("tmux not found: run tools/editors/neovim.sh")
        self._folder = folder
        self._socket = str(folder / "tmux")
        self._size = ["-x", str(columns), "-y", str(rows)]
        self._command = [program(), *arguments]
        self._env = {**environment(folder), "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        (folder / "config" / "nvim").mkdir(parents=True, exist_ok=True)
        (folder / "config" / "nvim" / "init.lua").write_text(init)
        (folder / "tmux.conf").write_text(
            "set -g default-terminal tmux-256color\nset -g status off\nset -sg escape-time 0\n"
            "set -as terminal-features ',*:RGB'\n"
        )

    def tmux(self, *arguments: str) -> str:
        config = str(self._folder / "tmux.conf")
        done = subprocess.run(
            ["tmux", "-u", "-S", self._socket, "-f", config, *arguments],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    async def __aenter__(self) -> "Terminal":
        self.tmux("new-session", "-d", *self._size, *self._command)
        self.nvim = int(self.tmux("display-message", "-p", "#{pane_pid}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        subprocess.run(
            ["tmux", "-S", self._socket, "kill-server"], capture_output=True, check=False
        )

    def keys(self, *keys: str) -> None:
        """Press keys by tmux's names."""
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type text as it is."""
        self.tmux("send-keys", "-l", text)

    def screen(self, *, colours: bool = False) -> str:
        return self.tmux("capture-pane", "-p", *(["-e"] if colours else []))

    async def until(self, *texts: str) -> str:
        """Wait until all of `texts` are on the screen, and return it."""
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        while True:
            # tmux is waited for in a thread: the service answers in this loop.
            screen = await asyncio.to_thread(self.screen)
            if all(text in screen for text in texts):
                return screen
            if loop.time() > end:
                raise AssertionError(f"never on the screen: {texts}\n{screen}")
            await asyncio.sleep(0.05)
