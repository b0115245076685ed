"""`:Ai`: an answer streams into a split, the conversation goes on, stopping stops the service."""

import asyncio
import json
from typing import Any

import pytest

from tests.contract import chat
from tests.editors.neovim.conftest import Start
from tests.editors.neovim.nvim import Nvim
from tests.http.server import Gate, RawServer

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

PIECES = ["Grüße, ", "世界\n\n", "```py\nprint('", "👩\u200d👧 e\u0301", "')\n", "```\n", "שלום"]
CONVERSATION = """(function()
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_get_name(buf):find("^ai%-sidecar://%d") then return buf end
  end
end)()"""


async def page(nvim: Nvim) -> list[str]:
    """Return the lines of the conversation, [] where there is none yet."""
    return await nvim.lua(
        f"local buf = {CONVERSATION}\n"
        "return buf and vim.api.nvim_buf_get_lines(buf, 0, -1, false) or {}"
    )


async def until_line(nvim: Nvim, start: str) -> list[str]:
    """Wait until the conversation's last line begins so, and return the conversation."""
    await nvim.until(
        f"""(function(...)
          local buf = {CONVERSATION}
          local last = buf and vim.api.nvim_buf_get_lines(buf, -2, -1, false)[1]
          return last and vim.startswith(last, ...)
        end)(...)""",
        start,
    )
    return await page(nvim)


def asked(service: RawServer, index: int = -1) -> list[dict[str, Any]]:
    return json.loads(service.requests[index].body)["messages"]


async def test_an_answer_streams_into_a_split(start: Start, service: RawServer) -> None:
    gate = Gate()
    events = [chat.chunk(chat.delta(piece)) for piece in PIECES]
    service.script(
        [chat.HEAD, *events[:2], gate, *events[2:], chat.chunk(chat.END), chat.LAST_CHUNK]
    )
    async with start(text="x = 1\n") as nvim:
        await nvim.attached()
        await nvim.command("Ai what is 世界?")
        await asyncio.wait_for(gate.reached.wait(), 10)
        # Before the answer is whole, its beginning is there.
        await nvim.until(
            f"vim.iter(vim.api.nvim_buf_get_lines({CONVERSATION} or 0, 0, -1, false)):any("
            "function(line) return line == 'Grüße, 世界' end)"
        )
        gate.open()
        lines = await until_line(nvim, "— up/m")
        body = "\n".join(lines)
        assert body.startswith("## You\n\nwhat is 世界?\n\n## up/m")
        heading = next(n for n, line in enumerate(lines) if line.startswith("## up/"))
        assert "\n".join(lines[heading + 2 : -2]) == "".join(PIECES)
        assert lines[-1].startswith("— up/m") and "8 tokens (3 in, 5 out)" in lines[-1]
        # A window of its own; the cursor stays in the file.
        assert await nvim.lua("return #vim.api.nvim_tabpage_list_wins(0)") == 2
        assert await nvim.lua("return vim.fn.expand('%:t')") == "app.py"
        assert await nvim.lua(f"return vim.bo[{CONVERSATION}].filetype") == "markdown"
        assert await nvim.notes() == []


async def test_stopping_closes_the_connection_and_ends_the_page(
    start: Start, service: RawServer
) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("half an ans")), gate])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai go on for ever")
        await until_line(nvim, "half an ans")
        await nvim.command("AiStop")
        # The end is there at once: Neovim calls nobody back for a cancelled request.
        assert (await page(nvim))[-1] == "— stopped"
        await service.connections[0].closed()
        # What was said stays part of the conversation, and the next question can be asked.
        service.script(chat.streamed(["fine"]))
        await nvim.command("Ai and now?")
        await until_line(nvim, "— up/")
        assert [m["content"] for m in asked(service)] == [
            "go on for ever",
            "half an ans",
            "and now?",
        ]
        await nvim.command("AiStop")
        assert await nvim.notes() == ["ai-sidecar: nothing to stop"]


