"""The program as a process: how it starts, what it writes where, and when it ends."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.about import VERSION
from sidecar.framing import FrameDecoder, frame
from tests.contract import chat
from tests.contract.conftest import options
from tests.contract.process import PROGRAM, Sidecar, environment
from tests.http.server import Gate, RawServer

MOCK = {"default": "mock", "providers": {"mock": {}}}
BOTH = pytest.mark.parametrize(
    "env", [{}, {"AI_SIDECAR_STDIO": "threads"}], ids=["pipe", "threads"]
)
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX'")


def rpc(method: str, id: Any = None, params: Any = None) -> bytes:
    message = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return frame(json.dumps(message if id is None else {**message, "id": id}).encode())


# --- the end ---------------------------------------------------------------------------


@BOTH
@pytest.mark.asyncio
async def test_shutdown_and_exit(env: dict[str, str], tmp_path: Path) -> None:
    async with Sidecar(tmp_path, options=MOCK, env=env) as sidecar:
        assert await sidecar.call("shutdown") is None
        assert (await sidecar.fail("ai/models"))["code"] == -32600
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 0


@BOTH
@pytest.mark.asyncio
async def test_exit_without_shutdown(env: dict[str, str], tmp_path: Path) -> None:
    async with Sidecar(tmp_path, options=MOCK, env=env) as sidecar:
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 1


@BOTH
@pytest.mark.parametrize("after", ["nothing", "initialize", "loading"])
@pytest.mark.asyncio
async def test_the_end_of_stdin(env: dict[str, str], after: str, tmp_path: Path) -> None:
    said = None if after == "nothing" else MOCK
    async with Sidecar(tmp_path, options=said, env=env) as sidecar:
        if after == "loading":
            await sidecar.call("ai/countTokens", {"text": "x"})
        assert sidecar.process.stdin is not None
        sidecar.process.stdin.close()
        assert await sidecar.exit_code() == 0


@pytest.mark.asyncio
async def test_the_end_of_stdin_closes_the_service(tmp_path: Path, service: RawServer) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("one")), Gate()])
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        await sidecar.read()
        await sidecar.read()
        assert sidecar.process.stdin is not None
        sidecar.process.stdin.close()
        await service.connections[-1].closed()
        assert await sidecar.exit_code() == 0


@pytest.mark.asyncio
async def test_a_client_that_closes_stdout(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM),
        stdin=subprocess.PIPE,
        stdout=write_end,
        stderr=subprocess.PIPE,
        env=environment(tmp_path),
        cwd=tmp_path,
    )
    os.close(write_end)
    assert process.stdin is not None
    process.stdin.write(rpc("initialize", 1, {"capabilities": {}, "initializationOptions": MOCK}))
    await asyncio.to_thread(os.read, read_end, 10)
    os.close(read_end)
    for n in range(3):
        process.stdin.write(rpc("ai/countTokens", n, {"text": "x"}))
    async with asyncio.timeout(15):
        await process.wait()
    process.stdin.close()
    assert process.stderr is not None
    assert await process.stderr.read() == b""


@BOTH
@pytest.mark.asyncio
async def test_the_death_of_the_editor(env: dict[str, str], tmp_path: Path) -> None:
    editor = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    async with Sidecar(tmp_path, options=MOCK, process_id=editor.pid, env=env) as sidecar:
        await sidecar.call("ai/countTokens", {"text": "x"})
        editor.kill()
        editor.wait()
        await sidecar.exit_code()


@POSIX
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.asyncio
async def test_a_signal_ends_it_in_order(
    number: signal.Signals, tmp_path: Path, service: RawServer
) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("one")), Gate()])
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        await sidecar.read()
        await sidecar.read()
        sidecar.process.send_signal(number)
        await service.connections[-1].closed()
        assert await sidecar.exit_code() == 128 + number


@pytest.fixture
def interruptible() -> Iterator[None]:
    """A shell's background job has SIGINT ignored, and hands that on to its children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@POSIX
