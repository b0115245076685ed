"""What the program says to whom: nothing to the network before it is asked, text to the chosen
provider alone, and nothing of an answer that a terminal would obey."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sidecar.framing import FrameDecoder, frame
from tests.cli.ask_helpers import home_environment
from tests.contract import chat
from tests.contract.conftest import options, service
from tests.contract.process import PROGRAM, Sidecar, environment
from tests.http.server import CLOSE, RawServer, Step
from tests.sidecar.clients import VSCODE

__all__ = ["service"]

pytestmark = pytest.mark.slow  # each test starts the program, most a terminal as well
POSIX = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal")

# --- no network before it is asked ------------------------------------------------------------

KEYS = {
    "OPENAI_API_KEY": "sk-content-test-0123456789",
    "ANTHROPIC_API_KEY": "sk-ant-content-test-0123456789",
    "GEMINI_API_KEY": "content-test-gemini-0123456789",
    "GROQ_API_KEY": "gsk_content_test_0123456789",
    "AWS_ACCESS_KEY_ID": "AKIACONTENTTEST01234",
    "AWS_SECRET_ACCESS_KEY": "content-test-aws-0123456789",
    "AWS_REGION": "us-east-1",
    "AZURE_OPENAI_ENDPOINT": "https://content-test.invalid",
    "AZURE_OPENAI_API_KEY": "content-test-azure-0123456789",
}
DOCUMENT = {"uri": "file:///w/x.py", "languageId": "python", "version": 1, "text": "x = 1\n"}
QUIET: list[tuple[str, Any, Any]] = [
    ("initialize", 1, {**VSCODE, "processId": None}),
    ("initialized", None, {}),
    ("textDocument/didOpen", None, {"textDocument": DOCUMENT}),
    ("ai/providers", 2, {}),
    ("ai/models", 3, {}),
    ("ai/health", 4, {}),
    ("ai/metrics", 5, {}),
    ("ai/countTokens", 6, {"text": "x", "provider": "openai"}),
    ("workspace/executeCommand", 7, {"command": "aiSidecar.selectModel", "arguments": [{}]}),
    ("textDocument/codeAction", 8, {
        "textDocument": {"uri": DOCUMENT["uri"]},
        "range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}},
        "context": {"diagnostics": []},
    }),
]  # fmt: skip
ASKING: tuple[str, Any, Any] = ("ai/complete", 20, {"prompt": "x", "provider": "up"})


def spoken(messages: Sequence[tuple[str, Any, Any]]) -> bytes:
    out = b""
    for method, id, params in messages:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        out += frame(json.dumps(message if id is None else {**message, "id": id}).encode())
    return out


def addresses(
    messages: Sequence[tuple[str, Any, Any]], env: dict[str, str], folder: Path
) -> list[str]:
    """Run the program until it has answered; return every Internet address that it spoke to."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace not found: apt-get install strace")
    trace = folder / "trace"
    process = subprocess.Popen(
        [strace, "-f", "-qq", "-o", str(trace), "-e", "trace=network", str(PROGRAM)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=env,
        cwd=folder,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(spoken(messages))
    process.stdin.flush()
    decoder = FrameDecoder()
    waiting = {id for _, id, _ in messages if id is not None}
    while waiting:
        data = os.read(process.stdout.fileno(), 65536)
        assert data, f"{waiting} were not answered"
        for body in decoder.feed(data):
            assert isinstance(body, bytes)
            answer = json.loads(body)
            if "method" not in answer:
                waiting.remove(answer["id"])
    time.sleep(0.5)  # what begins later than the last answer: a watcher, a telemetry of somebody's
    process.stdin.close()
    process.stdout.close()
    assert process.wait(20) == 0
    return re.findall(r"AF_INET6?, .*", trace.read_text())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace is Linux'")
def test_no_network_at_start_nor_for_what_asks_no_provider(tmp_path: Path) -> None:
    """Six services configured, a document open, the lists asked for: not one name looked up."""
    assert addresses(QUIET, environment(tmp_path, **KEYS), tmp_path) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="strace is Linux'")
def test_strace_would_have_seen_it(tmp_path: Path) -> None:
    """The test above can fail: a request to a provider is seen."""
    config = tmp_path / "config.toml"
    config.write_text(
        'default = "up"\n[providers.up]\nkind = "openai-compatible"\n'
        'baseUrl = "http://127.0.0.1:9/v1"\napiKey = "sk-x-1234567"\nmodel = "m"\n'
    )
    env = environment(tmp_path, AI_SIDECAR_CONFIG=str(config))
    found = addresses([*QUIET[:2], ASKING], env, tmp_path)
    assert any("sin_port=htons(9)" in each for each in found), found


# --- text goes to the chosen provider, and nowhere else ----------------------------------------

PROMPT, ANSWER = "Prompt-Canary-5c1e", "Answer-Canary-9d2f"


@pytest.mark.parametrize("outcome", ["answered", "refused", "broken"])
@pytest.mark.asyncio
async def test_text_goes_to_the_chosen_provider_and_to_no_file(
    outcome: str, tmp_path: Path, service: RawServer
) -> None:
    others = [await RawServer.start(chat.streamed(["no"])) for _ in range(3)]
    scripts: dict[str, list[Step]] = {
        "answered": chat.streamed([ANSWER]),
        "refused": chat.error(400, f"you said {PROMPT}"),
        "broken": [*chat.streamed([ANSWER])[:2], CLOSE],
    }
    service.script(scripts[outcome])
    up = options(service)["providers"]["up"]
    given = {
        "default": "other0",
        "providers": {"up": up}
        | {f"other{n}": {**up, "baseUrl": f"{s.origin}/v1"} for n, s in enumerate(others)},
    }
    home = tmp_path / "home"
    home.mkdir()
    env = {"XDG_DATA_HOME": str(home / "data"), "XDG_STATE_HOME": str(home / "state")}
    log = ("--log-level", "debug", "--log-file", str(home / "log"))
    async with Sidecar(home, *log, options=given, env=env) as sidecar:
        for method in ("ai/complete", "ai/stream"):
            service.script(chat.whole(ANSWER) if (method, outcome) == ("ai/complete", "answered")
                           else scripts[outcome])  # fmt: skip
            params = {"prompt": PROMPT, "system": PROMPT, "provider": "up"}
            _, answer = await sidecar.until_answer(sidecar.request(method, params))
            assert ("result" in answer) == (outcome == "answered"), answer
        await sidecar.call("ai/countTokens", {"text": PROMPT, "provider": "other1"})
        await sidecar.call("shutdown")
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 0
    assert [server.connections for server in others] == [[], [], []]
    assert service.requests
    for server in others:
        await server.aclose()
    written = [path for path in home.rglob("*") if path.is_file()]
    booked = any(path.suffix in (".db", ".sqlite", ".sqlite3") for path in written)
    assert booked or outcome != "answered", written
    for path in written:
        data = path.read_bytes()
        assert PROMPT.encode() not in data and ANSWER.encode() not in data, path


# --- terminals -----------------------------------------------------------------------------

ATTACKS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;b3duZWQ=\x1b\\",
    "link": "\x1b]8;;http://evil\x1b\\text",
    "clear": "\x1b[2J\x1b[H",
    "answer back": "\x1b[6n\x1b[c\x05",
    "colour": "\x1b[31;5mred",
    "DCS": "\x1bP+q544e\x1b\\",
    "APC": "\x1b_Gi=1\x1b\\",
    "C1": "\x9b2J\x9d0;x\x9c\x90q\x9c\x85",
    "backspaces": "safe\b\b\b\bevil\x7f",
    "return": "safe\revil",
    "bell": "\a\v\f\0",
    "charset": "\x1b(0\x0e",
}
EVERYTHING = "".join(ATTACKS.values())
OURS = re.compile(r"\x1b\[(?:2m|22m|K|0m|1m|3[1-7]m|2;3[0-9]m|1;3[0-9]m)")
"""What we, and `rich`, write: none of it is in the attacks."""


