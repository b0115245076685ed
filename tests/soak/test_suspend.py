"""The process is stopped and goes on later, as in a sleep: the next request is answered."""

import asyncio
import ctypes
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.contract.conftest import options
from tests.contract.process import Sidecar
from tests.http.server import Gate, RawServer, plain

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="a socket's filter is Linux'"),
]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RawServer]:
    server = await RawServer.start(chat.streamed(["ok"]))
    yield server
    await server.aclose()


def sockets(server: RawServer) -> list[socket.socket]:
    return [p._transport.get_extra_info("socket") for p in server._peers if p._transport]


def deafen(server: RawServer) -> None:
    """Drop what arrives before TCP sees it: no acknowledgement and no reset, as from far away."""
    buffer = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF: ret 0
    for each in sockets(server):
        program = struct.pack("HL", 1, ctypes.addressof(buffer))
        each.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER


def close(server: RawServer, *, reset: bool) -> None:
    for peer in list(server._peers):
        assert peer._transport is not None
        if reset:
            linger = struct.pack("ii", 1, 0)
            peer._transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
        peer._transport.abort()


async def streamed(sidecar: Sidecar) -> tuple[list[Any], float]:
    """Ask; return the values and how long it took."""
    began = time.monotonic()
    asked = sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
    values, answer = await sidecar.until_answer(asked)
    assert "error" not in answer, answer
    return [v["params"]["value"] for v in values], time.monotonic() - began


@pytest.mark.parametrize("meanwhile", ["closed", "reset", "silent", "nothing"])
async def test_the_next_request_is_answered(
    tmp_path: Path, service: RawServer, meanwhile: str
) -> None:
    configured = options(service, http={"idleSeconds": 0.5})
    async with Sidecar(tmp_path, options=configured) as sidecar:
        await streamed(sidecar)
        sidecar.process.send_signal(signal.SIGSTOP)
        if meanwhile == "silent":
            deafen(service)
        elif meanwhile != "nothing":
            close(service, reset=meanwhile == "reset")
        await asyncio.sleep(0.8)
        sidecar.send(
            {"jsonrpc": "2.0", "id": 1, "method": "ai/countTokens", "params": {"text": "x"}}
        )
        began = time.monotonic()
        asked = sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        sidecar.process.send_signal(signal.SIGCONT)
        await sidecar.answer(1)
        values, answer = await sidecar.until_answer(asked)
        assert answer["result"]["finishReason"] == "stop"
        kinds = [v["params"]["value"]["kind"] for v in values]
        assert kinds == ["start", "text"], "no error and no retry for a connection that died"
        assert time.monotonic() - began < 2
        if meanwhile == "silent":
            for record in service.connections:
                record.mark_closed(0.0)


async def test_a_stream_that_was_cut_meanwhile(tmp_path: Path, service: RawServer) -> None:
    service.script([chat.HEAD, chat.chunk(chat.delta("half")), Gate()], chat.streamed(["ok"]))
    async with Sidecar(tmp_path, options=options(service)) as sidecar:
        asked = sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        await sidecar.read()
        await sidecar.read()
        sidecar.process.send_signal(signal.SIGSTOP)
        close(service, reset=True)
        await asyncio.sleep(0.2)
        sidecar.process.send_signal(signal.SIGCONT)
        _, answer = await sidecar.until_answer(asked)
        assert answer["error"]["data"]["kind"] == "truncatedStream"
        assert answer["error"]["data"]["partial"] == {"text": "half"}
        values, _ = await streamed(sidecar)
        assert [v["kind"] for v in values] == ["start", "text"]


async def test_bounds_that_passed_meanwhile_are_told_as_such(
    tmp_path: Path, service: RawServer
) -> None:
    """The head arrives while nobody looks; then it is there, and no time has run out."""
    gate = Gate()
    service.script([gate, *chat.streamed(["late"])], [plain(b"{}")])
    configured = options(service, timeouts={"firstByte": 2, "idle": 5})
    async with Sidecar(tmp_path, options=configured) as sidecar:
        asked = sidecar.request("ai/stream", {"prompt": "x", "partialResultToken": 1})
        await service.arrived(1)
        sidecar.process.send_signal(signal.SIGSTOP)
        gate.open()
        await asyncio.sleep(2.5)
        sidecar.process.send_signal(signal.SIGCONT)
        values, answer = await sidecar.until_answer(asked)
        assert answer["result"]["finishReason"] == "stop"
        assert values[-1]["params"]["value"]["text"] == "late"
