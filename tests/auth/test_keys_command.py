"""Keys that a program prints: real programs, run as the sidecar runs them."""

import asyncio
import os
import re
import stat
import sys
import time
from pathlib import Path

import pytest

from providers.auth import command
from providers.auth.command import CommandFailed, find_program, run_command
from providers.auth.keys import KeyResolver
from providers.errors import NotConfigured
from providers.manager import ProviderManager
from providers.settings import KeySource, ProvidersConfig, ProviderSettings

CANARY = "canary-key-4712"
PYTHON = sys.executable
MISSING = KeySource(command=["no-such-program"])


def python(code: str) -> KeyResolver:
    return KeyResolver(
        KeySource(command=[PYTHON, "-c", code]), environ=dict(os.environ), provider="p"
    )


async def failure(keys: KeyResolver) -> str:
    with pytest.raises(NotConfigured) as caught:
        await keys.get()
    return caught.value.message


@pytest.mark.asyncio
async def test_what_it_prints_is_the_key():
    assert await python(f"print({CANARY!r})").get() == CANARY


@pytest.mark.asyncio
async def test_arguments_are_no_shells():
    keys = KeyResolver(
        KeySource(command=[PYTHON, "-c", "import sys; print(sys.argv[1])", "$(echo_no);`x`|*"]),
        environ=dict(os.environ),
        provider="p",
    )
    assert await keys.get() == "$(echo_no);`x`|*"


@pytest.mark.asyncio
async def test_it_runs_at_home_with_no_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    reader, writer = os.pipe()
    os.write(writer, b"what the editor says")
    os.close(writer)
    own = os.dup(0)
    os.dup2(reader, 0)
    try:
        seen = await python("import os,sys; print(os.getcwd() + '|' + sys.stdin.read())").get()
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(reader)
    assert seen == f"{Path.home().resolve()}|"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; print('vault is\\nlocked', file=sys.stderr); sys.exit(3)", "3: vault is"),
        ("import sys; sys.exit(1)", "exit status 1"),
        ("pass", "is empty"),
        ("print('one\\ntwo')", "more than one line"),
        ("print('ab\\x07cd-123456')", "printable ASCII"),
        ("import sys; sys.stdout.buffer.write(b'\\xff')", "not text"),
        ("print('x' * 70000)", "more than 64 KiB"),
        ("while True: print('x' * 9999)", "more than 64 KiB"),
    ],
)
async def test_what_goes_wrong_is_said(code: str, message: str):
    said = await failure(python(code))
    assert message in said
    assert said.startswith("p: the ")
    assert "locked" not in said  # the first line of stderr only


@pytest.mark.asyncio
async def test_stderr_that_repeats_a_key_is_masked():
    said = await failure(
        python("import sys; print('bad token sk-abc1234567890def', file=sys.stderr); sys.exit(1)")
    )
    assert "bad token" in said and "1234567890" not in said


@pytest.mark.asyncio
async def test_a_program_that_does_not_end_is_killed(tmp_path: Path):
    alive = tmp_path / "pid"
    code = f"import os,time; open({str(alive)!r},'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(CommandFailed, match=r"no answer within 0\.5 seconds"):
        await run_command([PYTHON, "-c", code], environ=os.environ, timeout=0.5)
    if alive.exists():
        await gone(int(alive.read_text()))


@pytest.mark.asyncio
async def test_a_program_that_waits_for_a_person_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(command, "TIMEOUT", 0.2)
    code = "import time; time.sleep(60)"
    source = KeySource(command=[PYTHON, "-c", code, "op://private/key"])
    keys = KeyResolver(source, environ=dict(os.environ), provider="p", field="accessToken")
    said = await failure(keys)
    program = os.path.basename(PYTHON)
    assert said.startswith(f"p: the command {program} of `providers.p.accessToken` gave no answer")
    assert "within 0.2 seconds" in said and "no terminal" in said and "keys set" in said
    assert "op://" not in said and "-c" not in said and "sleep" not in said


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("stderr", "hinted"),
    [
        ("gpg: cannot open '/dev/tty': No such device or address", True),
        ("gpg: decryption failed: Inappropriate ioctl for device", True),
        ("the vault is empty, and pretty so", False),
    ],
)
async def test_a_program_that_wants_a_terminal_is_told_there_is_none(stderr: str, hinted: bool):
    said = await failure(python(f"import sys; sys.exit({stderr!r})"))
    assert f"exit status 1: {stderr}" in said
    assert ("no terminal" in said) == hinted


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix", reason="terminals are a matter of POSIX here")
async def test_the_editors_terminal_cannot_be_asked_on():
    code = (
        "import os\n"
        "try: os.open('/dev/tty', os.O_RDWR); print('asked')\n"
        "except OSError: print('none-' + os.environ.get('GPG_TTY', 'named'))"
    )
    source = KeySource(command=[PYTHON, "-c", code])
    environ = {**os.environ, "GPG_TTY": "/dev/pts/0"}
    assert await KeyResolver(source, environ=environ, provider="p").get() == "none-named"


