"""One answer on one connection: framing, and what becomes of the connection afterwards."""

import asyncio

import pytest

from providers.errors import Disconnected, Malformed
from providers.http.client import HttpClient, HttpRequest
from tests.http.conftest import Serve
from tests.http.server import (
    BODY,
    CLOSE,
    END,
    HALF,
    Gate,
    RawServer,
    Script,
    chunk,
    chunked,
    head,
    plain,
)

pytestmark = pytest.mark.asyncio


def post(server: RawServer, body: bytes = b"{}", **fields: object) -> HttpRequest:
    return HttpRequest("POST", server.url, {"authorization": "k"}, body, **fields)  # type: ignore[arg-type]


async def fetch(client: HttpClient, server: RawServer, method: str = "POST") -> bytes:
    response = await client.send(HttpRequest(method, server.url, {}))
    try:
        return await response.read()
    finally:
        response.close()


async def test_request_as_written(client: HttpClient, serve: Serve) -> None:
    server = await serve(plain_script())
    response = await client.send(
        HttpRequest("POST", f"{server.origin}/a%20b/c?d=é&e", {"X-Title": "café"}, b'{"a":1}')
    )
    assert await response.read() == b"ok"
    got = server.requests[0]
    assert (got.method, got.path, got.body) == ("POST", "/a%20b/c?d=%C3%A9&e", b'{"a":1}')
    assert got.headers["host"] == server.origin.removeprefix("http://")
    assert got.headers["content-length"] == "7"
    assert got.headers["accept-encoding"] == "identity"
    assert "X-Title: café".encode() in got.raw_head
    assert "connection" not in got.headers


def plain_script() -> list[object]:
    return [plain(b"ok")]


async def test_own_headers_are_replaced_by_given_ones(client: HttpClient, serve: Serve) -> None:
    server = await serve(plain_script())
    given = {"User-Agent": "mine", "ACCEPT": "text/event-stream", "Host": "gateway.example"}
    await (await client.send(HttpRequest("GET", server.url, given))).read()
    headers = server.requests[0].headers
    assert (headers["user-agent"], headers["accept"]) == ("mine", "text/event-stream")
    assert headers["host"] == "gateway.example"
    assert server.requests[0].raw_head.lower().count(b"\r\nhost:") == 1
    assert "content-length" not in headers


async def test_chunked_with_extensions_and_trailers(client: HttpClient, serve: Serve) -> None:
    answer = b"5;name=value\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n"
    server = await serve([head(), answer])
    for _ in range(2):
        response = await client.send(post(server))
        assert await response.read() == b"hello"
        assert "x-sum" not in response.headers
    assert client.connections(server.url) == (1, 1)


async def test_every_status_is_returned_and_no_redirect_followed(
    client: HttpClient, serve: Serve
) -> None:
    statuses = [200, 301, 307, 404, 429, 500, 529]
    scripts = [[plain(b"x", s, {"Location": "/elsewhere"})] for s in statuses]
    server = await serve(*scripts)
    got = []
    for _ in statuses:
        response = await client.send(post(server))
        await response.read()
        got.append(response.status)
    assert got == statuses
    assert len(server.requests) == len(statuses)
    assert client.connections(server.url) == (1, len(statuses) - 1)


@pytest.mark.parametrize("status", [204, 304])
async def test_no_body_by_status(client: HttpClient, serve: Serve, status: int) -> None:
    bare = f"HTTP/1.1 {status} None\r\nX-A: 1\r\n\r\n".encode()
    server = await serve([bare], [plain(b"next")])
    assert await fetch(client, server) == b""
    assert await fetch(client, server) == b"next"
    assert client.connections(server.url) == (1, 1)


async def test_empty_body_by_length(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"")], [plain(b"next")])
    assert await fetch(client, server) == b""
    assert await fetch(client, server) == b"next"
    assert client.connections(server.url) == (1, 1)


@pytest.mark.parametrize("length", ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"])
async def test_head_has_no_body(client: HttpClient, serve: Serve, length: str) -> None:
    bare = f"HTTP/1.1 200 OK\r\n{length}\r\n".encode()
    server = await serve([bare, Gate()], [plain(b"next")])
    assert await fetch(client, server, "HEAD") == b""
    assert await fetch(client, server) == b"next"


async def test_informational_answers_are_passed_over(client: HttpClient, serve: Serve) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
        b"HTTP/1.1 102 Processing\r\n\r\n"
    )
    server = await serve([interim, *chunked(b"real")], [interim + plain(b"again")])
    response = await client.send(post(server))
    assert response.status == 200
    assert "link" not in response.headers
    assert await response.read() == b"real"
    assert await fetch(client, server) == b"again"
    assert client.connections(server.url) == (1, 1)