@pytest.mark.asyncio
async def test_a_signal_before_initialize(tmp_path: Path, interruptible: None) -> None:
    async with Sidecar(tmp_path, options=None) as sidecar:
        sidecar.send({"jsonrpc": "2.0", "id": 1, "method": "x"})
        assert (await sidecar.answer(1))["error"]["code"] == -32002
        sidecar.process.send_signal(signal.SIGINT)
        assert await sidecar.exit_code() == 130


# --- input of other kinds -------------------------------------------------------------------


def test_a_file_as_stdin_and_stdout(tmp_path: Path) -> None:
    source, sink = tmp_path / "in", tmp_path / "out"
    params = {"capabilities": {}, "initializationOptions": MOCK}
    source.write_bytes(rpc("initialize", 1, params) + rpc("shutdown", 2) + rpc("exit"))
    with source.open("rb") as reading, sink.open("wb") as writing:
        done = subprocess.run(
            [str(PROGRAM), "--stdio"],
            stdin=reading,
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment(tmp_path),
            cwd=tmp_path,
            timeout=20,
            check=False,
        )
    answers = [json.loads(a) for a in FrameDecoder().feed(sink.read_bytes()) if a]  # type: ignore[arg-type]
    assert [a["id"] for a in answers] == [1, 2]
    assert (done.returncode, done.stderr) == (0, b"")


def test_nothing_as_stdin(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PROGRAM)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(tmp_path),
        timeout=20,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_message_of_more_than_64_mib_is_refused(tmp_path: Path) -> None:
    head = b'{"jsonrpc":"2.0","id":9,"method":"ai/complete","params":{"prompt":"'
    size = 65 * 1024 * 1024
    body = head + b"x" * (size - len(head) - 3) + b'"}}'
    said = b"".join(
        [
            rpc("initialize", 1, {"capabilities": {}, "initializationOptions": MOCK}),
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body),
            rpc("shutdown", 2),
            rpc("exit"),
        ]
    )
    done = subprocess.run(
        [str(PROGRAM)],
        input=said,
        capture_output=True,
        env=environment(tmp_path),
        timeout=30,
        check=False,
    )
    answers = [json.loads(a) for a in FrameDecoder().feed(done.stdout)]  # type: ignore[arg-type]
    assert [a["id"] for a in answers] == [1, 9, 2]
    assert answers[1]["error"]["code"] == -32600 and done.returncode == 0


# --- arguments -------------------------------------------------------------------------------


def run(tmp_path: Path, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment(tmp_path),
        timeout=20,
        check=False,
        **more,
    )


