"""Connections of all origins together stay below the files the process may have open."""

import asyncio
import errno
import socket
from typing import Any

import pytest

from providers.errors import TimedOut
from providers.http.client import HttpClient, HttpRequest
from providers.http.descriptors import Descriptors
from tests.http.conftest import MakeClient, Serve
from tests.http.server import END, Gate, RawServer, chunk, chunked, head
from tests.http.test_pool import fetch

pytestmark = pytest.mark.asyncio


def bound(client: HttpClient, most: int) -> "Descriptors[Any]":
    descriptors = client._transport._descriptors
    descriptors.most = most
    return descriptors


async def test_what_does_not_fit_waits_and_all_are_answered(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client(connect=0.2)
    descriptors = bound(client, 3)
    servers: list[RawServer] = [await serve([head(), 0.01, chunk(b"x"), END]) for _ in range(2)]
    tasks = [asyncio.create_task(fetch(client, servers[n % 2])) for n in range(60)]
    most = 0
    while not all(task.done() for task in tasks):
        most = max(most, sum(server.open_connections for server in servers))
        await asyncio.sleep(0.005)
    assert [task.result() for task in tasks] == [b"x"] * 60
    assert most <= 4  # one that is closing may still be seen
    assert descriptors.taken <= 3 and not descriptors.wanted


async def test_an_idle_connection_elsewhere_is_given_up(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client()
    bound(client, 1)
    one, two = await serve(chunked(b"1")), await serve(chunked(b"2"))
    for _ in range(3):
        assert await fetch(client, one) == b"1"
    assert (one.open_connections, client.connections(one.url)) == (1, (1, 2))
    assert await fetch(client, two) == b"2"
    await one.all_closed()


async def test_one_origin_alone_goes_on_using_its_connections(
    make_client: MakeClient, serve: Serve
) -> None:
    client = make_client()
    bound(client, 2)
    server = await serve([head(), 0.001, chunk(b"x"), END])
    assert await asyncio.gather(*(fetch(client, server) for _ in range(20))) == [b"x"] * 20
    assert client.connections(server.url) == (2, 18)


async def test_who_gives_up_waiting_leaves_nothing(make_client: MakeClient, serve: Serve) -> None:
    client = make_client()
    descriptors = bound(client, 1)
    gate = Gate()
    server, other = await serve([head(), gate, END]), await serve(chunked(b"x"))
    holding = asyncio.create_task(fetch(client, server))
    await gate.reached.wait()
    with pytest.raises(TimedOut) as caught:
        await client.send(HttpRequest("GET", other.url, {}), total=0.05)
    assert caught.value.phase == "total"
    waiting = asyncio.create_task(fetch(client, other))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert descriptors.wanted
    waiting.cancel()
    await asyncio.wait([waiting])
    assert not descriptors.wanted
    gate.open()
    await holding
    assert (descriptors.wanted, other.connections) == (False, [])
    assert await fetch(client, other) == b"x"


async def test_closing_ends_those_who_wait(make_client: MakeClient, serve: Serve) -> None:
    client = make_client()
    bound(client, 1)
    gate = Gate()
    server = await serve([head(), gate, END])
    tasks = [asyncio.create_task(fetch(client, server)) for _ in range(5)]
    await gate.reached.wait()
    await client.aclose()
    done, left = await asyncio.wait(tasks, timeout=1)
    assert not left and all(task.exception() is not None for task in done)
    assert len(server.connections) == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
async def test_a_file_that_the_system_refuses_is_waited_for(
    number: int, make_client: MakeClient, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client()
    server = await serve(chunked(b"x"))
    refusals = 3

    async def dial(host: str, port: int) -> socket.socket:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise OSError(number, "too many open files")
        return await real(host, port)

    from providers.http import pool

    real = pool.dial
    monkeypatch.setattr(pool, "dial", dial)
    assert await fetch(client, server) == b"x"
    assert refusals < 0
    assert client._transport._descriptors.taken == 1
