"""The program: found, missing, installed, told of, and gone when Neovim is."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import chat
from tests.contract.conftest import options
from tests.contract.process import PROGRAM
from tests.editors.neovim.conftest import Start
from tests.editors.neovim.nvim import (
    PLUGIN,
    ROOT,
    Nvim,
    children_of,
    copied,
    environment,
    init,
    lua,
    program,
    until_gone,
)
from tests.http.server import Gate, RawServer

pytestmark = [pytest.mark.asyncio, pytest.mark.slow]

NOTE = "NOTES = {}; vim.notify = function(text) table.insert(NOTES, text) end\n"


def sidecars(nvim: Nvim) -> list[int]:
    return [
        child
        for child in children_of(nvim.process.pid)
        if b"ai-sidecar" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


async def answers(nvim: Nvim) -> None:
    """Ask, and wait for the answer: everything works."""
    await nvim.command("Ai hello")
    await nvim.until(
        "vim.iter(vim.api.nvim_list_bufs()):any(function(buf) return vim.list_contains("
        "vim.api.nvim_buf_get_lines(buf, 0, -1, false), 'ok') end)"
    )


# --- choosing a model, the statusline ---------------------------------------------------------


async def test_a_model_is_chosen(start: Start, service: RawServer) -> None:
    more = {"models": {"up/big": {"contextWindow": 200000}, "up/small": {"contextWindow": 8000}}}
    async with start(settings=more) as nvim:
        await nvim.attached()
        await nvim.lua(
            """
            vim.ui.select = function(models, opts, choose)
              SHOWN = vim.tbl_map(opts.format_item, models)
              for _, model in ipairs(models) do if model.id == 'big' then choose(model) end end
            end
            """
        )
        service.script(chat.error(404, "no list"))
        await nvim.command("AiModel")
        await nvim.until("#NOTES > 0")
        shown = await nvim.lua("return SHOWN")
        service.script(chat.streamed(["ok"]))
        assert any(line.startswith("up/big") and "200k window" in line for line in shown)
        assert await nvim.notes() == ["ai-sidecar: asking up/big"]
        assert await nvim.lua("return require('ai-sidecar').status()") == "up/big"
        await answers(nvim)
        assert b'"model":"big"' in service.requests[-1].body.replace(b" ", b"")
        await nvim.command("AiModel up/small")
        await nvim.until("#NOTES == 2")
        so_far = len(service.requests)
        await nvim.command("Ai hello")
        await service.arrived(so_far + 1)
        assert b'"model":"small"' in service.requests[-1].body.replace(b" ", b"")
        assert await nvim.lua("return require('ai-sidecar.model').complete('sma')") == ["up/small"]


async def test_models_that_are_in_no_catalog_are_asked_for(
    start: Start, service: RawServer
) -> None:
    unnamed = {"kind": "openai-compatible", "baseUrl": f"{service.origin}/v1", "apiKey": "k"}
    async with start(settings={"providers": {"up": unnamed}}) as nvim:
        await nvim.attached()
        known = "return #vim.lsp.get_clients({ name = 'ai_sidecar' })[1]"
        known += ":request_sync('ai/models', vim.empty_dict(), 5000).result.models"
        assert await nvim.lua(known) == 0
        await nvim.lua("vim.ui.select = function(models) SHOWN = models end")
        service.script([chat.answer(200, b'{"object":"list","data":[{"id":"served"}]}')])
        await nvim.command("AiModel")
        await nvim.until("SHOWN")
        assert await nvim.lua("return SHOWN[1].id") == "served"
        assert await nvim.notes() == []
        assert await nvim.lua("return require('ai-sidecar.model').complete('ser')") == ["up/served"]


async def test_the_statusline(start: Start, service: RawServer) -> None:
    gate = Gate()
    priced = {"models": {"up/m": {"prices": {"inputPerMTok": 1000.0, "outputPerMTok": 2000.0}}}}
    service.script([*chat.streamed(["ok"])[:1], gate, *chat.streamed(["ok"])[1:]])
    async with start(settings=priced) as nvim:
        status = "require('ai-sidecar').status()"
        await nvim.command("set statusline=%f\\ %{v:lua.require'ai-sidecar'.status()}")
        await nvim.attached()
        await nvim.lua(
            "SEEN = {}; vim.api.nvim_create_autocmd('User', { pattern = 'AiSidecarStatus', callback"
            f" = function() table.insert(SEEN, {status}) end }})"
        )
        await nvim.command("Ai hello")
        await nvim.until(f"{status} == 'ai …'")
        gate.open()
        await nvim.until(f"{status}:find('8 tokens', 1, true) and not {status}:find('…')")
        assert (await nvim.lua(f"return {status}")).startswith("up/m")
        assert "ai …" in await nvim.lua("return SEEN")
        drawn = await nvim.lua("return vim.api.nvim_eval_statusline(vim.o.statusline, {}).str")
        assert drawn.startswith("app.py up/m") and "8 tokens" in drawn


async def test_the_statusline_is_empty_and_loads_nothing_before(tmp_path: Path) -> None:
    path = lua(str(PLUGIN))
    async with Nvim(tmp_path, f"vim.opt.runtimepath:prepend({path})") as nvim:
        assert await nvim.lua("return require('ai-sidecar').status()") == ""
        loaded = await nvim.lua(
            "return vim.tbl_filter(function(name) return name:find('^ai%-sidecar') ~= nil end,"
            " vim.tbl_keys(package.loaded))"
        )
        assert loaded == ["ai-sidecar"]
        assert children_of(nvim.process.pid) == []


# --- checkhealth ------------------------------------------------------------------------------


async def health(nvim: Nvim) -> str:
    await nvim.command("checkhealth ai-sidecar")
    await nvim.until("vim.bo.filetype == 'checkhealth'")
    return "\n".join(await nvim.lines())


async def test_checkhealth(start: Start) -> None:
    async with start() as nvim:
        await nvim.attached()
        said = await health(nvim)
        assert "OK Neovim 0.1" in said
        assert f"found by PATH: {PROGRAM}" in said
        assert "✅ OK ai-sidecar 0" in said.replace("version ", "")
        assert "runs as client 1, 1 buffers attached, positions in utf-8" in said
        assert "up (default): key from" in said and "sk-contract" not in said
        assert "embedded model" in said
        assert "❌" not in said, said


async def test_checkhealth_without_the_program(tmp_path: Path) -> None:
    async with Nvim(tmp_path, init({}, plugin=copied(tmp_path)), on_path=False) as nvim:
        said = await health(nvim)
        assert "`ai-sidecar` was not found" in said and ":AiInstall" in said
        assert str(tmp_path / "data" / "nvim" / "ai-sidecar") in said


# --- missing, installed -----------------------------------------------------------------------


async def test_a_missing_program_is_told_once_and_to_who_asks(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("")
    given = init({}, plugin=copied(tmp_path))
    async with Nvim(tmp_path, given, "a.py", on_path=False) as nvim:
        await nvim.until("#NOTES == 1")
        await nvim.command("edit b.py")
        await nvim.type("ix<Esc>")
        await nvim.until("vim.api.nvim_get_current_line() == 'x'")
        (note,) = await nvim.notes()
        assert ":AiInstall" in note and "was not found" in note
        await nvim.command("Ai hello")
        assert await nvim.notes() == [note, note]


async def test_the_setting_comes_first(tmp_path: Path, service: RawServer) -> None:
    (tmp_path / "a.py").write_text("")
    given = init(options(service), cmd=[str(PROGRAM)])
    async with Nvim(tmp_path, given, "a.py", on_path=False) as nvim:
        await nvim.attached()
        assert await nvim.lua("return require('ai-sidecar.install').find().where") == (
            "the option `cmd`"
        )
        await answers(nvim)


async def test_a_program_that_always_ends_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("")
    given = init({}, cmd=["/bin/false"])
    async with Nvim(tmp_path, given, "a.py", quiet=False) as nvim:
        await nvim.until("#NOTES == 1")
        await nvim.command("doautocmd InsertEnter")
        await nvim.until("#NOTES == 2")
        await nvim.command("doautocmd InsertEnter")
        await nvim.until("#NOTES == 4")
        *_, last = sorted(await nvim.notes(), key=lambda note: "3 times" in note)
        assert "it is left alone until you ask" in last and ":checkhealth" in last
        await nvim.command("doautocmd InsertEnter")
        assert await nvim.lua("return #vim.lsp.get_clients({ _uninitialized = true })") == 0
        # Who asks for something has it tried again.
        await nvim.command("Ai hello")
        await nvim.until("#NOTES == 5")


def package(folder: Path, *, requires: str = "") -> tuple[Path, Path]:
    """Make a package of the same name that needs no index; its program is the one under test.

    Return it, and the file that says that the model was asked for.
    """
    source, fetched = folder / "source", folder / "fetched"
    (source / "fake").mkdir(parents=True)
    (source / "fake" / "__init__.py").write_text(
        "import os, sys\n"
        "def main():\n"
        "    if sys.argv[1:] == ['local', 'install']:\n"
        f"        sys.exit(open({str(fetched)!r}, 'w').write('yes') - 3)\n"
        f"    os.execv({str(PROGRAM)!r}, [{str(PROGRAM)!r}, *sys.argv[1:]])\n"
    )
    (source / "backend.py").write_text(WHEEL.replace("REQUIRES", requires))
    (source / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'ai-sidecar'\nversion = '0.0.1'\n"
    )
    return source, fetched


LOG = "vim.api.nvim_buf_get_lines(vim.fn.bufnr('ai-sidecar://install'), 0, -1, false)"


async def test_it_is_installed_into_an_environment_of_its_own(
    tmp_path: Path, service: RawServer
) -> None:
    source, fetched = package(tmp_path)
    (tmp_path / "a.py").write_text("")
    install = {"source": str(source), "python": sys.executable}
    given = init(options(service), plugin=copied(tmp_path), install=install)
    async with Nvim(tmp_path, given, "a.py", on_path=False) as nvim:
        await nvim.until("#NOTES == 1")
        await nvim.command("AiInstall")
        # Not blocked meanwhile, and attached when it is there.
        assert await nvim.lua("return vim.fn.bufname('ai-sidecar://install') ~= ''")
        await nvim.attached()
        _, note = await nvim.notes()
        assert note.startswith("ai-sidecar: installed into")
        where = await nvim.lua("return require('ai-sidecar.install').find().where")
        assert where == "the private environment"
        log = "\n".join(await nvim.lua(f"return {LOG}"))
        said, ran = log.index("the model 98 MB"), log.index(f"{source}[local]")
        assert said < ran < log.index("ai-sidecar local install")
        assert fetched.exists()
        await answers(nvim)


@pytest.mark.parametrize("model", [True, False])
async def test_it_is_installed_without_the_model(model: bool, tmp_path: Path) -> None:
    """Since that cannot be had, or is not wanted: the program is there all the same."""
    source, fetched = package(tmp_path, requires=f"absent @ file://{tmp_path}/absent.whl")
    install = {"source": str(source), "python": sys.executable, "model": model}
    given = init({}, plugin=copied(tmp_path), install=install)
    async with Nvim(tmp_path, given, on_path=False) as nvim:
        await nvim.command("AiInstall")
        await nvim.until("NOTES[#NOTES] and NOTES[#NOTES]:find('installed into')")
        notes = "\n".join(await nvim.notes())
        assert ("without the embedded model" in notes) == model
        assert ("/bin/ai-sidecar local install` in a terminal" in notes) == model
        assert ("98 MB" in "\n".join(await nvim.lua(f"return {LOG}"))) == model
        assert not fetched.exists()


WHEEL = """
import zipfile
META = "Metadata-Version: 2.1\\nName: ai-sidecar\\nVersion: 0.0.1\\nProvides-Extra: local\\n"
NEEDS = "REQUIRES"
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "ai_sidecar-0.0.1-py3-none-any.whl"
    info = "ai_sidecar-0.0.1.dist-info/"
    needs = f"Requires-Dist: {NEEDS} ; extra == 'local'\\n" if NEEDS else ""
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        wheel.write("fake/__init__.py")
        wheel.writestr(info + "METADATA", META + needs)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nai-sidecar = fake:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""  # noqa: E501 (a program, not prose)