def test_version_help_and_what_is_unknown(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout == f"ai-sidecar {VERSION}\n"
    assert "usage: ai-sidecar" in run(tmp_path, "--help").stdout
    wrong = run(tmp_path, "--zip")
    assert wrong.returncode == 2 and "--zip" in wrong.stderr and not wrong.stdout


@POSIX
def test_on_a_terminal_without_arguments_it_helps(tmp_path: Path) -> None:
    import pty

    controller, terminal = pty.openpty()
    done = subprocess.run(
        [str(PROGRAM)],
        stdin=terminal,
        capture_output=True,
        env=environment(tmp_path),
        timeout=20,
        check=False,
    )
    os.close(controller)
    os.close(terminal)
    assert done.returncode == 0 and b"usage: ai-sidecar" in done.stdout


def test_the_version_is_the_package_s() -> None:
    import tomllib

    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == VERSION


@pytest.mark.parametrize("arguments", [("serve",), ("--stdio",), ("serve", "--stdio")])
@pytest.mark.asyncio
async def test_ways_to_start_it(arguments: tuple[str, ...], tmp_path: Path) -> None:
    async with Sidecar(tmp_path, *arguments, options=MOCK) as sidecar:
        assert sidecar.initialize_result["serverInfo"] == {"name": "ai-sidecar", "version": VERSION}


# --- the workspace is not ours -------------------------------------------------------------------


@pytest.mark.asyncio
async def test_nothing_of_the_workspace_is_run(tmp_path: Path, service: RawServer) -> None:
    workspace = tmp_path / "workspace"
    trap = "import pathlib; pathlib.Path(__file__).with_name('RAN').touch(); raise SystemExit(3)\n"
    names = ("sidecar", "providers", "protocol", "pygls", "msgspec", "httpx", "ssl", "encodings")
    for name in names:
        (workspace / name).mkdir(parents=True)
        (workspace / name / "__init__.py").write_text(trap)
    for name in ("json", "sitecustomize", "usercustomize", "asyncio", "logging", "re", "socket"):
        (workspace / f"{name}.py").write_text(trap)
    (workspace / "config.toml").write_text('default = "openai"\n')
    service.script(chat.streamed(["safe"]))
    async with Sidecar(tmp_path, options=options(service), cwd=workspace) as sidecar:
        assert (await sidecar.call("ai/stream", {"prompt": "x"}))["text"] == "safe"
        await sidecar.fail("workspace/executeCommand", {"command": "x"})  # pygls is loaded as well
        await sidecar.call("ai/providers")
    assert not list(workspace.rglob("RAN"))


# --- logs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["debug", "trace"])
@pytest.mark.asyncio
async def test_no_secret_in_a_log_and_no_text_below_trace(
    level: str, tmp_path: Path, service: RawServer
) -> None:
    log = tmp_path / "log"
    secret, prompt = "sk-contract-test-0123456789", "a private question"
    document = "a private document"
    service.script(chat.error(401, f"bad key {secret}"), chat.streamed(["a private answer"]))
    arguments = ("--log-level", level, "--log-file", str(log))
    async with Sidecar(tmp_path, *arguments, options=options(service)) as sidecar:
        error = await sidecar.fail("ai/complete", {"prompt": prompt})
        assert secret not in json.dumps(error)
        await sidecar.call("ai/stream", {"prompt": prompt, "workDoneTokenn": secret})
        text = {"uri": "file:///x", "languageId": "x", "version": 1, "text": document}
        sidecar.notify("textDocument/didOpen", {"textDocument": text})
        sidecar.notify("textDocument/didOpen", {"textDocument": {"text": document}})
        sidecar.notify("workspace/didChangeConfiguration", {"settings": options(service)})
        await sidecar.until_answer(sidecar.request("workspace/executeCommand", {"command": secret}))
        await sidecar.until_answer(sidecar.request("shutdown"))
    written = log.read_text()
    assert written, "the log says something"
    assert secret not in written
    if level != "trace":
        assert "private" not in written


@pytest.mark.asyncio
async def test_stderr_is_silent_in_an_ordinary_session(tmp_path: Path, service: RawServer) -> None:
    async with Sidecar(tmp_path, options=options(service), quiet=True) as sidecar:
        await sidecar.call("ai/stream", {"prompt": "x"})
        sidecar.notify("$/setTrace", {"value": "off"})
        sidecar.notify("textDocument/didSave", {"textDocument": {"uri": "file:///x"}})
        sidecar.notify("workspace/didChangeWatchedFiles", {"changes": []})
        sidecar.cancel("nothing")
        sidecar.notify("some/thing", {})
        await sidecar.call("shutdown")
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 0


@pytest.mark.asyncio
async def test_a_picked_model_counts_for_the_request_right_behind_it(
    tmp_path: Path, service: RawServer
) -> None:
    """Both in one write, right after `initialize`: nothing of either is loaded then."""
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        pick = {"command": "aiSidecar.selectModel", "arguments": [{"model": "up/picked"}]}
        messages = [
            {"id": 1, "method": "workspace/executeCommand", "params": pick},
            {"id": 2, "method": "ai/stream", "params": {"prompt": "Hi"}},
        ]
        bodies = [json.dumps({"jsonrpc": "2.0", **each}).encode() for each in messages]
        sidecar.write(b"".join(map(frame, bodies)))
        answers = {each["id"]: each for each in [await sidecar.read(), await sidecar.read()]}
        assert answers[1]["result"] is None and answers[2]["result"]["text"] == "ok"
        (request,) = service.requests
        assert json.loads(request.body)["model"] == "picked"
