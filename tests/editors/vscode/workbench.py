"""VS Code's workbench (code-server) with the packaged extension in it, in headless Chromium.

Everything is of this run: user data, extensions, home. The program that the extension starts is the
one of `.venv`. What is here opens and drives; what is expected stands in the tests.
"""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / ".editors" / "vscode"
VSIX = TOOLS / "ai-sidecar.vsix"
NODE = TOOLS / "node_modules" / "node" / "bin" / "node"
SERVER = TOOLS / "node_modules" / "code-server" / "out" / "node" / "entry.js"
PROGRAM = Path(sys.executable).with_name("ai-sidecar")
SECONDS = 30.0
"""How long the workbench may take for one thing: other work may be running beside this."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "files.autoSave": "off",
    "files.hotExit": "off",
    "security.workspace.trust.enabled": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "extensions.autoUpdate": False,
    "extensions.autoCheckUpdates": False,
    "extensions.ignoreRecommendations": True,
    "workbench.startupEditor": "none",
    "workbench.tips.enabled": False,
    "workbench.enableExperiments": False,
    "workbench.settings.enableNaturalLanguageSearch": False,
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "chat.disableAIFeatures": True,
    "editor.minimap.enabled": False,
    "editor.quickSuggestions": {"other": "off", "comments": "off", "strings": "off"},
    "editor.wordBasedSuggestions": "off",
    "editor.inlineSuggest.enabled": True,
    "editor.accessibilitySupport": "off",
    "git.enabled": False,
}


def chromium() -> str:
    """Return where Chromium is; skips without it."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if found is None:
        pytest.skip("chromium not found: run tools/editors/vscode.sh")
    return found


def require(*files: Path) -> None:
    """Skip where one of `files` is missing."""
    for file in files:
        if not file.exists():
            pytest.skip(f"{file.name} not found: run tools/editors/vscode.sh")


