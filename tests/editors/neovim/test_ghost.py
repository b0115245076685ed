"""Ghost text: shown at the cursor, shortened by what is typed, taken whole or in parts, told of."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.contract import chat
from tests.editors.neovim.conftest import Start
from tests.editors.neovim.nvim import Nvim
from tests.http.server import RawServer, Recorded, Step

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]


def answers(service: RawServer, texts: dict[str, str]) -> None:
    """Answer by what stands before the cursor; with nothing where none of `texts` fits."""

    def answer(request: Recorded) -> Sequence[Step]:
        (message,) = json.loads(request.body)["messages"][-1:]
        said = message["content"]
        said = said if isinstance(said, str) else said[0]["text"]
        before = said.partition("<|cursor|>")[0]
        fitting = [text for ending, text in texts.items() if before.endswith(ending)]
        return chat.streamed(fitting)

    service.bodies_first = True
    service.script()
    service._scripts = answer  # its own way in is the constructor's


async def begin(nvim: Nvim, keys: str) -> None:
    """Wait for the program, and type into the file's last line."""
    await nvim.attached()
    await nvim.type(f"GA{keys}")


async def inline_counts(nvim: Nvim) -> dict[str, Any]:
    return await nvim.lua(
        "return vim.lsp.get_clients({ name = 'ai_sidecar' })[1]"
        ":request_sync('ai/metrics', vim.empty_dict(), 5000).result.inline"
    )


async def test_it_is_shown_and_taken(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "n + 1"})
    async with start(text="def f(n):\n    return") as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("n + 1")
        assert await nvim.lines() == ["def f(n):", "    return "]
        assert (await inline_counts(nvim))["shown"] == 1
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_get_current_line() == '    return n + 1'")
        assert await nvim.ghost() is None
        counts = await inline_counts(nvim)
        assert (counts["accepted"], counts["partlyAccepted"]) == (1, 0)
        # Typing goes on behind it, and taking it is one step back.
        await nvim.type(" # done<Esc>")
        await nvim.until("vim.api.nvim_get_current_line() == '    return n + 1 # done'")
        await nvim.type("u")
        await nvim.until("vim.api.nvim_get_current_line() == '    return n + 1'")
        await nvim.type("u")
        await nvim.until("vim.api.nvim_get_current_line() == '    return '")
        assert await nvim.notes() == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
async def test_many_lines_and_many_bytes(encoding: str, start: Start, service: RawServer) -> None:
    """A cursor's column is bytes to Neovim, and to the program whatever was agreed."""
    offered = f"{{ general = {{ positionEncodings = {{ '{encoding}' }} }} }}"
    before = f"vim.lsp.config('ai_sidecar', {{ capabilities = {offered} }})\n"
    text = "世界 👩\u200d👧'\n    größe = 1\n\n    return größe"
    answers(service, {"😀é ": text})
    async with start(text="def fünf():\n    gruß = '😀é", before=before) as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("世界 👩\u200d👧'", "    größe = 1", "", "    return größe")
        agreed = "vim.lsp.get_clients({ name = 'ai_sidecar' })[1].offset_encoding"
        assert await nvim.lua(f"return {agreed}") == encoding
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 5")
        assert await nvim.lines() == [
            "def fünf():",
            "    gruß = '😀é 世界 👩\u200d👧'",
            "    größe = 1",
            "",
            "    return größe",
        ]
        assert await nvim.lua("return vim.api.nvim_win_get_cursor(0)") == [5, 18]
        await nvim.type("<Esc>u")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 2")


