"""Answers that come compressed, unasked."""

import gzip
import zlib

import pytest

from providers.errors import Disconnected, Malformed
from providers.http.client import HttpClient, HttpRequest
from providers.http.encoding import STEP, BadEncoding, Decoder, decoder_for
from tests.http.conftest import Serve
from tests.http.server import CLOSE, END, Gate, RawServer, chunk, head, plain

TEXT = b'data: {"delta":"hello"}\n\n' * 40


def raw_deflate(data: bytes) -> bytes:
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(data) + squeezer.flush()


FORMS = {
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]),
    "deflate": zlib.compress(TEXT),
    "Deflate": raw_deflate(TEXT),
    "identity": TEXT,
}


def post(server: RawServer) -> HttpRequest:
    return HttpRequest("POST", server.url, {}, b"{}")


@pytest.mark.asyncio
@pytest.mark.parametrize("name", FORMS)
async def test_decoded(client: HttpClient, serve: Serve, name: str) -> None:
    server = await serve([plain(FORMS[name], headers={"Content-Encoding": name})])
    for _ in range(2):
        assert await (await client.send(post(server))).read() == TEXT
    assert client.connections(server.url) == (1, 1)


@pytest.mark.asyncio
async def test_compressed_stream_is_incremental(client: HttpClient, serve: Serve) -> None:
    squeezer = zlib.compressobj(wbits=31)
    one = squeezer.compress(b"one") + squeezer.flush(zlib.Z_SYNC_FLUSH)
    two = squeezer.compress(b"two") + squeezer.flush()
    gate = Gate()
    start = head(headers={"Content-Encoding": "gzip"})
    server = await serve([start, chunk(one[:10]), chunk(one[10:]), gate, chunk(two), END])
    response = await client.send(post(server))
    assert await response.receive() == b"one"
    gate.open()
    assert await response.receive() == b"two"
    assert await response.receive() == b""


@pytest.mark.asyncio
async def test_cut_compressed_body_is_no_clean_end(client: HttpClient, serve: Serve) -> None:
    squeezed = gzip.compress(TEXT)
    fields = {"Content-Encoding": "gzip"}
    server = await serve(
        [plain(squeezed[:-9], headers=fields)],
        [head(headers=fields, chunked=False), squeezed[:-9], CLOSE],
        [head(headers=fields), chunk(squeezed[:-9]), CLOSE],
        [plain(b"x" + squeezed, headers=fields)],
    )
    for expected in (Malformed, Malformed, Disconnected, Malformed):
        with pytest.raises(expected):
            await (await client.send(post(server))).read()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["br", "zstd", "gzip, br"])
async def test_unknown_encoding(client: HttpClient, serve: Serve, name: str) -> None:
    server = await serve([plain(b"...", headers={"Content-Encoding": name}), Gate()])
    with pytest.raises(Malformed, match="nobody asked for"):
        await client.send(post(server))


@pytest.mark.asyncio
async def test_empty_body_of_a_compressed_answer(client: HttpClient, serve: Serve) -> None:
    server = await serve([plain(b"", headers={"Content-Encoding": "gzip"})])
    assert await (await client.send(post(server))).read() == b""


@pytest.mark.asyncio
async def test_bomb_is_handed_out_in_steps(client: HttpClient, serve: Serve) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    server = await serve([plain(bomb, headers={"Content-Encoding": "gzip"})])
    response = await client.send(post(server))
    with pytest.raises(Malformed, match="larger than 4000000"):
        await response.read(4_000_000)
    response = await client.send(post(server))
    total, largest = 0, 0
    while data := await response.receive():
        total += len(data)
        largest = max(largest, len(data))
    assert (total, largest) == (50_000_000, STEP)


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "deflate", "Deflate"])
def test_byte_by_byte(name: str) -> None:
    decoder = decoder_for(name)
    assert decoder is not None
    out = b""
    for n in range(len(FORMS[name])):
        out += decoder.decode(FORMS[name][n : n + 1])
        while decoder.pending:
            out += decoder.decode(b"")
    decoder.end()
    assert out == TEXT


def test_padding_after_the_end() -> None:
    decoder = Decoder("gzip")
    assert decoder.decode(gzip.compress(b"a") + b"\0" * 8) == b"a"
    assert decoder.decode(b"\0\0") == b""
    assert not decoder.pending
    decoder.end()
    with pytest.raises(BadEncoding):
        decoder.decode(b"garbage after the end")


def test_identity_needs_no_decoder() -> None:
    assert decoder_for("") is None
    assert decoder_for("identity") is None
