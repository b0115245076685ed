"""Streams and cancels, from a real socket of the service to the program's real stdout."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contract import chat
from tests.contract.conftest import options
from tests.contract.process import Sidecar, text_of
from tests.http.server import Gate, RawServer

pytestmark = pytest.mark.asyncio

STREAM = {"prompt": "Hi", "partialResultToken": "p"}
BOTH = pytest.mark.parametrize(
    "env", [{}, {"AI_SIDECAR_STDIO": "threads"}], ids=["pipe", "threads"]
)
TEXTS = {
    "ascii": ["Hello", ", ", "world", '\n\t"quoted" \\ end'],
    "emoji": ["😀", "👩\u200d👧", " and 🏳️\u200d🌈", "."],
    "rtl": ["שלום ", "עולם", " مرحبا"],
    "combining": ["e\u0301", "a\u0308\u0323", "한글"],
}
CLOSE_SECONDS = 0.05
"""The contract's bound from a cancel to the service seeing its connection closed."""


@BOTH
@pytest.mark.parametrize("name", TEXTS)
async def test_streamed_text_is_the_completed_text(
    name: str, env: dict[str, str], tmp_path: Path, service: RawServer
) -> None:
    pieces = TEXTS[name]
    async with Sidecar(tmp_path, options=options(service), env=env) as sidecar:
        service.script(chat.whole("".join(pieces)))
        whole = await sidecar.call("ai/complete", {"prompt": "x"})
        assert whole["text"] == "".join(pieces)
        for cut in (None, 1, 2, 3, 5, 64, 10_000):
            service.script(chat.streamed(pieces, cut=cut))
            before, answer = await sidecar.until_answer(sidecar.request("ai/stream", STREAM))
            assert text_of(before, "p") == whole["text"]
            kinds = [m["params"]["value"]["kind"] for m in before]
            assert kinds[0] == "start" and set(kinds[1:]) == {"text"}
            assert all(m["params"]["value"].get("text") != "" for m in before)
            result = answer["result"]
            assert result["text"] == "" and result["finishReason"] == "stop"
            assert result["usage"]["totalTokens"] == 8
            assert result["timing"].keys() == {"dispatchMs", "firstTokenMs", "totalMs"}


async def test_an_event_goes_out_when_it_comes(tmp_path: Path, service: RawServer) -> None:
    gate = Gate()
    service.script([chat.HEAD, chat.chunk(chat.delta("one")), gate, chat.chunk(chat.END)])
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        id = sidecar.request("ai/stream", STREAM)
        start, text = await sidecar.read(), await sidecar.read()
        assert start["params"]["value"]["kind"] == "start"
        assert text["params"]["value"] == {"kind": "text", "text": "one"}
        gate.open()
        assert (await sidecar.answer(id))["result"]["provider"] == "up"


@BOTH
async def test_cancel_in_the_middle(
    env: dict[str, str], tmp_path: Path, service: RawServer
) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("one")), Gate()])
    async with Sidecar(tmp_path, options=options(service), env=env) as sidecar:
        id = sidecar.request("ai/stream", STREAM)
        await sidecar.read()
        await sidecar.read()
        await asyncio.sleep(0.5)  # pygls has been imported by then, as in a session of some age
        cancelled = asyncio.get_running_loop().time()
        sidecar.cancel(id)
        assert (await sidecar.answer(id))["error"]["code"] == -32800
        assert await service.connections[-1].closed() - cancelled < CLOSE_SECONDS
        await sidecar.quiet()
        assert len(service.requests) == 1


async def test_cancel_before_the_first_byte(tmp_path: Path, service: RawServer) -> None:
    gate = Gate()
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        await sidecar.call("ai/stream", {"prompt": "warm"})
        await asyncio.sleep(0.5)
        service.script([gate])
        id = sidecar.request("ai/stream", STREAM)
        await gate.reached.wait()
        cancelled = asyncio.get_running_loop().time()
        sidecar.cancel(id)
        assert (await sidecar.answer(id))["error"]["code"] == -32800
        assert await service.connections[-1].closed() - cancelled < CLOSE_SECONDS


async def test_cancel_while_waiting_to_retry(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.error(429, "slow down", "Retry-After: 8"))
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        id = sidecar.request("ai/stream", STREAM)
        retry = (await sidecar.read())["params"]["value"]
        assert retry["kind"] == "retry" and retry["waitMs"] >= 8000
        assert retry["error"]["kind"] == "rateLimit" and retry["error"]["status"] == 429
        sidecar.cancel(id)
        assert (await sidecar.answer(id))["error"]["code"] == -32800
        await sidecar.quiet()
        assert len(service.requests) == 1


async def test_two_hundred_at_once(tmp_path: Path, service: RawServer) -> None:
    service.script(chat.streamed(["a", "b", "c"]))
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        for n in range(200):
            sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": n}, id=n)
        got: dict[int, str] = {}
        seen: dict[int, str] = dict.fromkeys(range(200), "")
        while len(got) < 200:
            message = await sidecar.read()
            if "id" in message:
                assert message["id"] not in got
                got[message["id"]] = message["result"]["finishReason"]
            else:
                token = message["params"]["token"]
                assert token not in got, "progress after the answer"
                seen[token] += message["params"]["value"].get("text", "")
        assert set(seen.values()) == {"abc"} and set(got.values()) == {"stop"}
        await sidecar.quiet()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the memory of the program")