async def test_word_by_word_and_line_by_line(start: Start, service: RawServer) -> None:
    answers(service, {"x = ": "größe(世界) + 1\n    y = 2\n    return x"})
    async with start(text="def f():\n    x =") as nvim:
        told = "TOLD = {}; vim.api.nvim_create_autocmd('LspNotify', { callback = function(args)"
        told += " if args.data.method:find('Partially') then"
        told += " table.insert(TOLD, args.data.params.acceptedLength) end end })"
        await nvim.lua(told)
        await begin(nvim, " ")
        await nvim.until_ghost("größe(世界) + 1", "    y = 2", "    return x")
        for line, rest in (
            ("    x = größe", "(世界) + 1"),
            ("    x = größe(", "世界) + 1"),
            ("    x = größe(世界", ") + 1"),
        ):
            await nvim.type("<C-Right>")
            await nvim.until("vim.api.nvim_get_current_line() == ...", line)
            assert await nvim.ghost() == [rest, "    y = 2", "    return x"]
        await nvim.type("<C-Down>")
        await nvim.until_ghost("", "    y = 2", "    return x")
        await nvim.type("<C-Down>")
        await nvim.until_ghost("", "    return x")
        await nvim.type("<C-Down>")
        await nvim.until("vim.api.nvim_get_current_line() == '    return x'")
        assert (await nvim.lines())[1:] == ["    x = größe(世界) + 1", "    y = 2", "    return x"]
        # All that was taken so far, in UTF-16 units; the last part is the acceptance of the whole.
        assert await nvim.lua("return TOLD") == [5, 6, 8, 13, 23]
        counts = await inline_counts(nvim)
        assert (counts["shown"], counts["accepted"], counts["partlyAccepted"]) == (1, 1, 1)


async def test_what_is_typed_along_keeps_it(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "alpha\n    beta"})
    async with start(text="def f():\n    return") as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("alpha", "    beta")
        asked = len(service.requests)
        await nvim.lua(
            "GONE = 0; vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI' }, { callback ="
            " function() if not require('ai-sidecar').has_ghost() then GONE = GONE + 1 end end })"
        )
        for typed, rest in (
            ("al", ["pha", "    beta"]),
            ("pha", ["", "    beta"]),
            ("<BS>", ["a", "    beta"]),
            ("a<CR>", ["    beta"]),
        ):
            await nvim.type(typed)
            await nvim.until_ghost(*rest)
        assert await nvim.lua("return GONE") == 0
        assert len(service.requests) == asked
        await nvim.type("x")
        await nvim.until("not require('ai-sidecar').has_ghost()")
        await service.arrived(asked + 1)


async def test_it_goes_with_the_cursor_and_the_mode(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "alpha"})
    async with start(text="def f():\n    return") as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        await nvim.type("<Left>")
        await nvim.until("not require('ai-sidecar').has_ghost()")
        assert await nvim.ghost() is None
        await nvim.type("<End>")
        await nvim.lua("require('ai-sidecar').trigger()")
        await nvim.until_ghost("alpha")
        await nvim.type("<Esc>")
        await nvim.until("not require('ai-sidecar').has_ghost()")
        assert await nvim.ghost() is None
        await nvim.type("A")
        await nvim.until_ghost("alpha")
        await nvim.type("<C-]>")
        await nvim.until("not require('ai-sidecar').has_ghost()")
        assert await nvim.lua("return vim.api.nvim_get_mode().mode") == "i"


@pytest.mark.parametrize("where", ["buffer", "global", "nowhere"])
async def test_tab_is_what_it_was(where: str, start: Start, service: RawServer) -> None:
    answers(service, {"return ": "alpha"})
    async with start(text="def f():\n    return") as nvim:
        if where != "nowhere":
            opts = "{ buffer = 0 }" if where == "buffer" else "{}"
            await nvim.lua(f"vim.keymap.set('i', '<Tab>', 'mine', {opts})")
        mine = "\t" if where == "nowhere" else "mine"
        await nvim.command("set noexpandtab softtabstop=0")
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_get_current_line() == '    return alpha'")
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_get_current_line() == ...", f"    return alpha{mine}")


async def test_no_keys_where_none_are_wanted(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "alpha"})
    async with start(text="def f():\n    return", ghost={"keymaps": False}) as nvim:
        await nvim.lua(
            "vim.keymap.set('i', '<F2>', function() require('ai-sidecar').accept('all') end)"
        )
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        assert await nvim.lua("return vim.fn.maparg('<Tab>', 'i')") == await nvim.lua(
            "vim.cmd.stopinsert(); return vim.fn.maparg('<Tab>', 'i')"
        )
        await nvim.until("vim.api.nvim_get_mode().mode == 'n'")
        await nvim.type("A")
        await nvim.until_ghost("alpha")
        await nvim.type("<F2>")
        await nvim.until("vim.api.nvim_get_current_line() == '    return alpha'")


