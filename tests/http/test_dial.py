"""The race of a host's addresses."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from providers.http import dial as dialling
from providers.http.dial import dial

pytestmark = pytest.mark.asyncio

Names = Callable[..., None]


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let every name have the given addresses, in this order."""

    def set_addresses(*addresses: tuple[str, int]) -> None:
        async def lookup(*_: object, **__: object) -> object:
            found = []
            for host, port in addresses:
                six = ":" in host
                family = socket.AF_INET6 if six else socket.AF_INET
                sockaddr = (host, port, 0, 0) if six else (host, port)
                found.append((family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", sockaddr))
            return found

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", lookup)

    return set_addresses


@pytest_asyncio.fixture
async def listening() -> AsyncIterator[Callable[[str], int]]:
    sockets: list[socket.socket] = []

    def listen(host: str) -> int:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        sock.listen()
        sockets.append(sock)
        return int(sock.getsockname()[1])

    yield listen
    for sock in sockets:
        sock.close()


async def test_literals_are_not_looked_up(resolve: Names, listening: Callable[[str], int]) -> None:
    resolve()  # a lookup would find nothing
    for host in ("127.0.0.1", "::1"):
        with await dial(host, listening(host)) as sock:
            assert sock.getpeername()[0] == host
            assert sock.proto == socket.IPPROTO_TCP
    with pytest.raises(socket.gaierror):
        await dial("name.test", 1)


async def test_refused_address_gives_way_at_once(
    resolve: Names, listening: Callable[[str], int]
) -> None:
    port = listening("127.0.0.1")
    resolve(("::1", 1), ("127.0.0.1", 1), ("127.0.0.1", port))
    started = asyncio.get_running_loop().time()
    with await dial("name.test", port) as sock:
        assert sock.getpeername() == ("127.0.0.1", port)
    assert asyncio.get_running_loop().time() - started < dialling.HAPPY_EYEBALLS_DELAY


async def test_silent_address_is_overtaken(
    resolve: Names, listening: Callable[[str], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialling, "HAPPY_EYEBALLS_DELAY", 0.03)
    loop = asyncio.get_running_loop()
    connect = loop.sock_connect
    tried: list[tuple[str, float]] = []

    async def selective(sock: socket.socket, address: tuple[str, int]) -> None:
        tried.append((address[0], loop.time()))
        if address[0] == "::1":
            await asyncio.Event().wait()
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", selective)
    port = listening("127.0.0.1")
    resolve(("::1", port), ("::1", port), ("127.0.0.1", port))
    before = asyncio.all_tasks()
    with await dial("name.test", port) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"
    # The other family comes second, though the resolver named it last.
    assert [host for host, _ in tried] == ["::1", "127.0.0.1"]
    assert 0.02 < tried[1][1] - tried[0][1] < 0.5
    await asyncio.sleep(0.01)
    assert asyncio.all_tasks() == before


async def test_all_refused(resolve: Names) -> None:
    resolve(("::1", 1), ("127.0.0.1", 1))
    with pytest.raises(OSError) as caught:
        await dial("name.test", 1)
    assert caught.value.errno == errno.ECONNREFUSED
