"""Makes docs/pictures/emacs.svg: Emacs in a terminal, with an answer that is streaming in.

    .venv/bin/python -m tools.editors.emacs_picture

Needs emacs and tmux. The service is a scripted one on loopback; everything else is the real thing.
"""

import asyncio
import io
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.contract import chat
from tests.contract.process import PROGRAM, environment
from tests.http.server import Gate, RawServer

ROOT = Path(__file__).resolve().parents[2]
COLUMNS, ROWS = 100, 26

CODE = '''\
import socket

def drain(sock: socket.socket) -> bytes:
    """Return what has arrived by now."""
    sock.setblocking(False)
    parts = []
    while True:
        try:
            part = sock.recv(4096)
        except BlockingIOError:
            break
        parts.append(part)
    return b"".join(parts)
'''
ANSWER = """\
It never ends once the other side has closed: `recv` then returns
`b""` at once, and every time.

    part = sock.recv(4096)
    if not part:
        break

`BlockingIOError` means *nothing for now*; an empty result means
*nothing ever """


LISP = f"""
(setq inhibit-startup-screen t ai-sidecar-program "{PROGRAM}" python-indent-offset 4)
(menu-bar-mode -1) (global-font-lock-mode 1)
(require 'ai-sidecar)
(find-file "drain.py")
(split-window-right 50)
(setq display-buffer-overriding-action '((display-buffer-use-some-window)))
(run-at-time 0.5 nil (lambda ()
  (set-mark (point-min)) (goto-char (point-max)) (activate-mark)
  (ai-sidecar-ask "where is the bug?") (deactivate-mark)))
"""


async def screen() -> str:
    """Return the terminal's text and colours once the answer is half there."""
    gate = Gate()
    head, *events = chat.streamed([word + " " for word in ANSWER.split(" ")])
    service = await RawServer.start([head, *events[:-2], gate])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "drain.py").write_text(CODE, "utf-8")
        (folder / "init.el").write_text(LISP, "utf-8")
        user_file = folder / "config/ai-sidecar/config.toml"
        user_file.parent.mkdir(parents=True)
        user_file.write_text(
            '[providers.up]\nkind = "openai-compatible"\nmodel = "m"\napiKey = "sk-picture"\n'
            f'baseUrl = "{service.origin}/v1"\n',
            "utf-8",
        )
        emacs = ["emacs", "-nw", "-Q", "-L", str(ROOT / "editors/emacs"), "-l", "init.el"]
        size = ["-x", str(COLUMNS), "-y", str(ROWS)]
        try:
            tmux(folder, "new-session", "-d", *size, shlex.join(emacs))
            tmux(folder, "set", "-g", "status", "off")
            await asyncio.wait_for(gate.reached.wait(), 30)
            for _ in range(100):
                await asyncio.sleep(0.1)
                shown = tmux(folder, "capture-pane", "-e", "-p")
                if "nothing ever" in shown:
                    return shown
            raise SystemExit(f"the answer was not shown:\n{shown}")
        finally:
            gate.open()
            tmux(folder, "kill-server")
            await service.aclose()


def tmux(folder: Path, *arguments: str) -> str:
    """Have a tmux of its own do something."""
    command = ["tmux", "-u", "-S", str(folder / "tmux"), "-f", "/dev/null", *arguments]
    env = environment(folder, TERM="xterm-256color", LANG="C.UTF-8")
    done = subprocess.run(
        command, cwd=folder, env=env, check=True, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def svg_of(terminal: str) -> str:
    """Return a picture of the terminal, with no font from elsewhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(terminal), end="")
    svg = console.export_svg(title="Emacs", unique_id="emacs")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    target = ROOT / "docs/pictures/emacs.svg"
    target.write_text(svg_of(asyncio.run(screen())), "utf-8")
    sys.stdout.write(f"{target}\n")
