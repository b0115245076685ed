"""In a real terminal: what a person sees while typing, asking, and having lines rewritten."""

from pathlib import Path

import pytest

from tests.contract import chat
from tests.contract.conftest import options
from tests.editors.neovim.nvim import children_of, init, lua, until_gone
from tests.editors.neovim.terminal import Terminal
from tests.http.server import Gate, RawServer, Recorded, Step

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

STATUS = "vim.o.laststatus = 2\nvim.o.statusline = [[%{v:lua.require'ai-sidecar'.status()}]]\n"


def speak(service: RawServer) -> None:
    """Complete, answer and rewrite, each with a text of its own."""

    def answer(request: Recorded) -> list[Step]:
        body = request.body.decode()
        if "<|cursor|>" in body:
            here = "return <|cursor|>" in body
            return chat.streamed(["größe * 2\n\n\nprint(doppelt('世界'))"] if here else [])
        if "for ever" in body:
            return [chat.HEAD, chat.chunk(chat.delta("half an ans")), Gate()]
        if "double it" in body:
            return chat.streamed(["```python\n    return größe + größe\n```"])
        return chat.streamed(["An *answer* with 世界 and ", "👋 in it."])

    service.bodies_first = True
    service._scripts = answer  # its own way in is the constructor's


async def test_a_person_types_asks_and_edits(tmp_path: Path, service: RawServer) -> None:
    speak(service)
    (tmp_path / "app.py").write_text("def doppelt(größe):\n    return größe\n")
    inline = {"enabled": True, "debounceMs": 50, "mode": "chat"}
    text = init(options(service, inline=inline)).replace("vim.notify =", "local _ =") + STATUS
    async with Terminal(tmp_path, text, "app.py") as terminal:
        await terminal.until("def doppelt", "\nai")  # the statusline: the program has spoken
        sidecars = children_of(terminal.nvim)
        terminal.keys("j", "c", "c")
        terminal.type("return ")  # indented by Neovim
        screen = await terminal.until("return größe * 2", "print(doppelt('世界'))")
        # Not in the file, but on the screen: below it, Neovim's lines without text.
        assert screen.index("print(doppelt") < screen.index("~")
        terminal.keys("Tab")
        terminal.type(" # so")
        await terminal.until("print(doppelt('世界')) # so")
        terminal.keys("Escape")
        terminal.type(":Ai what is it?\r")
        screen = await terminal.until("An *answer* with 世界 and 👋 in it.", "— up/m", "8 tokens")
        first = screen.splitlines()[0]
        assert first.startswith("def doppelt(größe):") and "## You" in first
        terminal.type(":2AiEdit double it\r")
        screen = await terminal.until("ga accepts, gr rejects", "return größe + größe")
        assert "return größe * 2" in screen
        terminal.type("ga")
        while "größe * 2" in await terminal.until("return größe + größe"):
            pass
        terminal.type(":Ai! go on for ever\r")
        await terminal.until("half an ans")
        terminal.type(":AiStop\r")
        await terminal.until("— stopped")
        await service.requests[-1].connection.closed()
        terminal.type(":wqa!\r")
        await until_gone([terminal.nvim, *sidecars])
    assert (tmp_path / "app.py").read_text() == (
        "def doppelt(größe):\n    return größe + größe\n\n\nprint(doppelt('世界')) # so\n"
    )


async def test_the_missing_program_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x = 1\n")
    absent = lua({"cmd": ["/nowhere/ai-sidecar"]})
    text = init({}).replace("vim.notify =", "local _ =").replace("setup(", f"setup({absent}, ")
    async with Terminal(tmp_path, text, "a.py", columns=200) as terminal:
        await terminal.until("the program was not found", ":AiInstall installs it")