async def test_a_failed_installation_says_so(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    given = init({}, install={"source": absent, "python": sys.executable})
    async with Nvim(tmp_path, given, on_path=False) as nvim:
        await nvim.command("AiInstall")
        await nvim.until("NOTES[#NOTES] and NOTES[#NOTES]:find('installation failed')")
        log = await nvim.lua(f"return {LOG}")
        assert any(absent in line for line in log) and log[-2] == "Not installed."


async def test_the_source_is_the_clone(tmp_path: Path) -> None:
    async with Nvim(tmp_path, init({})) as nvim:
        assert await nvim.lua("return require('ai-sidecar.install').source()") == str(ROOT)


async def test_outside_of_a_clone_no_bare_name_is_installed(tmp_path: Path) -> None:
    given = init({}, plugin=copied(tmp_path), install={"python": sys.executable})
    async with Nvim(tmp_path, given, on_path=False) as nvim:
        await nvim.command("AiInstall")
        await nvim.until("NOTES[#NOTES] and NOTES[#NOTES]:find('install.source', 1, true)")
    assert not (tmp_path / "data" / "nvim" / "ai-sidecar").exists()


async def test_the_clone_has_a_program_of_its_own(tmp_path: Path) -> None:
    """Found after PATH, before the private environment."""
    clone = tmp_path / "clone"
    plugin = shutil.copytree(PLUGIN, clone / "editors" / "neovim")
    (clone / "pyproject.toml").write_text('[project]\nname = "ai-sidecar"\n')
    private = tmp_path / "data" / "nvim" / "ai-sidecar" / "bin"
    for folder in (clone / ".venv" / "bin", private):
        folder.mkdir(parents=True)
        (folder / "ai-sidecar").symlink_to(PROGRAM)
    ask = "local found = require('ai-sidecar.install').find() return { found.where, found.cmd[1] }"
    for on_path, where, path in (
        (False, "the plugin's clone", clone / ".venv" / "bin" / "ai-sidecar"),
        (True, "PATH", PROGRAM),
    ):
        async with Nvim(tmp_path, init({}, plugin=plugin), on_path=on_path) as nvim:
            assert await nvim.lua(ask) == [where, str(path)]
    (clone / ".venv" / "bin" / "ai-sidecar").unlink()
    async with Nvim(tmp_path, init({}, plugin=plugin), on_path=False) as nvim:
        assert (await nvim.lua(ask))[0] == "the private environment"


# --- nothing is left behind -------------------------------------------------------------------


@pytest.mark.parametrize("end", ["quit", "kill"])
async def test_no_process_is_left(end: str, start: Start, service: RawServer) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("half")), gate])
    async with start() as nvim:
        await nvim.attached()
        await nvim.command("Ai hello")
        await asyncio.wait_for(gate.reached.wait(), 10)
        processes = sidecars(nvim)
        assert len(processes) == 1
        if end == "kill":
            nvim.kill()
            await nvim.process.wait()
    await until_gone(processes)
    await service.connections[0].closed()