async def in_terminal(arguments: Sequence[str], env: dict[str, str], folder: Path) -> str:
    """Run the program on a terminal; return everything that reached it."""
    import pty

    parent, child = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), *arguments),
        stdin=child,
        stdout=child,
        stderr=child,
        env=env,
        cwd=folder,
        start_new_session=True,
    )
    os.close(child)

    def read_all() -> bytes:
        shown = b""
        while True:
            try:
                data = os.read(parent, 65536)
            except OSError:  # Linux's way of saying that the other end is closed
                return shown
            if not data:
                return shown
            shown += data

    shown = await asyncio.wait_for(asyncio.to_thread(read_all), 30)
    await process.wait()
    os.close(parent)
    return shown.decode()


def assert_harmless(screen: str) -> None:
    rest = OURS.sub("", screen).replace("\r\n", "\n").replace("\r\x1b[K", "").replace("\r", "\n")
    bad = {repr(c) for c in rest if (ord(c) < 32 and c not in "\n\t") or 0x7F <= ord(c) < 0xA0}
    assert not bad, (bad, screen)


def configured(home: Path, server: RawServer, **more: str) -> dict[str, str]:
    config = home / "config.toml"
    lines = "".join(f'{key} = "{value}"\n' for key, value in more.items())
    config.write_text(
        f'default = "up"\n[providers.up]\nkind = "openai-compatible"\n'
        f'baseUrl = "{server.origin}/v1"\napiKey = "sk-content-test-01234567"\n'
        f'model = "m"\n{lines}[retry]\nattempts = 2\n'
    )
    config.chmod(0o600)
    return {**home_environment(home), "AI_SIDECAR_CONFIG": str(config)}