async def test_a_conversation_goes_on_and_a_bang_begins_another(
    start: Start, service: RawServer
) -> None:
    service.script(chat.streamed(["Paris"]), chat.streamed(["2 million"]), chat.streamed(["hi"]))
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai capital of France?")
        await until_line(nvim, "— up/")
        # From within the page, with its own key.
        await nvim.lua("vim.ui.input = function(opts, answer) answer('how many people?') end")
        await nvim.command("wincmd l")
        await nvim.type("<CR>")
        await service.arrived(2)
        await nvim.until(f"#vim.api.nvim_buf_get_lines({CONVERSATION}, 0, -1, false) > 15")
        lines = await until_line(nvim, "— up/")
        assert [m["content"] for m in asked(service)] == [
            "capital of France?",
            "Paris",
            "how many people?",
        ]
        assert [line for line in lines if line in ("Paris", "2 million")] == ["Paris", "2 million"]
        await nvim.command("Ai! hello")
        await service.arrived(3)
        assert [m["content"] for m in asked(service)] == ["hello"]
        assert await nvim.lua("return #vim.api.nvim_tabpage_list_wins(0)") == 2


async def test_a_range_goes_along(start: Start, service: RawServer) -> None:
    async with start(text="a = 1\nb = '```'\nc = 3\n") as nvim:
        await nvim.attached()
        await nvim.command("2,3Ai what is this?")
        await until_line(nvim, "— up/")
        assert asked(service)[0]["content"] == (
            "what is this?\n\napp.py, lines 2-3:\n````python\nb = '```'\nc = 3\n````"
        )


async def test_without_a_question_it_asks_for_one(start: Start, service: RawServer) -> None:
    async with start() as nvim:
        await nvim.attached()
        await nvim.lua("vim.ui.input = function(opts, answer) answer(nil) end")
        await nvim.command("Ai")
        assert await page(nvim) == []
        await nvim.lua("vim.ui.input = function(opts, answer) answer('why?') end")
        await nvim.command("Ai")
        await until_line(nvim, "— up/")
        assert asked(service)[0]["content"] == "why?"


async def test_a_failure_is_one_line_with_what_to_do(start: Start, service: RawServer) -> None:
    service.script(chat.error(401, "Incorrect API key provided", code="invalid_api_key"))
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        lines = await until_line(nvim, "— up: ")
        (note,) = await nvim.notes()
        assert "Incorrect API key provided" in note and ":checkhealth ai-sidecar" in note
        assert "\n" not in note and lines[-1].removeprefix("— ") in note
        # The unanswered question is not asked along with the next one.
        service.script(chat.streamed(["ok"]))
        await nvim.command("Ai again")
        await until_line(nvim, "— up/")
        assert [m["content"] for m in asked(service)] == ["again"]


async def test_a_cut_answer_keeps_what_came(start: Start, service: RawServer) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("half")), chat.LAST_CHUNK])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        lines = await until_line(nvim, "— up: ")
        assert "half" in lines and "cut off" in lines[-1]


async def test_a_retry_is_shown(start: Start, service: RawServer) -> None:
    service.script(chat.error(503, "busy", "Retry-After: 0"), chat.streamed(["there"]))
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        lines = await until_line(nvim, "— up/")
        assert "there" in lines
        shown = await nvim.lua(
            f"""
            local ns = vim.api.nvim_get_namespaces()["ai-sidecar.page"]
            local all = {{ details = true }}
            local marks = vim.api.nvim_buf_get_extmarks({CONVERSATION}, ns, 0, -1, all)
            return vim.iter(marks):map(function(m) return m[4].virt_lines end):flatten():totable()
            """
        )
        assert "up/m: overloaded; next attempt" in json.dumps(shown)


async def test_reasoning_is_quoted_folded_and_sent_back(start: Start, service: RawServer) -> None:
    def thought(text: str) -> bytes:
        change = {"reasoning_content": text}
        choice = {"index": 0, "delta": change, "finish_reason": None}
        return chat.chunk(chat.event({"id": "c-1", "model": "m-1", "choices": [choice]}))

    service.script(
        [
            chat.HEAD,
            thought("first\nsec"),
            thought("ond"),
            chat.chunk(chat.delta("so: 4")),
            chat.chunk(chat.END),
            chat.LAST_CHUNK,
        ]
    )
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai 2+2?")
        lines = await until_line(nvim, "— up/")
        at = lines.index("> first")
        assert lines[at : at + 4] == ["> first", "> second", "", "so: 4"]
        folded = await nvim.lua(
            f"""
            return vim.api.nvim_win_call(vim.fn.win_findbuf({CONVERSATION})[1], function()
              return {{ vim.fn.foldclosed(...), vim.fn.foldclosedend(...) }}
            end)
            """.replace("...", str(at + 1))
        )
        assert folded == [at + 1, at + 2]
        await nvim.lua(
            """
            local client = vim.lsp.get_clients({ name = "ai_sidecar" })[1]
            local request = client.request
            function client:request(method, params, ...)
              SENT = params.messages
              return request(self, method, params, ...)
            end
            """
        )
        await nvim.command("Ai and 3+3?")
        answered = {"type": "text", "text": "so: 4"}
        thought_of = {"type": "reasoning", "text": "first\nsecond"}
        assert (await nvim.lua("return SENT"))[1] == {
            "role": "assistant",
            "content": [thought_of, answered],
        }