@pytest.mark.parametrize("fields", ["", "Connection: upgrade\r\nUpgrade: websocket\r\n"])
async def test_unasked_upgrade_is_malformed(client: HttpClient, serve: Serve, fields: str) -> None:
    upgrade = f"HTTP/1.1 101 Switching\r\n{fields}\r\nxyz".encode()
    server = await serve([upgrade, Gate()])
    with pytest.raises(Malformed, match="another protocol"):
        await client.send(post(server))
    await server.connections[0].closed()


async def test_until_close(client: HttpClient, serve: Serve) -> None:
    server = await serve([head(chunked=False), b"one ", b"two", CLOSE])
    assert await fetch(client, server) == b"one two"
    assert await fetch(client, server) == b"one two"
    assert client.connections(server.url) == (2, 0)


async def test_half_close_ends_the_answer_and_closes_ours(client: HttpClient, serve: Serve) -> None:
    server = await serve([head(chunked=False), b"all", HALF, Gate()])
    assert await fetch(client, server) == b"all"
    await server.connections[0].closed()


async def test_http_1_0(client: HttpClient, serve: Serve) -> None:
    kept = b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab"
    closed = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\ncd"
    server = await serve([kept], [closed])
    assert [await fetch(client, server) for _ in range(3)] == [b"ab", b"cd", b"cd"]
    assert client.connections(server.url) == (2, 1)


async def test_peer_says_close(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x", headers={"Connection": "close"}), Gate()])
    assert await fetch(client, server) == b"x"
    await server.connections[0].closed()
    assert await fetch(client, server) == b"x"
    assert client.connections(server.url) == (2, 0)


async def test_we_say_close(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x", headers={"Connection": "close"})])
    response = await client.send(post(server, keep_alive=False))
    assert await response.read() == b"x"
    assert server.requests[0].headers["connection"] == "close"
    await server.connections[0].closed()


async def test_repeated_headers_are_joined(client: HttpClient, serve: Serve) -> None:
    raw = b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"
    server = await serve([raw])
    response = await client.send(post(server))
    assert response.headers["x-a"] == "1, 2"
    assert response.headers["x-empty"] == ""


async def test_receive_returns_all_that_has_arrived(client: HttpClient, serve: Serve) -> None:
    first, second = Gate(), Gate()
    server = await serve(
        [head() + chunk(b"a") + chunk(b"b"), first, chunk(b"c"), second, chunk(b"d") + END]
    )
    response = await client.send(post(server))
    assert await response.receive() == b"ab"
    first.open()
    assert await response.receive() == b"c"
    second.open()
    assert await response.receive() == b"d"
    assert [await response.receive() for _ in range(2)] == [b"", b""]


async def test_times_are_in_order(client: HttpClient, serve: Serve) -> None:
    server = await serve([0.05, plain(b"x")])
    response = await client.send(post(server))
    assert response.sent_at <= server.requests[0].at
    assert response.first_byte_at - response.sent_at >= 0.05


async def test_bytes_after_the_answer_cost_the_connection(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x") + b"HTTP/1.1 200 OK\r\nContent-Le", Gate()], [plain(b"y")])
    assert await fetch(client, server) == b"x"
    await server.connections[0].closed()
    assert await fetch(client, server) == b"y"


async def test_bytes_on_an_idle_connection_close_it(client: HttpClient, serve: Serve) -> None:
    gate = Gate()
    server = await serve([plain(b"x"), gate, plain(b"", 408)], [plain(b"y")])
    assert await fetch(client, server) == b"x"
    gate.open()
    await server.connections[0].closed()
    assert await fetch(client, server) == b"y"
    assert client.connections(server.url) == (2, 0)


async def test_answer_before_the_request_is_sent(client: HttpClient, serve: Serve) -> None:
    refusal = plain(b"too large", 413)
    server = await serve(Script([refusal, BODY, Gate()], early=True), buffers=65536)
    response = await client.send(post(server, b"x" * 8_000_000))
    assert (response.status, await response.read()) == (413, b"too large")
    await server.connections[0].closed()
    assert client.connections(server.url) == (1, 0)


async def test_refusal_ends_the_upload(client: HttpClient, serve: Serve) -> None:
    """What the peer has refused to read is not even buffered."""
    server = await serve(Script([head(413), chunk(b"no"), Gate()], early=True), buffers=65536)
    response = await client.send(post(server, b"x" * 20_000_000))
    assert (response.status, await response.receive()) == (413, b"no")
    channel = response._exchange._channel  # type: ignore[attr-defined]
    assert channel._transport.get_write_buffer_size() < 1_000_000
    response.close()


async def test_early_yes_does_not_cut_the_request(client: HttpClient, serve: Serve) -> None:
    begun = Script([head(), chunk(b"begun"), 0.02, BODY, END], early=True)
    server = await serve(begun, [plain(b"next")], buffers=65536)
    body = bytes(range(256)) * 20_000
    response = await client.send(post(server, body))
    assert await response.read() == b"begun"
    assert server.requests[0].body == body
    assert await fetch(client, server) == b"next"
    assert client.connections(server.url) == (1, 1)


async def test_large_request_arrives_whole(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"ok")], buffers=65536)
    body = bytes(range(256)) * 24_000
    for _ in range(2):
        assert await (await client.send(post(server, body))).read() == b"ok"
    assert [r.body == body for r in server.requests] == [True, True]
    assert client.connections(server.url) == (1, 1)


async def test_read_over_its_limit(client: HttpClient, serve: Serve) -> None:
    server = await serve([*chunked(*[b"x" * 1000] * 20)], [plain(b"x" * 1000)])
    response = await client.send(post(server))
    with pytest.raises(Malformed, match="larger than 5000 bytes"):
        await response.read(5000)
    response = await client.send(post(server))
    assert len(await response.read(1000)) == 1000


async def test_close_in_the_middle_is_seen_at_once(client: HttpClient, serve: Serve) -> None:
    server = await serve([head(), chunk(b"a"), Gate()])
    response = await client.send(post(server))
    assert await response.receive() == b"a"
    response.close()
    response.close()
    await server.connections[0].closed(0.05)


async def test_finish_keeps_the_connection_if_the_end_is_near(
    client: HttpClient, serve: Serve
) -> None:
    gate = Gate()
    server = await serve([head() + chunk(b"[DONE]"), gate, END], [plain(b"next")])
    response = await client.send(post(server))
    assert await response.receive() == b"[DONE]"
    response.finish()
    gate.open()
    await server.arrived(1)
    while server.connections[0].sent < len(head() + chunk(b"[DONE]") + END):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    assert await fetch(client, server) == b"next"
    assert client.connections(server.url) == (1, 1)


async def test_finish_closes_if_the_end_does_not_come(client: HttpClient, serve: Serve) -> None:
    server = await serve([head() + chunk(b"[DONE]"), Gate()])
    response = await client.send(post(server))
    await response.receive()
    response.finish()
    assert server.connections[0].closed_at is None
    await server.connections[0].closed(1.0)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nBad Header: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"<html>not http</html>",
    ],
)
async def test_what_is_not_http_is_malformed(
    client: HttpClient, serve: Serve, answer: bytes
) -> None:
    server = await serve([answer, Gate()])
    with pytest.raises(Malformed):
        await (await client.send(post(server))).read()
    await server.connections[0].closed()