async def test_one_process_for_all_buffers(start: Start, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with start() as nvim:
        await nvim.attached()
        await nvim.command(f"split {tmp_path}/other/b.py")
        await nvim.attached()
        await nvim.command("vnew | setlocal ft=lua")
        await nvim.type("ix<Esc>")
        assert len(sidecars(nvim)) == 1


# --- the ways it gets there -------------------------------------------------------------------


async def test_packpath(tmp_path: Path, service: RawServer) -> None:
    """The README's line: a link below `pack/*/start`, and no configuration needed."""
    pack = tmp_path / "data" / "nvim" / "site" / "pack" / "ai" / "start"
    pack.mkdir(parents=True)
    (pack / "ai-sidecar").symlink_to(PLUGIN)
    (tmp_path / "a.py").write_text("")
    settings = NOTE + f"vim.g.ai_sidecar = {lua({'settings': options(service)})}\n"
    async with Nvim(tmp_path, settings, "a.py") as nvim:
        await nvim.attached()
        await answers(nvim)
        assert await nvim.lua("return require('ai-sidecar.config').clone()") == str(ROOT)


LAZY = """
-- What lazy.nvim does with a spec of `dir`, `main` and `opts`: the folder joins the runtime path,
-- its plugin/ files are read, and then `require(main).setup(opts)` is called. With `event`, all of
-- that on the event.
local spec = ...
local function load()
  vim.opt.runtimepath:prepend(spec.dir)
  for _, file in ipairs(vim.fn.glob(spec.dir .. "/plugin/**/*.lua", true, true)) do
    vim.cmd.source(file)
  end
  require(spec.main).setup(spec.opts)
end
if spec.event then
  vim.api.nvim_create_autocmd(spec.event, { once = true, callback = function() load() end })
else
  load()
end
"""


@pytest.mark.parametrize("event", [None, "InsertEnter"])
async def test_lazy_nvims_spec(event: str | None, tmp_path: Path, service: RawServer) -> None:
    """Its semantics: lazy.nvim itself is on no package registry. The README has the same spec."""
    spec: dict[str, Any] = {"dir": str(PLUGIN), "main": "ai-sidecar"}
    spec |= {"opts": {"settings": options(service)}} | ({"event": event} if event else {})
    (tmp_path / "lazy.lua").write_text(LAZY)
    (tmp_path / "a.py").write_text("")
    text = NOTE + f"assert(loadfile({lua(str(tmp_path / 'lazy.lua'))}))({lua(spec)})"
    async with Nvim(tmp_path, text, "a.py") as nvim:
        if event:
            assert await nvim.lua("return vim.g.loaded_ai_sidecar") is None
            await nvim.type("ix<Esc>")
        await nvim.attached()
        await answers(nvim)
        assert await nvim.notes() == []
    page = (PLUGIN / "README.md").read_text()
    assert 'main = "ai-sidecar"' in page and "editors/neovim" in page


async def test_without_the_plugin(tmp_path: Path, service: RawServer) -> None:
    """`lsp/ai_sidecar.lua` alone, copied to one's own configuration, is a language server."""
    folder = tmp_path / "config" / "nvim" / "lsp"
    folder.mkdir(parents=True)
    shutil.copy(PLUGIN / "lsp" / "ai_sidecar.lua", folder)
    (tmp_path / "a.py").write_text("x = 1\n")
    given = lua({"init_options": options(service)})
    text = NOTE + f"vim.lsp.config('ai_sidecar', {given})\nvim.lsp.enable('ai_sidecar')\n"
    async with Nvim(tmp_path, text, "a.py") as nvim:
        await nvim.attached()
        assert await nvim.lua("return vim.g.loaded_ai_sidecar") is None
        said = await nvim.lua(
            "return vim.lsp.get_clients({ name = 'ai_sidecar' })[1]"
            ":request_sync('ai/complete', { prompt = 'hi' }, 10000)"
        )
        assert b'"stream":false' in service.requests[0].body.replace(b" ", b"") or said
        assert await nvim.notes() == []


async def test_beside_vim_lsp_enable(tmp_path: Path, service: RawServer) -> None:
    """Both at once are still one process, and the commands use it."""
    (tmp_path / "a.py").write_text("")
    text = init(options(service)) + "vim.lsp.enable('ai_sidecar')\n"
    async with Nvim(tmp_path, text, "a.py") as nvim:
        await nvim.attached()
        await answers(nvim)
        assert len(sidecars(nvim)) == 1
        assert await nvim.lua("return #vim.lsp.get_clients()") == 1


async def test_help_has_its_tags(tmp_path: Path) -> None:
    shutil.copytree(PLUGIN, tmp_path / "plugin")
    path = lua(str(tmp_path / "plugin"))
    text = f"vim.opt.runtimepath:prepend({path})\nvim.cmd.helptags({path} .. '/doc')"
    topics = ["ai-sidecar", ":Ai", ":AiEdit", ":AiStop", ":AiModel", ":AiInstall", ":AiGhost"]
    topics += ["ai-sidecar-setup", "ai-sidecar-statusline", "ai-sidecar-program", "AiSidecarGhost"]
    async with Nvim(tmp_path, text) as nvim:
        for topic in topics:
            await nvim.command(f"help {topic}")
            assert await nvim.lua("return vim.fn.expand('%:t')") == "ai-sidecar.txt", topic


async def test_a_wrong_option_is_named(tmp_path: Path) -> None:
    async with Nvim(tmp_path, init({}, ghots={}, ask={"size": "big"})) as nvim:
        (note,) = await nvim.notes()
        assert "ghots: no such option" in note
        assert "ask.size: expected number, got string" in note


async def test_no_globals(tmp_path: Path) -> None:
    """Loading everything adds nothing to Lua's globals."""
    script = tmp_path / "check.lua"
    script.write_text(
        f"vim.opt.runtimepath:prepend({lua(str(PLUGIN))})\n"
        "local before = {}\nfor name in pairs(_G) do before[name] = true end\n"
        f"for name in vim.fs.dir({lua(str(PLUGIN / 'lua' / 'ai-sidecar'))}) do\n"
        "  require('ai-sidecar.' .. name:gsub('%.lua$', ''))\nend\n"
        "for name in pairs(_G) do assert(before[name], name) end\n"
    )
    env = environment(tmp_path)
    done = subprocess.run(
        [program(), "--clean", "--headless", "-l", str(script)],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert os.listdir(tmp_path / "data") == [] if (tmp_path / "data").exists() else True