def delta(**fields: Any) -> bytes:
    choice = {"index": 0, "delta": fields, "finish_reason": None}
    return chat.event({"id": EVERYTHING, "model": f"m{EVERYTHING}", "choices": [choice]})


def stream(*events: bytes) -> list[Step]:
    return [chat.HEAD, *map(chat.chunk, (*events, chat.END)), chat.LAST_CHUNK]


@POSIX
@pytest.mark.parametrize("split", [1, 2, 3, 1000])
@pytest.mark.asyncio
async def test_an_answer_s_escapes_do_not_reach_the_terminal(
    split: int, tmp_path: Path, service: RawServer
) -> None:
    """Whole or split over tokens, in text, reasoning, citations, the id and the model's name."""
    text = f"begin{EVERYTHING}end"
    pieces = [text[i : i + split] for i in range(0, len(text), split)]
    events = [delta(reasoning_content=piece) for piece in pieces]
    events += [delta(content=piece) for piece in pieces]
    note = {"type": "url_citation", "url_citation": {"url": f"h{EVERYTHING}", "title": EVERYTHING}}
    events.append(delta(annotations=[note]))
    service.script(stream(*events))
    env = configured(tmp_path, service)
    screen = await in_terminal(["ask", "x"], env, tmp_path)
    assert "begin" in screen and "end" in screen and "up/m" in screen
    assert_harmless(screen)


@POSIX
@pytest.mark.parametrize("flags", [["--json"], ["--trace"], ["--json", "--trace"]])
@pytest.mark.asyncio
async def test_nor_as_json_nor_as_frames(
    flags: list[str], tmp_path: Path, service: RawServer
) -> None:
    service.script(stream(delta(content=EVERYTHING)))
    screen = await in_terminal(["ask", *flags, "x"], configured(tmp_path, service), tmp_path)
    assert "owned" in screen
    assert_harmless(screen)


@POSIX
@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
@pytest.mark.asyncio
async def test_nor_in_an_error(status: int, tmp_path: Path, service: RawServer) -> None:
    body = json.dumps(
        {"error": {"message": f"bad{EVERYTHING}", "type": EVERYTHING, "code": "\x9b"}}
    )
    service.script(
        [chat.answer(status, body.encode(), "x-request-id: q\xc2\x9b2J", "retry-after: 0")]
    )
    screen = await in_terminal(["ask", "x"], configured(tmp_path, service), tmp_path)
    assert "bad" in screen
    assert_harmless(screen)


@POSIX
@pytest.mark.asyncio
async def test_nor_in_a_page_of_html(tmp_path: Path, service: RawServer) -> None:
    page = f"<html><title>gateway{EVERYTHING}</title>&#27;[2J&#x9b;2J".encode()
    service.script([chat.answer(403, page)])
    screen = await in_terminal(["ask", "x"], configured(tmp_path, service), tmp_path)
    assert "gateway" in screen
    assert_harmless(screen)


@POSIX
@pytest.mark.asyncio
async def test_nor_in_tables(tmp_path: Path, service: RawServer) -> None:
    """`models --refresh`, `usage` with what an answer called itself, `doctor --live`."""
    env = configured(tmp_path, service)
    models = {"data": [{"id": f"listed{EVERYTHING}", "object": "model"}]}
    service.script([chat.answer(200, json.dumps(models).encode())])
    screen = await in_terminal(["models", "--refresh"], env, tmp_path)
    assert "listed" in screen
    assert_harmless(screen)
    service.script(stream(delta(content="x")))
    await in_terminal(["ask", "-m", f"up/asked{EVERYTHING}".replace("\0", ""), "x"], env, tmp_path)
    screen = await in_terminal(["usage"], env, tmp_path)
    assert "total" in screen and "asked" in screen
    assert_harmless(screen)
    service.script([chat.answer(400, json.dumps({"error": {"message": EVERYTHING}}).encode())])
    screen = await in_terminal(["doctor", "--live"], env, tmp_path)
    assert "up" in screen
    assert_harmless(screen)


@POSIX
@pytest.mark.asyncio
async def test_nor_in_what_is_wrong_with_the_configuration(
    tmp_path: Path, service: RawServer
) -> None:
    env = configured(tmp_path, service)
    config = Path(env["AI_SIDECAR_CONFIG"])
    evil = "".join(f"\\u{ord(c):04x}" for c in EVERYTHING)
    config.write_text(
        config.read_text() + f'\n[providers."n{evil}"]\nkind = "k{evil}"\n"x{evil}"=1\n'
    )
    for arguments in (["config", "check"], ["doctor"], ["ask", "x"]):
        screen = await in_terminal(arguments, env, tmp_path)
        assert screen
        assert_harmless(screen)
