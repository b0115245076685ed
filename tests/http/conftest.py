"""Servers and clients on loopback that are closed, and checked for leaks, after each test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from providers.http.client import HttpClient
from providers.settings import HttpSettings, TimeoutSettings
from tests.http.server import RawServer

Serve = Callable[..., Awaitable[RawServer]]
MakeClient = Callable[..., HttpClient]


@pytest.fixture
def servers() -> list[RawServer]:
    return []


@pytest_asyncio.fixture
async def serve(servers: list[RawServer]) -> AsyncIterator[Serve]:
    """Start `RawServer`s."""

    async def start(*args: object, **options: object) -> RawServer:
        server = await RawServer.start(*args, **options)  # type: ignore[arg-type]
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.aclose()


@pytest_asyncio.fixture
async def make_client(servers: list[RawServer], serve: Serve) -> AsyncIterator[MakeClient]:
    """Make `HttpClient`s; keywords are fields of the settings, bounds of time in seconds.

    At the end they are closed, and no connection to a server and no task may be left.
    """
    clients: list[HttpClient] = []
    before = asyncio.all_tasks()

    def make(environ: dict[str, str] | None = None, **fields: object) -> HttpClient:
        names = TimeoutSettings.__struct_fields__
        timeouts = {n: v for n, v in fields.items() if n in names}
        http = {n: v for n, v in fields.items() if n not in names}
        client = HttpClient(
            HttpSettings(**http),  # type: ignore[arg-type]
            TimeoutSettings(**timeouts),  # type: ignore[arg-type]
            environ=environ or {},
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()
    for server in servers:
        await server.all_closed()
    left = [t for t in asyncio.all_tasks() - before if not _of_tests(t)]
    assert not left, f"the client left tasks behind: {left}"


def _of_tests(task: "asyncio.Task[object]") -> bool:
    """Return whether `task` runs a coroutine of a test server or of pytest, not of the client."""
    code = getattr(task.get_coro(), "cr_code", None)
    if code is None:
        return False
    places = ("/tests/", "pytest_asyncio")
    accepting = code.co_name.startswith("_accept_connection")  # asyncio's, of a server
    return accepting or any(place in code.co_filename for place in places)


@pytest_asyncio.fixture
async def client(make_client: MakeClient) -> HttpClient:
    return make_client()