async def test_in_the_middle_of_a_line(start: Start, service: RawServer) -> None:
    """The rest of the line stays behind a text of one line."""
    answers(service, {"call(a": ", b"})
    async with start(text="call()\n") as nvim:
        await nvim.attached()
        await nvim.type("ggf(aa")
        await nvim.until_ghost(", b")
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_get_current_line() == 'call(a, b)'")


async def test_buffers_without_a_name(start: Start, service: RawServer) -> None:
    """Two of them at once, each with its own text."""
    answers(service, {"first = ": "one", "second = ": "two"})
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("enew | set ft=python")
        await nvim.type("ifirst = ")
        await nvim.until_ghost("one")
        assert "first = " in body(service)
        await nvim.type("<Esc>")
        await nvim.command("new | set ft=lua")
        await nvim.type("isecond = ")
        await nvim.until_ghost("two")
        assert "second = " in body(service) and "first" not in body(service)
        # With a name it is a file like any other.
        await nvim.type("<Esc>")
        await nvim.command("write second.lua")
        await nvim.attached()


def body(service: RawServer) -> str:
    return json.dumps(json.loads(service.requests[-1].body)["messages"], ensure_ascii=False)


@pytest.mark.parametrize("kind", ["nofile", "prompt", "terminal", "acwrite"])
async def test_special_buffers_are_left_alone(kind: str, start: Start, service: RawServer) -> None:
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("terminal cat" if kind == "terminal" else f"new | set buftype={kind}")
        await nvim.command("doautocmd InsertEnter")
        assert await nvim.lua("return #vim.lsp.get_clients({ bufnr = 0 })") == 0
        await nvim.type("ix = ")
        await nvim.call("nvim_get_mode")
        assert await nvim.ghost() is None and service.requests == []


async def test_off_and_on(start: Start, service: RawServer) -> None:
    answers(service, {"x = ": "alpha"})
    async with start(text="x =") as nvim:
        await nvim.attached()
        await nvim.command("AiGhost off")
        await nvim.type("A ")
        await nvim.until("vim.api.nvim_get_current_line() == 'x = '")
        await nvim.type("<Esc>")
        await nvim.until("vim.api.nvim_get_mode().mode == 'n'")
        assert service.requests == []
        await nvim.command("AiGhost on")
        await nvim.type("A")
        await nvim.until_ghost("alpha")
        assert "x = <|cursor|>" in body(service)


async def test_a_failure_is_told_once(start: Start) -> None:
    async with start(text="x =") as nvim:
        await nvim.attached()
        # The program itself answers failures with nothing; what is left are bugs and strangers.
        await nvim.lua(
            """
            FAILS = 'first'
            local client = vim.lsp.get_clients({ name = 'ai_sidecar' })[1]
            local request = client.request
            function client:request(method, params, handler, buf)
              if method ~= 'textDocument/inlineCompletion' then
                return request(self, method, params, handler, buf)
              end
              vim.schedule(function() handler({ code = -32603, message = FAILS }) end)
              return true, 0
            end
            """
        )
        await nvim.type("A a")
        await nvim.until("#NOTES == 1")
        await nvim.type("bcd")
        await nvim.until("vim.api.nvim_get_current_line() == 'x = abcd'")
        await nvim.lua("FAILS = 'second'")
        await nvim.type("e")
        await nvim.until("#NOTES == 2")
        notes = await nvim.notes()
        assert notes == ["ai-sidecar: no completion: first", "ai-sidecar: no completion: second"]


async def test_where_lines_end_with_two_bytes(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "n +\n\t\tm"})
    async with start(text="func f() {\r\n\treturn\r\n", name="f.go") as nvim:
        await nvim.attached()
        assert await nvim.lua("return vim.bo.fileformat") == "dos"
        await nvim.command("setlocal tabstop=4")
        await nvim.type("GA ")
        await nvim.until_ghost("n +", "        m")  # tabs are as wide as they will be
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 3")
        assert await nvim.lines() == ["func f() {", "\treturn n +", "\t\tm"]