@BOTH
async def test_a_client_that_does_not_read_for_seconds(
    env: dict[str, str], tmp_path: Path, service: RawServer
) -> None:
    events = 40_000
    async with Sidecar(tmp_path, options=options(service), env=env) as sidecar:
        stream, _ = await stuck(sidecar, service, events)
        stuck_at = service.connections[-1].sent
        gate = Gate()
        service.script([gate])
        other = sidecar.request("ai/complete", {"prompt": "y"})
        await gate.reached.wait()
        sidecar.cancel(other)
        await service.connections[-1].closed()
        await asyncio.sleep(0.5)
        assert service.connections[-2].sent == stuck_at, "the service was not slowed"
        messages: list[Any] = []
        answers: dict[Any, Any] = {}
        while len(answers) < 2:
            message = await sidecar.read()
            if "id" in message:
                answers[message["id"]] = message
            else:
                messages.append(message)
        assert answers[other]["error"]["code"] == -32800
        assert answers[stream]["result"]["finishReason"] == "stop"
        assert text_of(messages, "p") == "".join(f"{n}:{PIECE};" for n in range(events))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc for the memory of the program")
@BOTH
async def test_memory_does_not_know_how_much_is_unread(
    env: dict[str, str], tmp_path: Path, service: RawServer
) -> None:
    """An answer four times as long costs no more while nobody reads it."""
    grown: list[int] = []
    for events in (40_000, 160_000):
        async with Sidecar(tmp_path, options=options(service), env=env) as sidecar:
            id, growth = await stuck(sidecar, service, events)
            grown.append(growth)
            sidecar.cancel(id)
            await sidecar.until_answer(id)
    more = 120_000 * len(chat.delta(PIECE))
    assert grown[1] - grown[0] < more / 8, f"{grown} bytes, and {more} more were unread"


PIECE = "x" * 200


async def stuck(sidecar: Sidecar, service: RawServer, events: int) -> tuple[Any, int]:
    """Begin a stream that nobody reads, and wait until nothing moves any more.

    Returns its id, and by how many bytes the program's memory has grown for it.
    """
    # What is loaded late is there: pygls (for a request of LSP), and all that a stream needs.
    assert (await sidecar.fail("textDocument/none"))["code"] == -32601
    service.script(chat.streamed(["ok"]))
    await sidecar.until_answer(sidecar.request("ai/stream", STREAM))
    before = sidecar.rss()
    steps: list[Any] = [chat.HEAD]
    for at in range(0, events, 100):
        body = b"".join(chat.delta(f"{n}:{PIECE};") for n in range(at, at + 100))
        steps.append(chat.chunk(body))
    service.script([*steps, chat.chunk(chat.END), chat.LAST_CHUNK])
    asked = len(service.requests)
    id = sidecar.request("ai/stream", STREAM)
    connection = (await service.arrived(asked + 1)).connection
    sent = -1
    while sent != connection.sent:
        sent = connection.sent
        await asyncio.sleep(0.5)
    assert 0 < sent < sum(len(step) for step in steps), "the service was not slowed"
    return id, sidecar.rss() - before


@pytest.mark.parametrize(
    ("script", "kind", "status"),
    [
        (chat.error(401, "bad key"), "authentication", 401),
        (chat.error(403, "not yours"), "permission", 403),
        (chat.error(400, "no such thing"), "invalidRequest", 400),
        (chat.error(402, "pay first"), "quota", 402),
        (chat.error(500, "oops"), "server", 500),
        (chat.error(529, "too many"), "overloaded", 529),
        ([chat.answer(200, b"<html>hello</html>")], "malformedStream", 200),
    ],
)
async def test_errors_of_the_service(
    script: Any, kind: str, status: int, tmp_path: Path, service: RawServer
) -> None:
    service.script(script)
    configured = options(service, retry={"attempts": 1})
    async with Sidecar(tmp_path, options=configured) as sidecar:
        for method in ("ai/stream", "ai/complete"):
            error = await sidecar.fail(method, {"prompt": "x"})
            assert error["code"] == -32803, error
            data = error["data"]
            assert (data["kind"], data.get("status", 200)) == (kind, status), error
            assert data["provider"] == "up" and len(data["attempts"]) == 1


async def test_a_stream_that_breaks_off(tmp_path: Path, service: RawServer) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("half of")), chat.LAST_CHUNK])
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        before, answer = await sidecar.until_answer(sidecar.request("ai/stream", STREAM))
        assert text_of(before, "p") == "half of"
        assert answer["error"]["code"] == -32803
        assert answer["error"]["data"]["kind"] == "truncatedStream"
        assert answer["error"]["data"]["partial"] == {"text": "half of"}


async def test_what_is_no_request_is_answered_and_the_session_goes_on(
    tmp_path: Path, service: RawServer
) -> None:
    async with Sidecar(tmp_path, options=options(service), quiet=False) as sidecar:
        for body, id, code in (
            (b"{", None, -32700),
            (b"[]", None, -32600),
            (b'{"jsonrpc":"2.0","id":5}', 5, -32600),
            (b'{"jsonrpc":"2.0","id":6,"method":"ai/none"}', 6, -32601),
            (b'{"jsonrpc":"2.0","id":"x","method":"textDocument/none"}', "x", -32601),
            (b'{"jsonrpc":"2.0","id":7,"method":"ai/complete","params":{}}', 7, -32602),
        ):
            sidecar.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
            message = await sidecar.read()
            assert (message["id"], message["error"]["code"]) == (id, code)
        sidecar.write(b"complete nonsense\r\n\r\n{}\r\n")
        assert (await sidecar.call("ai/stream", {"prompt": "x"}))["text"] == "ok"
