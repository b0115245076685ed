"""An answer broken at any byte, or cut into any pieces: never a hang, never a wrong clean end."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.errors import Disconnected, Malformed, ProviderError
from providers.http.client import HttpClient, HttpRequest
from providers.settings import HttpSettings, TimeoutSettings
from tests.http.conftest import Serve
from tests.http.server import CLOSE, END, RESET, RawServer, Recorded, Step, chunk, head, plain

BODY = b'data: {"delta":"a"}\n\ndata: [DONE]\n\n'
CHUNKED = (
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + head(headers={"X-Request-Id": "r1"})
    + chunk(BODY[:7])
    + b"5;ext=1\r\n"
    + BODY[7:12]
    + b"\r\n"
    + chunk(BODY[12:])
    + b"0\r\nX-Sum: 1\r\n\r\n"
)
SIZED = plain(BODY)


async def outcome(client: HttpClient, server: RawServer) -> tuple[bytes, ProviderError | None]:
    """Return the body as far as it came, and how it ended."""
    got = b""
    try:
        response = await client.send(HttpRequest("POST", server.url, {}, b"{}"))
    except ProviderError as error:
        return got, error
    try:
        while data := await response.receive():
            got += data
    except ProviderError as error:
        return got, error
    finally:
        response.close()
    return got, None


@pytest.mark.asyncio
@pytest.mark.parametrize("end", [CLOSE, RESET])
@pytest.mark.parametrize("answer", [CHUNKED, SIZED], ids=["chunked", "sized"])
async def test_cut_at_every_byte(
    client: HttpClient, serve: Serve, answer: bytes, end: Step
) -> None:
    cuts = iter(range(len(answer)))

    def cut_answer(_: Recorded) -> list[Step]:
        return [answer[: next(cuts)], end]

    server = await serve(handler=cut_answer)
    for cut in range(len(answer)):
        async with asyncio.timeout(5):
            got, error = await outcome(client, server)
        assert isinstance(error, Disconnected), f"cut at {cut}: {error!r}"
        assert BODY.startswith(got)
    assert len(server.requests) == len(answer)  # none was sent twice


@pytest.mark.asyncio
@pytest.mark.parametrize("answer", [CHUNKED, SIZED], ids=["chunked", "sized"])
async def test_cut_at_every_byte_on_a_reused_connection(
    client: HttpClient, serve: Serve, answer: bytes
) -> None:
    """Before the first byte it is sent again, elsewhere; after it, it never is."""
    server = await serve([answer])
    for cut in range(0, len(answer), 3):
        server.script([answer], [answer[:cut], CLOSE], [answer])
        async with asyncio.timeout(5):
            assert await outcome(client, server) == (BODY, None)
            got, error = await outcome(client, server)
        if cut == 0:
            assert (got, error) == (BODY, None)
        else:
            assert isinstance(error, Disconnected), f"cut at {cut}: {error!r}"


@pytest.mark.asyncio
async def test_one_byte_at_a_time(client: HttpClient, serve: Serve) -> None:
    server = await serve([CHUNKED[n : n + 1] for n in range(len(CHUNKED))])
    for _ in range(3):
        assert await outcome(client, server) == (BODY, None)
    assert client.connections(server.url) == (1, 2)


@pytest.mark.asyncio
async def test_any_byte_changed(client: HttpClient, serve: Serve) -> None:
    """Whatever one wrong byte does, it ends, and in an answer or in one of our errors."""
    positions = iter(range(len(CHUNKED)))

    def broken(_: Recorded) -> list[Step]:
        at = next(positions)
        return [CHUNKED[:at] + b"\x00" + CHUNKED[at + 1 :], 0.005, CLOSE]

    server = await serve(handler=broken)
    for _ in CHUNKED:
        async with asyncio.timeout(5):
            got, error = await outcome(client, server)
        if error is None:
            assert len(got) == len(BODY)
        else:
            assert isinstance(error, (Malformed, Disconnected))


pieces = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(pieces, st.lists(st.integers(0, 3000), max_size=20), st.booleans())
def test_any_pieces_any_cuts(parts: list[bytes], cuts: list[int], sized: bool) -> None:
    """What is read is what was sent, however it is cut into writes; the connection stays."""
    body = b"".join(parts)
    whole = plain(body) if sized else head() + b"".join(chunk(p) for p in parts) + END
    edges = sorted({0, len(whole), *(c % (len(whole) + 1) for c in cuts)})
    writes: list[Step] = []
    for start, stop in itertools.pairwise(edges):
        writes += [whole[start:stop], 0]

    async def run() -> None:
        server = await RawServer.start(writes)
        client = HttpClient(HttpSettings(), TimeoutSettings(), environ={})
        try:
            for _ in range(2):
                assert await outcome(client, server) == (body, None)
            assert client.connections(server.url) == (1, 1)
        finally:
            await client.aclose()
            await server.aclose()

    asyncio.run(run())