async def test_a_block_before_the_rest_of_the_line(start: Start, service: RawServer) -> None:
    """What follows the cursor is drawn where it will be: behind the last line."""
    answers(service, {"call(": "a,\n  b"})
    async with start(text="call(   )") as nvim:
        await nvim.attached()
        await nvim.type("0f(a")
        await nvim.lua("vim.schedule(function() require('ai-sidecar').trigger() end)")
        await nvim.until_ghost("a,  ", "  b   )")
        await nvim.type("<Tab>")
        await nvim.until("vim.api.nvim_buf_line_count(0) == 2")
        assert await nvim.lines() == ["call(a,", "  b   )"]


async def test_it_stays_in_its_window(start: Start, service: RawServer) -> None:
    """Leaving the window hides it, and the keys there are nobody's."""
    answers(service, {"return ": "alpha"})
    async with start(text="def f():\n    return") as nvim:
        await nvim.command("split")
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        await nvim.command("wincmd w")
        await nvim.until("not require('ai-sidecar').has_ghost()")
        assert await nvim.ghost() is None
        assert await nvim.lua("return vim.fn.maparg('<C-Right>', 'i')") == ""


FAKE = """
CALLS = {}
vim.lsp.inline_completion = {
  enable = function(on, filter) table.insert(CALLS, { on, filter.bufnr }) end,
  is_enabled = function() return #CALLS > 0 end,
  get = function() return false end,
}
"""


async def test_neovims_own_is_left_to_itself(start: Start, service: RawServer) -> None:
    """The guard alone: Neovim 0.12, which has it, is not at hand, so its part is a stand-in."""
    answers(service, {"return ": "alpha"})
    text = "def f():\n    return"
    async with start(text=text, before=FAKE, ghost={"native": True}) as nvim:
        await begin(nvim, " ")
        await nvim.until("vim.api.nvim_get_current_line() == '    return '")
        assert await nvim.lua("return CALLS") == [[True, 1]]
        assert await nvim.ghost() is None and service.requests == []
    async with start(text=text, before=FAKE) as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        assert await nvim.lua("return CALLS") == []


async def test_a_menus_choice_comes_first(start: Start, service: RawServer) -> None:
    answers(service, {"return ": "alpha"})
    async with start(text="return_value = 1\nreturn") as nvim:
        await begin(nvim, " ")
        await nvim.until_ghost("alpha")
        await nvim.type("ret<C-n>")
        await nvim.until("vim.fn.pumvisible() == 1")
        assert await nvim.ghost() is None


LATE = """
local ghost, buffers, asked, cancelled = require("ai-sidecar.ghost"), {}, {}, {}
local client = { id = 1, offset_encoding = "utf-8", attached_buffers = {}, requests = {} }
function client:request(_, _, answer)
  asked[#asked + 1] = answer
  client.requests[#asked] = true
  return true, #asked
end
function client:cancel_request(id) table.insert(cancelled, id) end
require("ai-sidecar.client").get = function() return client end
vim.lsp.get_client_by_id = function() return client end
for i = 1, 2 do
  buffers[i] = vim.api.nvim_create_buf(true, false)
  vim.api.nvim_buf_set_name(buffers[i], "late" .. i)
  client.attached_buffers[buffers[i]] = true
  vim.api.nvim_set_current_buf(buffers[i])
  ghost.request({ invoked = true })
end
local function tick(i) return vim.api.nvim_buf_get_changedtick(buffers[i]) end
asked[1](nil, { items = {} }) -- it was on its way when it was cancelled
ghost.dismiss()
return { tick(1) == tick(2), #asked, cancelled }
"""


async def test_a_late_answer_to_another_buffer_leaves_the_newer_request_alone(
    start: Start,
) -> None:
    """Both at the same place after the same number of changes; an editor's client played in Lua."""
    async with start() as nvim:
        await begin(nvim, "")
        assert await nvim.lua(LATE) == [True, 2, [1, 2]]
