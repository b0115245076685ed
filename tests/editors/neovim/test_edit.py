"""`:AiEdit`: lines rewritten by the program, shown as a diff, and changed only when accepted."""

import asyncio
import json
from typing import Any

import pytest

from tests.contract import chat
from tests.editors.neovim.conftest import Start
from tests.editors.neovim.nvim import Nvim
from tests.http.server import Gate, RawServer

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

TEXT = "def größe(n):\n    x = '世界'\n    return n\n\n\nprint(größe(1))\n"
NEW = "def größe(n: int) -> int:\n    x = '世界 👩\u200d👧'\n    y = 2\n    return n\n"
AFTER = [*NEW.splitlines(), "", "", "print(größe(1))"]


async def diff(nvim: Nvim) -> dict[str, Any]:
    """Return what is drawn: rows that go, and the lines that come below a row."""
    marks = await nvim.lua(
        """
        local ns = vim.api.nvim_get_namespaces()["ai-sidecar.edit"]
        local marks = ns and vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true }) or {}
        return vim.tbl_map(function(m)
          local text = {}
          for _, line in ipairs(m[4].virt_lines or {}) do table.insert(text, line[1][1]) end
          return { m[2], m[4].hl_group or "", m[4].end_row or -1, text }
        end, marks)
        """
    )
    gone = [row for first, group, end, _ in marks if group for row in range(first, end)]
    come = {row: [line.rstrip() for line in text] for row, _, _, text in marks if text}
    return {"gone": gone, "come": come}


async def until_shown(nvim: Nvim) -> None:
    await nvim.until(
        "vim.iter(vim.api.nvim_buf_get_keymap(0, 'n')):any("
        "function(m) return m.desc == 'ai-sidecar: accept the change' end)"
    )


def rewrites(service: RawServer, text: str = NEW) -> None:
    service.script(chat.streamed(["```python\n", text, "```"]))


@pytest.mark.parametrize("how", ["key", "command"])
async def test_a_range_is_shown_as_a_diff_and_accepted(
    how: str, start: Start, service: RawServer
) -> None:
    rewrites(service)
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.lua("vim.keymap.set('n', 'ga', 'ihis own<Esc>', { buffer = 0 })")
        await nvim.command("1,3AiEdit add types")
        await until_shown(nvim)
        assert await nvim.lines() == TEXT.splitlines()
        assert await diff(nvim) == {
            "gone": [0, 1],
            "come": {1: NEW.splitlines()[:3]},
        }
        asked = json.dumps(json.loads(service.requests[0].body)["messages"], ensure_ascii=False)
        assert "add types" in asked and "def größe(n):" in asked
        if how == "key":
            await nvim.type("ga")
        else:
            await nvim.command("AiAccept")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 7")
        assert await nvim.lines() == AFTER
        assert await diff(nvim) == {"gone": [], "come": {}}
        # One step of undo, and the user's own key is back.
        await nvim.type("u")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 6")
        assert await nvim.lines() == TEXT.splitlines()
        await nvim.type("ggga")
        await nvim.until("vim.api.nvim_get_current_line():find('his own') ~= nil")
        assert await nvim.notes() == []


@pytest.mark.parametrize("how", ["key", "command"])
async def test_it_is_rejected(how: str, start: Start, service: RawServer) -> None:
    rewrites(service)
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("1,3AiEdit add types")
        await until_shown(nvim)
        if how == "key":
            await nvim.type("gr")
        else:
            await nvim.command("AiReject")
        await nvim.until(
            "vim.fn.maparg('gr', 'n') == '' and #vim.api.nvim_buf_get_extmarks(0, "
            "vim.api.nvim_get_namespaces()['ai-sidecar.edit'], 0, -1, {}) == 0"
        )
        assert await nvim.lines() == TEXT.splitlines()
        assert await nvim.lua("return vim.bo.modified") is False
        await nvim.command("AiAccept")
        assert await nvim.notes() == ["ai-sidecar: there is no change to accept"]


async def test_a_change_meanwhile_is_not_overwritten(start: Start, service: RawServer) -> None:
    gate = Gate()
    service.script(
        [
            chat.HEAD,
            gate,
            chat.chunk(chat.delta(f"```python\n{NEW}```")),
            chat.chunk(chat.END),
            chat.LAST_CHUNK,
        ]
    )
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("1,3AiEdit add types")
        await asyncio.wait_for(gate.reached.wait(), 10)
        await nvim.type("Gonew line<Esc>")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 7")
        gate.open()
        await nvim.until("#NOTES == 1")
        assert await nvim.lines() == [*TEXT.splitlines(), "new line"]
        assert "changed" in (await nvim.notes())[0]


async def test_a_change_while_it_is_shown_drops_it(start: Start, service: RawServer) -> None:
    rewrites(service)
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("1,3AiEdit add types")
        await until_shown(nvim)
        await nvim.type("ggdd")
        await nvim.until("#NOTES == 1")
        assert "the edit was dropped" in (await nvim.notes())[0]
        assert await diff(nvim) == {"gone": [], "come": {}}
        assert await nvim.lines() == TEXT.splitlines()[1:]


async def test_it_is_stopped(start: Start, service: RawServer) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("```python\nde")), gate])
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("1,3AiEdit add types")
        await asyncio.wait_for(gate.reached.wait(), 10)
        await nvim.command("AiStop")
        await service.connections[0].closed()
        assert await nvim.notes() == ["ai-sidecar: stopped"]
        assert await nvim.lines() == TEXT.splitlines()
        assert await diff(nvim) == {"gone": [], "come": {}}


async def test_a_failure_is_told(start: Start, service: RawServer) -> None:
    service.script(chat.error(429, "slow down", "Retry-After: 3600"))
    async with start(text=TEXT, inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("1AiEdit add types")
        await nvim.until("#NOTES == 1")
        assert "slow down" in (await nvim.notes())[0]
        assert "try again in 3600 s" in (await nvim.notes())[0]


async def test_a_buffer_without_a_name(start: Start, service: RawServer) -> None:
    rewrites(service, "b = 2\n")
    async with start(inline={"enabled": False}) as nvim:
        await nvim.attached()
        await nvim.command("enew | set ft=python")
        await nvim.call("nvim_buf_set_lines", 0, 0, -1, False, ["a = 1"])
        await nvim.lua("vim.ui.input = function(opts, answer) answer('other names') end")
        await nvim.command("AiEdit")
        await until_shown(nvim)
        await nvim.type("ga")
        await nvim.until("vim.api.nvim_get_current_line() == 'b = 2'")


async def test_neovims_own_code_actions(start: Start, service: RawServer) -> None:
    """`gra`: the program's actions are offered, resolved and applied by Neovim alone."""
    async with start(text="def f(n):\n    return n\n", inline={"enabled": False}) as nvim:
        service.script(
            chat.streamed(['```python\ndef f(n):\n    """Return n."""\n    return n\n```'])
        )
        await nvim.attached()
        await nvim.lua(
            """
            vim.ui.select = function(items, _, choose)
              for _, item in ipairs(items) do
                if item.action.title == "AI: document" then return choose(item) end
              end
            end
            """
        )
        await nvim.type("gra")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 3")
        assert await nvim.lines() == ["def f(n):", '    """Return n."""', "    return n"]
