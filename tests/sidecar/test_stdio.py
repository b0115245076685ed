"""Real descriptors: pipes and sockets through the loop; files, and the same pipes, by threads."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.outbox import Outbox
from sidecar.stdio import SLICE, PipeStdio, Stdio, ThreadStdio, open_stdio

pytestmark = pytest.mark.asyncio

BOTH = pytest.mark.parametrize("variant", [PipeStdio, ThreadStdio])
Variant = Callable[[int, int], Stdio]


class Ends:
    """Two pipes: what the editor writes, and what it reads."""

    def __init__(self) -> None:
        self.our_in, self.their_out = os.pipe()
        self.their_in, self.our_out = os.pipe()
        self._open = {self.our_in, self.their_out, self.their_in, self.our_out}

    def close(self, *fds: int) -> None:
        for fd in fds or tuple(self._open):
            self._open.discard(fd)
            os.close(fd)


@pytest.fixture
def ends():
    made = Ends()
    yield made
    made.close()


class Heard:
    def __init__(self) -> None:
        self.data = b""
        self.ended = asyncio.Event()
        self.lost = asyncio.Event()
        self.arrived = asyncio.Event()

    def on_data(self, data: bytes) -> int:
        self.data += data
        self.arrived.set()
        return 0

    def start(self, stdio: Stdio) -> None:
        stdio.start(self.on_data, self.ended.set, self.lost.set)


async def wait(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), 5)


@BOTH
async def test_bytes_go_both_ways_and_the_end_is_told(variant: Variant, ends: Ends) -> None:
    heard = Heard()
    stdio = variant(ends.our_in, ends.our_out)
    heard.start(stdio)
    outbox = Outbox(stdio, on_lost=heard.lost.set)
    os.write(ends.their_out, b"hello")
    await wait(heard.arrived)
    assert heard.data == b"hello"
    outbox.send(b"answer")
    await asyncio.wait_for(outbox.flushed(), 5)
    assert os.read(ends.their_in, 100) == b"answer"
    ends.close(ends.their_out)
    await wait(heard.ended)
    stdio.close()


@BOTH
async def test_a_reader_that_pauses_gets_everything_in_order(variant: Variant, ends: Ends) -> None:
    heard = Heard()
    stdio = variant(ends.our_in, ends.our_out)
    heard.start(stdio)
    outbox = Outbox(stdio, on_lost=heard.lost.set)
    sent = b"".join(b"%07d," % n for n in range(100_000))
    for start in range(0, len(sent), 5000):
        outbox.send(sent[start : start + 5000])
        await asyncio.sleep(0)
    assert outbox.congested
    received = bytearray()

    def read() -> None:
        while len(received) < len(sent):
            received.extend(os.read(ends.their_in, 65536))

    reader = threading.Thread(target=read)
    reader.start()
    await asyncio.wait_for(outbox.flushed(), 5)
    await asyncio.to_thread(reader.join, 5)
    assert bytes(received) == sent
    ends.close(ends.their_out)
    await wait(heard.ended)
    stdio.close()


@BOTH
async def test_a_reader_that_goes_away_is_noticed_while_writing(
    variant: Variant, ends: Ends
) -> None:
    heard = Heard()
    stdio = variant(ends.our_in, ends.our_out)
    heard.start(stdio)
    outbox = Outbox(stdio, on_lost=heard.lost.set)
    outbox.send(b"x" * 1_000_000)
    await asyncio.sleep(0.01)
    assert outbox.size
    ends.close(ends.their_in)
    await wait(heard.lost)
    ends.close(ends.their_out)
    await wait(heard.ended)
    stdio.close()


async def test_a_burst_is_taken_in_slices_and_a_large_message_is_not(ends: Ends) -> None:
    """Small messages leave turns to others; of one that is known to be large, more is read."""
    sizes: list[int] = []
    lacking = 0

    def on_data(data: bytes) -> int:
        sizes.append(len(data))
        return lacking

    stdio = PipeStdio(ends.our_in, ends.our_out)
    stdio.start(on_data, lambda: None, lambda: None)
    for lacking in (0, 1_000_000):
        sizes.clear()
        os.write(ends.their_out, b"x" * 65536)
        turns = 0
        while sum(sizes) < 65536:
            await asyncio.sleep(0)
            turns += 1
            assert turns < 1000
        assert (max(sizes) == SLICE and turns >= 16) if not lacking else max(sizes) > 3 * SLICE
    stdio.close()


@BOTH
async def test_reading_can_be_held_up(variant: Variant, ends: Ends) -> None:
    heard = Heard()
    stdio = variant(ends.our_in, ends.our_out)
    heard.start(stdio)
    os.write(ends.their_out, b"1")
    await wait(heard.arrived)
    stdio.pause_reading()
    for _ in range(3):  # the thread may have begun one read before it was told
        heard.arrived.clear()
        os.write(ends.their_out, b"2")
        await asyncio.sleep(0.02)
    assert len(heard.data) <= 2
    stdio.resume_reading()
    while len(heard.data) < 4:
        heard.arrived.clear()
        await wait(heard.arrived)
    ends.close(ends.their_out)
    await wait(heard.ended)
    stdio.close()


async def test_who_holds_up_reading_while_it_is_told_is_told_nothing_more(ends: Ends) -> None:
    """A message that is not whole is read on at once, but not past its listener's stop."""
    told: list[int] = []

    def on_data(data: bytes) -> int:
        told.append(len(data))
        stdio.pause_reading()
        return 1_000_000

    stdio = PipeStdio(ends.our_in, ends.our_out)
    stdio.start(on_data, lambda: None, lambda: None)
    os.write(ends.their_out, b"x" * 3 * SLICE)
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == [SLICE]
    stdio.resume_reading()
    for _ in range(5):
        await asyncio.sleep(0)
    assert told == [SLICE, 2 * SLICE]
    stdio.close()