async def test_bad_chunk_after_good_ones(client: HttpClient, serve: Serve) -> None:
    server = await serve([head(), chunk(b"good"), Gate()], [head(), chunk(b"good") + b"zz\r\n"])
    (await client.send(post(server))).close()
    response = await client.send(post(server))
    assert await response.receive() == b"good"
    with pytest.raises(Malformed):
        await response.receive()
    with pytest.raises(Malformed):
        await response.receive()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 400_000,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"y" * 1000 + b"\r\n") * 100 + b"\r\n",
        b"HTTP/1.1 200 " + b"O" * 400_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
    ],
    ids=["line", "endless line", "count", "size", "endless reason", "endless 1xx"],
)
async def test_limits_of_the_head(client: HttpClient, serve: Serve, answer: bytes) -> None:
    server = await serve([answer, Gate()])
    with pytest.raises(Malformed, match=r"large|many"):
        await client.send(post(server))
    await server.connections[0].closed()


async def test_endless_trailer(client: HttpClient, serve: Serve) -> None:
    server = await serve([head(), chunk(b"a") + b"0\r\n" + b"X: y\r\n" * 100_000])
    response = await client.send(post(server))
    with pytest.raises(Malformed, match="large"):
        await response.read()


async def test_close_without_an_answer(client: HttpClient, serve: Serve) -> None:
    server = await serve([CLOSE])
    with pytest.raises(Disconnected, match="before it answered"):
        await client.send(post(server))
    assert len(server.requests) == 1  # a fresh connection is no stale one


async def test_close_in_the_middle_of_the_head(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"x")], [b"HTTP/1.1 200 O", CLOSE])
    await fetch(client, server)
    with pytest.raises(Disconnected):
        await client.send(post(server))
    assert len(server.requests) == 2  # something of the answer had come: not sent again