def playwright() -> Any:
    """Return Playwright's asynchronous API, from where the script has put it."""
    chromium()
    folder = TOOLS / "python"
    require(NODE, SERVER, VSIX, folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    from playwright import async_api

    return async_api


class Workbench:
    """`start` it, `open` a page, drive it with the rest, `aclose` it.

    `folder` holds everything; `files` are written into the workspace, `settings` are the user's,
    and `also` are packages of further extensions.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        files: dict[str, str],
        *,
        also: Sequence[Path] = (),
    ) -> None:
        self._packages = [VSIX, *also]
        self.data = folder / "data"
        self.workspace = folder / "project"
        self._extensions = folder / "extensions"
        self.home = folder / "home"
        for made in (self.workspace, self.home, self.data / "User"):
            made.mkdir(parents=True)
        for name, text in files.items():
            (self.workspace / name).write_text(text, encoding="utf-8")
        self.set(settings)
        self._server: Process | None = None
        self._driver: Any = None
        self._browser: Any = None
        self.page: Any = None
        self._port = 0

    def set(self, settings: dict[str, Any]) -> None:
        """Write the user's settings; the editor notices."""
        text = json.dumps({**SETTINGS, **settings}, indent=2)
        (self.data / "User" / "settings.json").write_text(text, encoding="utf-8")
        machine = self.data / "Machine"
        machine.mkdir(exist_ok=True)
        ours = {name: value for name, value in settings.items() if name.startswith("aiSidecar.")}
        (machine / "settings.json").write_text(json.dumps(ours), encoding="utf-8")

    # --- life ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Install the packaged extension, and start the server."""
        await self._run(*(f"--install-extension={package}" for package in self._packages))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        address = f"127.0.0.1:{self._port}"
        quiet = ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"]
        arguments = ["--auth", "none", "--bind-addr", address, *quiet, str(self.workspace)]
        self._server = await self._spawn(*arguments)
        assert self._server.stdout is not None
        async with asyncio.timeout(SECONDS * 2):
            while b"HTTP server listening" not in (line := await self._server.stdout.readline()):
                assert line, "code-server ended"
        self._drain = asyncio.create_task(self._server.stdout.read())

    async def open(self, width: int = 1280, height: int = 800) -> None:
        """Open the workbench in a new browser, and wait until it can be used."""
        api = playwright()
        self._driver = await api.async_playwright().start()
        profile = self.home / "chromium"
        self._browser = await self._driver.chromium.launch_persistent_context(
            str(profile),
            executable_path=chromium(),
            headless=True,
            args=FLAGS,
            viewport={"width": width, "height": height},
            permissions=["clipboard-read", "clipboard-write"],
        )
        self._browser.set_default_timeout(SECONDS * 1000)
        self.page = self._browser.pages[0]
        payload = json.dumps([["logLevel", "trace"]])
        await self.page.goto(
            f"http://127.0.0.1:{self._port}/?folder={self.workspace}&payload={payload}"
        )
        await self.page.locator(".monaco-workbench .statusbar").wait_for()

    async def aclose(self) -> None:
        """Close the browser, and end the server."""
        if self._browser is not None:
            await self._browser.close()
        if self._driver is not None:
            await self._driver.stop()
        if self._server is not None:
            self._server.terminate()
            await self._server.wait()
            await self._drain

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        return {
            **kept,
            "PATH": os.pathsep.join([str(NODE.parent), "/usr/bin", "/bin"]),
            "HOME": str(self.home),
            "AI_SIDECAR_LEDGER": "off",
        }

    async def _spawn(self, *arguments: str) -> Process:
        folders = ["--user-data-dir", str(self.data), "--extensions-dir", str(self._extensions)]
        command = [str(NODE), str(SERVER), *folders, *arguments]
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment(),
            cwd=self.home,
        )

    async def _run(self, *arguments: str) -> None:
        process = await self._spawn(*arguments)
        async with asyncio.timeout(SECONDS * 2):
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()

    # --- driving ------------------------------------------------------------------------

    async def command(self, title: str) -> None:
        """Run a command by its title in the palette."""
        await self.page.keyboard.press("F1")
        box = self.page.locator(".quick-input-widget input[type=text]").first
        await box.wait_for(state="visible")
        await box.fill(f">{title}")
        rows = self.page.locator(".quick-input-list .monaco-list-row")
        await rows.filter(has_text=title.removeprefix("ai-sidecar: ")).first.wait_for()
        await self.page.keyboard.press("Enter")

    async def open_file(self, name: str) -> None:
        """Open a file of the workspace in an editor."""
        await self.page.keyboard.press("Control+P")
        box = self.page.locator(".quick-input-widget input[type=text]").first
        await box.wait_for(state="visible")
        await box.fill(name)
        await (
            self.page.locator(".quick-input-list .monaco-list-row")
            .filter(has_text=name)
            .first.wait_for()
        )
        await self.page.keyboard.press("Enter")
        await self.page.locator(f'.tab.active[data-resource-name="{name}"]').wait_for()
        await self.page.locator(".monaco-editor.focused").first.wait_for()

    async def until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until `holds()`, looking twenty times a second: for what no event tells of."""
        async with asyncio.timeout(SECONDS):
            while not holds():
                await asyncio.sleep(0.05)

    async def ghost(self, text: str, *, within: float = SECONDS) -> None:
        """Wait until `text` is the first line of what is shown as a completion."""
        # Further lines are in an element of their own, which may stand before the first.
        await self.page.wait_for_function(
            """text => {
                const first = [...document.querySelectorAll('.view-lines [class*="ghost-text"]')];
                const whole = first.map(part => part.textContent).join('');
                return whole.replaceAll('\\u00a0', ' ') === text;
            }""",
            arg=text,
            timeout=within * 1000,
        )

    async def type_until(self, key: str, ghost: str) -> None:
        """Type a character, and wait for the completion that follows it.

        An editor that was opened first makes its completion's part only when it is idle, and lets
        what was typed before go by: then the character is typed anew.
        """
        for _ in range(5):
            await self.page.keyboard.type(key)
            with contextlib.suppress(playwright().TimeoutError):
                return await self.ghost(ghost, within=SECONDS / 8)
            await self.page.keyboard.press("Backspace")
        raise AssertionError(f"{ghost!r} was not shown")

    async def place(self, line: int) -> None:
        """Put the cursor at the end of a line, counted from 1."""
        await self.page.keyboard.press("Control+Home")
        for _ in range(line - 1):
            await self.page.keyboard.press("ArrowDown")
        await self.page.keyboard.press("End")

    async def answer(self, text: str) -> None:
        """Type into the box that asks for something, and confirm."""
        box = self.page.locator(".quick-input-widget input").first
        await box.wait_for(state="visible")
        await box.fill(text)
        await self.page.keyboard.press("Enter")

    async def pick(self, label: str) -> None:
        """Pick a row of the quick pick."""
        await self.rows().filter(has_text=label).first.click()

    async def save(self, name: str) -> None:
        """Save the active editor, and wait until it is."""
        await self.page.keyboard.press("Control+S")
        await self.page.locator(f'.tab.active:not(.dirty)[data-resource-name="{name}"]').wait_for()

    def text(self, name: str) -> str:
        """Return a file of the workspace."""
        return (self.workspace / name).read_text(encoding="utf-8")

    async def clipboard(self, expected: str) -> str:
        """Return the clipboard's text, once it is `expected` or time is up."""
        text = ""
        for _ in range(100):
            text = await self.page.evaluate("navigator.clipboard.readText()")
            if text == expected:
                break
            await asyncio.sleep(0.05)
        return text

    async def picture(self, name: str, folder: Path) -> Path:
        """Keep what is to be seen now."""
        file = folder / name
        await self.page.screenshot(path=str(file))
        return file

    async def tidy(self) -> None:
        """Leave no dialog, no conversation, no editor."""
        for _ in range(2):
            await self.page.keyboard.press("Escape")
        await self.command("ai-sidecar: New Conversation")
        await self.command("File: Revert File")
        await self.command("View: Close All Editors")
        await self.page.locator(".tab").first.wait_for(state="detached")

    def rows(self) -> Any:
        """Return the rows of what the quick pick shows."""
        return self.page.locator(".quick-input-list .monaco-list-row")

    def ask_view(self) -> Any:
        """Return the frame of the ask view."""
        outer = self.page.frame_locator("iframe.webview.ready")
        return outer.frame_locator("iframe#active-frame")

    def status(self) -> Any:
        """Return our item of the status bar."""
        return self.page.locator('.statusbar-item[id*="aiSidecar.status"]')