async def test_descriptors_are_left_as_they_were_found(ends: Ends) -> None:
    os.set_blocking(ends.our_out, False)
    stdio = PipeStdio(ends.our_in, ends.our_out)
    Heard().start(stdio)
    assert not os.get_blocking(ends.our_in)
    stdio.close()
    assert os.get_blocking(ends.our_in) and not os.get_blocking(ends.our_out)
    os.fstat(ends.our_in)  # still open


async def test_threads_cope_with_descriptors_that_do_not_block(ends: Ends) -> None:
    os.set_blocking(ends.our_in, False)
    os.set_blocking(ends.our_out, False)
    heard = Heard()
    stdio = ThreadStdio(ends.our_in, ends.our_out)
    heard.start(stdio)
    await asyncio.sleep(0.01)
    assert not heard.ended.is_set(), "nothing to read yet is not the end"
    os.write(ends.their_out, b"x")
    await wait(heard.arrived)
    ends.close(ends.their_out)
    await wait(heard.ended)
    stdio.close()


async def test_which_variant_for_which_descriptor(
    ends: Ends, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AI_SIDECAR_STDIO", raising=False)
    assert isinstance(open_stdio(ends.our_in, ends.our_out), PipeStdio)
    one, other = socket.socketpair()
    with one, other:
        assert isinstance(open_stdio(one.fileno(), one.fileno()), PipeStdio)
    with (tmp_path / "in").open("w+b") as file:
        assert isinstance(open_stdio(file.fileno(), ends.our_out), ThreadStdio)
    with Path(os.devnull).open("rb") as null:
        assert isinstance(open_stdio(null.fileno(), ends.our_out), ThreadStdio)
    monkeypatch.setenv("AI_SIDECAR_STDIO", "threads")
    assert isinstance(open_stdio(ends.our_in, ends.our_out), ThreadStdio)


async def test_a_socket_pair_carries_both_directions() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        heard = Heard()
        stdio = PipeStdio(ours.fileno(), ours.fileno())
        heard.start(stdio)
        outbox = Outbox(stdio, on_lost=heard.lost.set)
        theirs.send(b"ping")
        await wait(heard.arrived)
        outbox.send(b"pong")
        await asyncio.wait_for(outbox.flushed(), 5)
        assert theirs.recv(10) == b"pong"
        theirs.shutdown(socket.SHUT_WR)
        await wait(heard.ended)
        stdio.close()


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    source, sink = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"from a file")
    with source.open("rb") as reading, sink.open("wb") as writing:
        heard = Heard()
        stdio = open_stdio(reading.fileno(), writing.fileno())
        heard.start(stdio)
        outbox = Outbox(stdio, on_lost=heard.lost.set)
        await wait(heard.ended)
        outbox.send(b"to a file")
        await asyncio.wait_for(outbox.flushed(), 5)
        stdio.close()
    assert heard.data == b"from a file" and sink.read_bytes() == b"to a file"
