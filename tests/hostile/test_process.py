"""A client of ill will, or none at all, at the real program's pipes: it answers, or waits, or goes
on with what follows; it never falls, never hangs and never grows.

One process serves all tests of a kind where that is possible: each checks at its end that the
process still answers.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from sidecar.framing import FrameDecoder, frame
from tests.contract.process import Sidecar

MOCK = {"default": "mock", "providers": {"mock": {}}}
MB = 1024 * 1024
pytestmark = pytest.mark.slow  # a process for each; what needs none is in `test_requests.py`
LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def body(id: Any, method: str = "ai/countTokens", **params: Any) -> bytes:
    return json.dumps(
        {"jsonrpc": "2.0", "id": id, "method": method, "params": params or {"text": "x"}}
    ).encode()


@pytest_asyncio.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Sidecar]:
    """Still there at the end, and silent on stderr."""
    log = ("--log-file", str(tmp_path / "log"))  # what is refused is logged as a warning
    async with Sidecar(tmp_path, *log, options=MOCK) as sidecar:
        yield sidecar
        assert (await sidecar.call("ai/countTokens", {"text": "still there"}))["tokens"] > 0


# --- headers ------------------------------------------------------------------------------------

GOOD = [
    b"Content-Length: %d\n\n",
    b"\r\nContent-Length: %d\r\n\r\n",
    b"CONTENT-LENGTH:%d\r\n\r\n",
    b"Content-Length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf8\r\n\r\n",
    b"Content-Type: application/vscode-jsonrpc; charset=latin-1\r\nContent-Length: %d\r\n\r\n",
    b"Content-Length: 7\r\nContent-Length: %d\r\n\r\n",  # the last one counts
    b"Content-Length: 99999999999999999999\r\nContent-Length: %d\r\n\r\n",
    b"\xef\xbb\xbfContent-Length: %d\r\n\r\n",
    b"Content-Length: 00000%d\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n",
    b"\0\0\0\r\nContent-Length: %d\r\n\r\n",
]
BAD = [
    b"Content-Length: -5\r\n\r\n",
    b"Content-Length: +5\r\n\r\n",
    b"Content-Length: 0x10\r\n\r\n",
    b"Content-Length: 1e3\r\n\r\n",
    b"Content-Length: 5.0\r\n\r\n",
    b"Content-Length: 5, 5\r\n\r\n",
    b"Content-Length:\r\n\r\n",
    b"Content-Length: \xd9\xa5\r\n\r\n",  # a digit, in Arabic
    b"Content-Length : five\r\n\r\n",
    b"Content-Length: 999999999999999999999999999999\r\n\r\n",
    b"\r\n\r\n\r\n\n\n",
    b"{}{}{}\n",
    b"Content-Type: only\r\n\r\n",
]


@pytest.mark.asyncio
async def test_headers_in_every_form_that_can_be_read(sidecar: Sidecar) -> None:
    for number, header in enumerate(GOOD):
        said = body(number)
        sidecar.write(header % len(said) + said)
        assert "result" in await sidecar.answer(number), header


@pytest.mark.asyncio
async def test_headers_that_say_nothing_cost_no_message(sidecar: Sidecar) -> None:
    for number, header in enumerate(BAD):
        sidecar.write(header + body("lost") + b"\r\n" + frame(body(number)))
        assert "result" in await sidecar.answer(number), header


@pytest.mark.asyncio
async def test_a_length_that_is_too_small_or_too_large(sidecar: Sidecar) -> None:
    said = body(1)
    sidecar.write(b"Content-Length: %d\r\n\r\n%b\r\n" % (len(said) - 5, said) + frame(body(2)))
    assert (await sidecar.read())["error"]["code"] == -32700
    assert "result" in await sidecar.answer(2)
    sidecar.write(b"Content-Length: %d\r\n\r\n%b" % (len(said) + 9, said))
    sidecar.write(frame(body("half eaten")) + frame(body(3)))
    assert (await sidecar.read())["error"]["code"] == -32700
    assert "result" in await sidecar.answer(3)
    sidecar.write(b"Content-Length: 0\r\n\r\n" + frame(body(4)))
    assert (await sidecar.read())["error"]["code"] == -32700
    assert "result" in await sidecar.answer(4)


@LINUX
@pytest.mark.asyncio
async def test_a_header_line_of_megabytes_is_not_kept(sidecar: Sidecar) -> None:
    await sidecar.call("ai/countTokens", {"text": "x"})
    before = sidecar.rss()
    for piece in (b"x" * MB, b"Content-Type: " + b"y" * MB, os.urandom(MB).replace(b"\n", b"")):
        for _ in range(16):
            sidecar.write(piece)
        sidecar.write(b"\r\n" + frame(body(1)))
        assert "result" in await sidecar.answer(1)
    assert sidecar.rss() - before < 12 * MB


@pytest.mark.asyncio
async def test_byte_by_byte_and_half_a_frame_then_silence(sidecar: Sidecar) -> None:
    """What is half there holds up nothing that goes on already."""
    for byte in frame(body(1)):
        sidecar.write(bytes([byte]))
    assert "result" in await sidecar.answer(1)
    params = {"prompt": "a b c d", "model": "mock/slow-30", "partialResultToken": 1}
    sidecar.request("ai/stream", params, id=2)
    half = frame(body(3))
    sidecar.write(half[:30])
    before, answer = await sidecar.until_answer(2)
    assert "result" in answer and len(before) >= 5
    await sidecar.quiet()
    sidecar.write(half[30:])
    assert "result" in await sidecar.answer(3)


@pytest.mark.parametrize(
    "half", [b"Content-Le", b"Content-Length: 50\r\n\r\n", frame(body(1))[:40]]
)
@pytest.mark.asyncio
async def test_the_end_of_input_within_a_frame_is_the_end(half: bytes, tmp_path: Path) -> None:
    async with Sidecar(tmp_path, options=MOCK) as sidecar:
        sidecar.write(half)
        assert sidecar.process.stdin is not None
        sidecar.process.stdin.close()
        assert await sidecar.exit_code() == 0


# --- bodies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\xef\xbb\xbf" + body(1), {-32700}),
        (body(1).decode().encode("utf-16"), {-32700}),
        (b"[" * 100_000, {-32600, -32700}),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"x","params":%b}' % (b"[" * 10**5 + b"]" * 10**5),
            {-32600, -32602},  # how deep is too deep, the interpreter says
        ),
        (b'{"a":' * 100_000, {-32600, -32700}),
        (b'{"jsonrpc":"2.0","id":1,"method":"%b"}' % (b"x" * MB), {-32601}),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', {-32700}),
        (b"\0" * 1000, {-32700}),
        (b" " * MB, {-32700}),
        (b'{"jsonrpc":"2.0",' + b'"x":1,' * 100_000 + b'"id":1,"method":"ai/x"}', {-32601}),
    ],
    ids=range(10),
)
@pytest.mark.asyncio
async def test_bodies_that_are_no_requests(said: bytes, code: set[int], sidecar: Sidecar) -> None:
    sidecar.write(frame(said))
    assert (await sidecar.read())["error"]["code"] in code


@LINUX
@pytest.mark.asyncio
async def test_a_frame_at_the_limit_is_read_and_those_over_it_are_not_kept(
    sidecar: Sidecar,
) -> None:
    head, tail = b'{"jsonrpc":"2.0","id":9,"method":"ai/countTokens","params":{"text":"', b'"}}'
    fill = 64 * MB - len(head) - len(tail)
    sidecar.write(frame(head + b"x" * fill + tail))
    assert (await sidecar.answer(9))["result"]["tokens"] > MB
    before = sidecar.rss()
    for _ in range(4):
        sidecar.write(frame(head + b"x" * (fill + 1) + tail))
        assert (await sidecar.answer(9))["error"]["code"] == -32600
    assert sidecar.rss() - before < 12 * MB


# --- before and at initialize -----------------------------------------------------------------


@pytest.mark.asyncio
async def test_the_first_message_may_be_anything(tmp_path: Path) -> None:
    async with Sidecar(tmp_path, options=None) as sidecar:
        sidecar.write(b"garbage\r\n\r\n" + frame(b"[") + frame(b"[]") + frame(b"[" * 100_000))
        for codes in ({-32700}, {-32600}, {-32600, -32700}):
            assert (await sidecar.read())["error"]["code"] in codes
        for params in (None, [], 5, "x", {"capabilities": 5}, {"capabilities": []}):
            sidecar.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
            answer = await sidecar.answer(1)
            if params is not None:
                assert answer["error"]["code"] == -32602, params
            if "result" in answer:
                break
        assert (await sidecar.call("ai/countTokens", {"text": "x"})) is not None


WEIRD: list[Any] = [
    *({"processId": pid} for pid in (-1, 0, 2**31, 2**63, 2**70, "x", True, [], 1.5)),
    {"rootUri": 5, "workspaceFolders": [None, 5, {"uri": {}}], "trace": "loud", "locale": []},
    {"rootUri": "\ud83d", "clientInfo": {"name": "\ud83d"}, "initializationOptions": "\ud83d"},
    {"capabilities": {"general": {"positionEncodings": [5, None, {}]}, "window": 5}},
    {"capabilities": {"experimental": {"aiSidecar": 5}, "workspace": [], "textDocument": "x"}},
    {"initializationOptions": [[]], "workDoneToken": {}},
]


@pytest.mark.parametrize("params", WEIRD, ids=[str(each)[:50] for each in WEIRD])
@pytest.mark.asyncio
async def test_initialize_with_whatever_in_it(params: dict[str, Any], tmp_path: Path) -> None:
    log = ("--log-file", str(tmp_path / "log"))
    async with Sidecar(tmp_path, *log, options=None) as sidecar:
        whole = {"processId": None, "rootUri": None, "capabilities": {}, **params}
        sidecar.send({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": whole})
        assert "result" in await sidecar.answer(1)
        sidecar.notify("initialized")
        for method in ("ai/countTokens", "workspace/executeCommand", "shutdown"):
            sidecar.request(method, {"text": "x", "command": "x"}, id=method)
            _, answer = await sidecar.until_answer(method)
            assert answer.get("error", {}).get("code") != -32603, answer
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 0


# --- many -------------------------------------------------------------------------------------


@LINUX
@pytest.mark.asyncio
async def test_ten_thousand_requests_in_flight(sidecar: Sidecar) -> None:
    """All are worked on at once; half are cancelled, half answered, each once."""
    count = 10_000
    await sidecar.call("ai/countTokens", {"text": "x"})
    before = sidecar.rss()
    params = {"prompt": "a", "model": "mock/slow-4000"}
    for id in range(count):
        sidecar.request("ai/stream", params, id=f"r{id}")
    for id in range(0, count, 2):
        sidecar.cancel(f"r{id}")
    for id in range(count, count + 1000):
        sidecar.cancel(f"r{id}")  # nobody
    answers: dict[str, Any] = {}
    most = 0
    while len(answers) < count:
        answer = await sidecar.read()
        assert answer["id"] not in answers
        answers[answer["id"]] = answer
        if len(answers) % 500 == 0:
            most = max(most, sidecar.rss() - before)
    await sidecar.quiet()
    codes = Counter(a.get("error", {}).get("code") for a in answers.values())
    assert codes == {None: count // 2, -32800: count // 2}
    assert all(("error" in a) == (int(id[1:]) % 2 == 0) for id, a in answers.items())
    assert most < 300 * MB, f"{most // count} bytes a request"


@LINUX
@pytest.mark.asyncio
async def test_a_client_that_asks_and_never_reads(tmp_path: Path) -> None:
    """At 64 MiB of answers no more requests are read; once it reads, all that it asked is there."""
    async with Sidecar(tmp_path, options=MOCK) as sidecar:
        await sidecar.call("ai/countTokens", {"text": "x"})
        before = sidecar.rss()
        stdin = sidecar.process.stdin
        assert stdin is not None
        asked = frame(body("z", "ai/complete", prompt="y" * 50_000))
        sent, stuck = 0, 0.0
        while stuck < 1.0 and sent < 10_000:
            stdin.write(asked)
            sent += 1
            began = time.monotonic()
            try:
                await asyncio.wait_for(stdin.drain(), 1.0)
            except TimeoutError:
                stuck = time.monotonic() - began
        assert sent < 10_000, "it read on for ever"
        assert sidecar.rss() - before < 260 * MB
        decoder, answered = FrameDecoder(), 0
        assert sidecar.process.stdout is not None
        while answered < sent:
            data = await asyncio.wait_for(sidecar.process.stdout.read(MB), 15)
            assert data
            for item in decoder.feed(data):
                assert isinstance(item, bytes) and b'"result"' in item
                answered += 1
        await sidecar.quiet()
        assert "result" in await sidecar.answer(sidecar.request("ai/countTokens", {"text": "x"}))


@LINUX
@pytest.mark.asyncio
async def test_notifications_without_end_are_not_kept(sidecar: Sidecar) -> None:
    await sidecar.call("ai/countTokens", {"text": "x"})
    await sidecar.fail("workspace/executeCommand", {"command": "x"})  # what serves it is loaded
    stdin = sidecar.process.stdin
    assert stdin is not None
    before = 0
    for round in range(4):
        for number in range(5_000):
            sidecar.cancel(f"{round}-{number}")
            sidecar.notify("no/such", {"x": number})
            sidecar.send({"jsonrpc": "2.0", "id": f"sidecar-{number}", "result": {}})
            sidecar.notify("ai/lm/delta", {"id": str(number), "text": "x" * 100})
        await asyncio.wait_for(stdin.drain(), 15)
        assert "result" in await sidecar.answer(sidecar.request("ai/countTokens", {"text": "x"}))
        before = before or sidecar.rss()
    assert sidecar.rss() - before < 8 * MB


@pytest.mark.asyncio
async def test_shutdown_in_the_middle_of_everything(tmp_path: Path) -> None:
    async with Sidecar(tmp_path, options=MOCK) as sidecar:
        params = {"prompt": "a b c", "model": "mock/slow-1000", "workDoneToken": "w"}
        for id in range(50):
            sidecar.request("ai/stream", params, id=id)
        sidecar.request("shutdown", {}, id="bye")
        for id in range(25):
            sidecar.cancel(id)
            sidecar.notify("textDocument/didOpen", {"textDocument": {"uri": "x"}})
            sidecar.request("ai/complete", {"prompt": "x"}, id=f"late{id}")
        answers: dict[Any, Any] = {}
        while len(answers) < 76:
            message = await sidecar.read()
            if "method" not in message:
                assert message["id"] not in answers
                answers[message["id"]] = message
        assert answers["bye"]["result"] is None
        assert {answers[id]["error"]["code"] for id in range(50)} == {-32800}
        assert {answers[f"late{id}"]["error"]["code"] for id in range(25)} == {-32600}
        sidecar.notify("exit")
        assert await sidecar.exit_code() == 0
