"""Makes docs/pictures/neovim.png: the plugin in a real terminal, with a scripted service behind it.

    .venv/bin/python tools/editors/neovim_picture.py

Needs what tools/editors/neovim.sh installs, and chromium. The screen is tmux's own text and colours
(`capture-pane -e`); Chromium only sets it in a monospaced font.
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from rich.console import Console  # noqa: E402 (after sys.path)
from rich.terminal_theme import TerminalTheme  # noqa: E402 (after sys.path)
from rich.text import Text  # noqa: E402 (after sys.path)

from tests.contract import chat  # noqa: E402 (after sys.path)
from tests.editors.neovim.nvim import init  # noqa: E402 (after sys.path)
from tests.editors.neovim.terminal import Terminal  # noqa: E402 (after sys.path)
from tests.http.server import RawServer, Recorded, Step  # noqa: E402 (after sys.path)

COLUMNS, ROWS = 118, 28
MODEL = "claude-sonnet-4-5"
PICTURE = ROOT / "docs" / "pictures" / "neovim.png"

FILE = '''\
"""Prices of a basket, in cents."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    name: str
    cents: int
    amount: int = 1


def total(items: list[Item]) -> int:
    return sum(item.cents * item.amount for item in items)


def dearest(items: list[Item]) -> Item | None:
    """Return the item with the highest price."""
'''
GHOST = "if not items:\n        return None\n    return max(items, key=lambda item: item.cents)"
ANSWER = """\
`frozen=True` makes the instances **immutable**: assigning to a field raises `FrozenInstanceError`.

- Two equal items have the same hash, so they can be keys of a `dict` and members of a `set`.
- A changed copy is made with `replace`:

```python
from dataclasses import replace

two = replace(item, amount=2)
```
"""

USAGE = chat.event(
    {
        "id": "c-1",
        "model": MODEL,
        "choices": [],
        "usage": {"prompt_tokens": 48, "completion_tokens": 112, "total_tokens": 160},
    }
)

LOOK = """
vim.o.termguicolors = true
vim.o.background = "dark"
vim.cmd.colorscheme("habamax")
vim.api.nvim_set_hl(0, "AiSidecarGhost", { fg = "#8a8a9e", italic = true })
vim.o.number, vim.o.ruler, vim.o.showmode = true, false, true
vim.o.laststatus = 3
vim.o.statusline = " %f %m%=%{v:lua.require'ai-sidecar'.status()}  %l:%c "
vim.o.fillchars = "eob: ,vert:│"
vim.api.nvim_set_hl(0, "WinSeparator", { fg = "#585858" })
vim.api.nvim_set_hl(0, "StatusLine", { fg = "#c6c6c6", bg = "#3a3a3a" })
vim.g.markdown_fenced_languages = { "python" }
"""

THEME = TerminalTheme(
    (28, 28, 28),
    (188, 188, 188),
    [
        (28, 28, 28), (215, 95, 95), (135, 175, 135), (175, 135, 95),
        (95, 135, 175), (175, 135, 175), (95, 135, 135), (158, 158, 158),
    ],
)  # fmt: skip

PAGE = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #1c1c1c; }}
pre {{ margin: 14px; font: 15px/19px "DejaVu Sans Mono", monospace; color: {foreground}; }}
{stylesheet}
</style><pre>{code}</pre>"""


def answer(request: Recorded) -> list[Step]:
    completes = "<|cursor|>" in request.body.decode()
    wanted = not completes or b"highest price" in request.body
    text = (GHOST if completes else ANSWER) if wanted else ""
    events = [chat.delta(text), chat.delta(finish="stop"), USAGE, b"data: [DONE]\n\n"]
    sent = [chat.chunk(event.replace(b"m-1", MODEL.encode())) for event in events]
    return [chat.HEAD, *sent, chat.LAST_CHUNK]


async def screen() -> str:
    """Return the screen, with its colours as escape sequences."""
    service = await RawServer.start(handler=answer)
    service.bodies_first = True
    options = {
        "default": "anthropic",
        "providers": {
            "anthropic": {
                "kind": "openai-compatible",
                "baseUrl": f"{service.origin}/v1",
                "apiKey": "none",
                "model": MODEL,
            }
        },
        "models": {f"anthropic/{MODEL}": {"prices": {"inputPerMTok": 3.0, "outputPerMTok": 15.0}}},
        "inline": {"enabled": True, "mode": "chat", "debounceMs": 0},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "basket.py").write_text(FILE)
        text = init(options, ask={"size": 52}) + LOOK
        size = {"columns": COLUMNS, "rows": ROWS}
        async with Terminal(folder, text, "basket.py", **size) as terminal:
            await terminal.until("class Item", " ai ")
            terminal.type(":6Ai what does frozen do here?\r")
            await terminal.until("— anthropic/", "$0.0")
            terminal.type("Go")
            await terminal.until("-- INSERT --", "return max(items")
            shown = await asyncio.to_thread(terminal.screen, colours=True)
    await service.aclose()
    return shown


def html(shown: str) -> str:
    console = Console(record=True, width=COLUMNS, file=StringIO(), force_terminal=True)
    console.print(Text.from_ansi(shown), soft_wrap=True)
    return console.export_html(theme=THEME, code_format=PAGE)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("chromium not found")
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "screen.html"
        page.write_text(html(asyncio.run(screen())))
        size = f"--window-size={COLUMNS * 9 + 48},{ROWS * 19 + 30}"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
        more = [f"--screenshot={PICTURE}", f"--user-data-dir={name}/profile", page.as_uri()]
        subprocess.run([chromium, *options, *more], check=True, capture_output=True, timeout=60)
    sys.stdout.write(f"{PICTURE}\n")


if __name__ == "__main__":
    main()