async def gone(pid: int) -> None:
    """Return when the process is no more; fail after five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)
    pytest.fail("the program still runs")


@pytest.mark.asyncio
@pytest.mark.skipif(os.name != "posix", reason="needs fork")
async def test_a_helper_left_behind_does_not_hold_the_answer_up():
    code = (
        "import os,time,sys\n"
        f"print({CANARY!r}, flush=True)\n"
        "if os.fork() == 0: time.sleep(20); os._exit(0)"
    )
    async with asyncio.timeout(10):
        assert await python(code).get() == CANARY


@pytest.mark.asyncio
async def test_a_request_that_is_cancelled_leaves_the_search_to_the_others(tmp_path: Path):
    runs = tmp_path / "runs"
    go = tmp_path / "go"
    code = (
        "import os,time\n"
        f"open({str(runs)!r},'a').write('x')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        f"print({CANARY!r})"
    )
    keys = python(code)
    first, second = asyncio.create_task(keys.get()), asyncio.create_task(keys.get())
    while not runs.exists():
        await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go.touch()
    assert await second == CANARY
    assert await keys.get() == CANARY
    assert runs.read_text() == "x"


@pytest.mark.asyncio
async def test_one_that_refused_is_not_asked_again_at_once(tmp_path: Path):
    runs = tmp_path / "runs"
    keys = python(f"open({str(runs)!r},'a').write('x'); raise SystemExit(1)")
    first = await failure(keys)
    assert await failure(keys) == first
    assert runs.read_text() == "x"
    keys.forget()
    await failure(keys)
    assert runs.read_text() == "xx"


@pytest.mark.asyncio
async def test_a_search_that_began_before_the_refusal_does_not_bring_the_old_key_back(
    tmp_path: Path,
):
    value, go = tmp_path / "value", tmp_path / "go"
    value.write_text("old-key-1")
    code = (
        "import os,time\n"
        f"key = open({str(value)!r}).read()\n"
        f"open({str(tmp_path / 'read')!r}, 'w').close()\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\n"
        "print(key)"
    )
    keys = python(code)
    early = asyncio.create_task(keys.get())
    while not (tmp_path / "read").exists():
        await asyncio.sleep(0.01)
    value.write_text("new-key-2")
    keys.forget()
    go.touch()
    assert await keys.get() == "new-key-2"
    assert await early == "old-key-1"
    assert await keys.get() == "new-key-2"


@pytest.mark.asyncio
async def test_every_waiter_gets_an_exception_of_its_own():
    keys = python("raise SystemExit(1)")
    errors = await asyncio.gather(*(keys.get() for _ in range(3)), return_exceptions=True)
    assert all(isinstance(error, NotConfigured) for error in errors)
    assert len({id(error) for error in errors}) == 3


def program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / (name + (".bat" if os.name == "nt" else ""))
    path.write_text("#!/bin/sh\necho found\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_workspace_is_not_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    hostile, honest = tmp_path / "workspace", tmp_path / "bin"
    program(hostile, "get-key")
    found = program(honest, "get-key")
    monkeypatch.chdir(hostile)
    path = os.pathsep.join([".", "", "relative", str(honest)])
    assert Path(find_program(["get-key"], {"PATH": path})).samefile(found)
    with pytest.raises(CommandFailed, match="was not found"):
        find_program(["get-key"], {"PATH": os.pathsep.join([".", ""])})
    with pytest.raises(CommandFailed, match="was not found"):
        find_program([os.path.join(".", "get-key")], {"PATH": "."})


@pytest.mark.parametrize("argv", [[], [""], [" "]])
def test_an_empty_command(argv: list[str]):
    with pytest.raises(CommandFailed, match="is empty"):
        find_program(argv, {})


@pytest.mark.asyncio
async def test_a_program_that_cannot_be_started(tmp_path: Path):
    broken = program(tmp_path / "bin", "broken")
    broken.write_bytes(b"\x00\x01")
    with pytest.raises(CommandFailed, match="cannot be started"):
        await run_command([str(broken)], environ=os.environ)
    with pytest.raises(CommandFailed, match="cannot be started"):
        await run_command([PYTHON, "a\x00b"], environ=os.environ)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("table", "setting"),
    [
        (ProviderSettings(kind="openai", api_key=MISSING), "apiKey"),
        (ProviderSettings(kind="vertex", access_token=MISSING), "accessToken"),
        (ProviderSettings(kind="anthropic", auth_token=MISSING), "authToken"),
        (ProviderSettings(kind="openai", api_key=[MISSING, "k"]), "apiKey[0]"),
    ],
)
async def test_the_setting_is_named(table: ProviderSettings, setting: str):
    manager = ProviderManager(ProvidersConfig(providers={"p": table}), environ={})
    with pytest.raises(NotConfigured, match=re.escape(f"`providers.p.{setting}` was not found")):
        await manager.models("p", refresh=True)
    await manager.aclose()
