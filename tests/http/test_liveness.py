"""Connections that died without a word: this machine slept, or the other side stopped hearing."""

import ctypes
import socket
import struct
import sys

import pytest

from providers.http import dial, liveness, pool, proxied
from providers.http.client import HttpRequest
from tests.http.conftest import MakeClient, Serve
from tests.http.proxy_server import ProxyServer
from tests.http.server import RawServer, plain

run = pytest.mark.asyncio


def get(server: RawServer) -> HttpRequest:
    return HttpRequest("POST", server.url, {}, b"{}")


def deafen(server: RawServer) -> None:
    """Drop whatever the kernel receives on the connections there are, before TCP sees it.

    As if the network had gone: no acknowledgement, no reset.
    """
    drop = struct.pack("HBBI", 0x06, 0, 0, 0)  # BPF: ret 0
    buffer = ctypes.create_string_buffer(drop)
    program = struct.pack("HL", 1, ctypes.addressof(buffer))
    for peer in server._peers:
        assert peer._transport is not None
        sock = peer._transport.get_extra_info("socket")
        try:
            sock.setsockopt(socket.SOL_SOCKET, 26, program)  # SO_ATTACH_FILTER
        except PermissionError:
            pytest.skip("this kernel lets nobody but root put a filter on a socket")


@run
@run
async def test_what_was_kept_before_a_sleep_is_not_used(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    server = await serve([plain(b"ok")])
    for expected in ((1, 0), (1, 1)):
        assert await (await client.send(get(server))).read() == b"ok"
        assert client.connections(server.url) == expected
    monkeypatch.setattr(pool, "slept", lambda: liveness.slept() + 30)
    assert await (await client.send(get(server))).read() == b"ok"
    assert client.connections(server.url) == (2, 1)
    assert await (await client.send(get(server))).read() == b"ok"
    assert client.connections(server.url) == (2, 2)


@run
@run
async def test_what_is_too_old_is_not_used_though_nobody_swept(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client(idle_seconds=5)
    server = await serve([plain(b"ok")])
    await (await client.send(get(server))).read()
    origin = client._transport.known_origin(client._place(server.url).address)
    assert origin is not None
    (kept,) = origin._idle
    kept.idle_since -= 10  # as when the process was stopped: no timer has run
    assert await (await client.send(get(server))).read() == b"ok"
    assert client.connections(server.url) == (2, 0)


@run
@run
async def test_a_proxy_s_connections_from_before_a_sleep(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    relay = await ProxyServer().start()
    client = make_client(proxy=relay.url)
    server = await serve([plain(b"ok")])
    for sleep in (0, 30, 60, 60):
        monkeypatch.setattr(proxied, "slept", lambda sleep=sleep: liveness.slept() + sleep)
        assert await (await client.send(get(server))).read() == b"ok"
    assert client.connections(server.url) == (3, 1)
    await client.aclose()
    await relay.aclose()


@run
@run
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a socket's filter is Linux'")
async def test_a_connection_that_nobody_hears_is_replaced(
    make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sleep: the network changed. TCP's own patience would be fifteen minutes."""
    short = [(level, option, 2500) for level, option, _ in liveness.socket_options()]
    monkeypatch.setattr(dial, "socket_options", lambda: short)
    client = make_client(first_byte=8)
    server = await serve([plain(b"ok")])
    await (await client.send(get(server))).read()
    deafen(server)
    assert await (await client.send(get(server))).read() == b"ok"
    assert client.connections(server.url) == (2, 1)
    assert len(server.requests) == 2, "the one that nobody heard was never seen"
    server.connections[0].mark_closed(0.0)  # nor does the server hear of the end


def test_only_what_was_not_acknowledged_is_undelivered() -> None:
    for number, expected in ((110, True), (104, False)):
        error = ConnectionError("broke")
        error.__cause__ = OSError(number, "x")
        assert liveness.undelivered(error) is (expected and sys.platform == "linux")


test_only_what_was_not_acknowledged_is_undelivered.pytestmark = []  # type: ignore[attr-defined]