async def test_other_progress_is_neovims(start: Start) -> None:
    """Ours fires no LspProgress, and that of others still does."""
    async with start() as nvim:
        await nvim.attached()
        await nvim.lua(
            "HEARD = {}; vim.api.nvim_create_autocmd('LspProgress', { callback = function(args)"
            " table.insert(HEARD, args.data.params.token) end })"
        )
        await nvim.command("Ai hello")
        await until_line(nvim, "— up/")
        assert await nvim.lua("return HEARD") == []
        await nvim.lua(
            "local client = vim.lsp.get_clients({ name = 'ai_sidecar' })[1]\n"
            "client.handlers['$/progress'](nil, { token = 'theirs', value = { kind = 'begin',"
            " title = 't' } }, { client_id = client.id })"
        )
        assert await nvim.lua("return HEARD") == ["theirs"]


async def test_the_program_ends_under_an_answer(start: Start, service: RawServer) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("half")), gate])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        await until_line(nvim, "half")
        await nvim.lua("vim.lsp.get_clients({ name = 'ai_sidecar' })[1].rpc.terminate()")
        lines = await until_line(nvim, "— the program has ended")
        assert "half" in lines
        # The next question starts it again.
        service.script(chat.streamed(["back"]))
        await nvim.command("Ai hello")
        assert "back" in await until_line(nvim, "— up/")
        # Also one that is asked before the end of the last one is known.
        await nvim.lua(
            "vim.lsp.get_clients({ name = 'ai_sidecar' })[1]:stop(); vim.cmd('Ai! again')"
        )
        await service.arrived(3)


@pytest.mark.parametrize(
    ("layout", "seen"),
    [
        ("vertical", ["row", 2]),
        ("horizontal", ["col", 2]),
        ("tab", ["leaf", 1]),
        ("current", ["leaf", 1]),
    ],
)
async def test_where_the_answer_is_shown(layout: str, seen: list[Any], start: Start) -> None:
    async with start(ask={"layout": layout}) as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        await until_line(nvim, "— up/")
        shape = "return { vim.fn.winlayout()[1], #vim.api.nvim_tabpage_list_wins(0) }"
        assert await nvim.lua(shape) == seen
        assert await nvim.lua("return vim.fn.tabpagenr('$')") == (2 if layout == "tab" else 1)
        assert await nvim.lua(f"return #vim.fn.win_findbuf({CONVERSATION})") == 1


async def test_wiping_the_page_stops_the_answer(start: Start, service: RawServer) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("half")), gate])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        await until_line(nvim, "half")
        await nvim.lua(f"vim.api.nvim_buf_delete({CONVERSATION}, {{ force = true }})")
        await service.connections[0].closed()
        service.script(chat.streamed(["fresh"]))
        await nvim.command("Ai again")
        assert "fresh" in await until_line(nvim, "— up/")
        assert await nvim.notes() == []


async def test_two_windows_follow_each_for_itself(start: Start, service: RawServer) -> None:
    """One at the end goes on to be there; one that was scrolled back stays."""
    gate = Gate()
    lines = [f"line {n}\n" for n in range(40)]
    first, second = (chat.chunk(chat.delta("".join(part))) for part in (lines[:20], lines[20:]))
    service.script([chat.HEAD, first, gate, second, chat.chunk(chat.END), chat.LAST_CHUNK])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        await asyncio.wait_for(gate.reached.wait(), 10)
        await nvim.until(f"vim.api.nvim_buf_line_count({CONVERSATION}) > 20")
        await nvim.command("wincmd l | split | normal! gg")
        gate.open()
        await until_line(nvim, "— up/")
        rows = await nvim.lua(
            f"return vim.tbl_map(function(win) return vim.api.nvim_win_get_cursor(win)[1] end,"
            f" vim.fn.win_findbuf({CONVERSATION}))"
        )
        assert sorted(rows) == [1, await nvim.lua("return vim.fn.line('$')")]
