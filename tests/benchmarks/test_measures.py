"""Every measurement once on tiny counts, with the floor as the measured side: it adds up, and the
floor does the task it stands for. Nothing here is timed."""

import sys
from collections.abc import Iterator

import pytest

pytest.importorskip("psutil", reason="needs the dependency group `bench`")

from benchmarks import concurrency, connections, cpu_per_token, dispatch, gc_objects, latency
from benchmarks.processes import LoadServer, Side, floor, frames, texts

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the floor reads pipes with asyncio"
)


@pytest.fixture(scope="module")
def server() -> Iterator[LoadServer]:
    with LoadServer() as running:
        yield running


@pytest.fixture(scope="module")
def side(server: LoadServer) -> Iterator[Side]:
    with floor(server.port) as running:
        yield running


def test_frames_carry_the_time_of_the_block_that_completes_them() -> None:
    one, two = b"Content-Length: 2\r\n\r\n{}", b"content-length: 3\r\nX: y\r\n\r\n[1]"
    whole = one + two
    blocks = [whole[:5], whole[5:30], whole[30:], b"Content-Length: 9\r\n\r\nhalf"]
    found, rest = frames(blocks, [10, 20, 30, 40])
    assert found == [(20, b"{}"), (30, b"[1]")]
    assert rest == blocks[3]


def test_a_stream_is_passed_on_whole(side: Side) -> None:
    side.stream("whole", "bench-t3-k2")
    side.wait()
    got = "".join(text for _, text in texts(side.take())["whole"])
    assert got == " whole·0é漢🙂 whole·1é漢🙂 whole·2é漢🙂"


def test_cpu_per_token_counts_every_token(side: Side) -> None:
    cpu_per_token.check(side, 5)
    assert cpu_per_token.measure(side, "bench-t20", 20, "cpu", streams=2) > 0


def test_cpu_per_token_refuses_a_side_that_drops_tokens(side: Side) -> None:
    side.take()
    kept, side.stream = side.stream, lambda key, model: kept(key, "bench-t1")  # type: ignore[method-assign]
    try:
        with pytest.raises(RuntimeError, match="1 progress frames for 5 tokens"):
            cpu_per_token.check(side, 5)
    finally:
        side.stream = kept  # type: ignore[method-assign]


def test_dispatch_is_measured_per_request(side: Side, server: LoadServer) -> None:
    server.records()
    took = dispatch.measure(side, server, 3, 4, "dispatch")
    assert len(took) == 4
    assert all(one > 0 for one in took)
    assert dispatch.burst(side, 3, "burst") > 0


def test_latency_is_measured_per_token(side: Side) -> None:
    took = latency.measure(side, 2, 100, 0.05, "latency")
    assert len(took) == 10
    assert all(one > 0 for one in took)


def test_a_wave_compares_every_stream(side: Side) -> None:
    seen = concurrency.wave(side, 3, "wave", tokens=4, pace=1000)
    assert seen.wrong == 0
    assert 0 < seen.before <= seen.peak


def test_a_wave_finds_the_stream_that_lost_a_token(side: Side) -> None:
    kept = side.take

    def without_one_frame() -> object:
        messages = kept()
        return [m for m in messages if m[1].get("params", {}).get("token") != "lossy.1"]

    side.take = without_one_frame  # type: ignore[method-assign,assignment]
    try:
        assert concurrency.wave(side, 3, "lossy", tokens=4, pace=1000).wrong == 1
    finally:
        side.take = kept  # type: ignore[method-assign]


def test_reuse_counts_connections_of_the_run(side: Side, server: LoadServer) -> None:
    assert connections.reused(side, server, 5) >= 80.0


def test_the_collector_is_asked_inside_the_process(server: LoadServer) -> None:
    probed = gc_objects.Probed("floor", "benchmarks.peers.floor", [str(server.port)], None)
    try:
        seen = gc_objects.measure(probed, 10)
        collections, *_, allocated = probed.counts()
    finally:
        probed.close()
    assert len(seen) == 3
    assert collections > 0
    assert allocated >= 0
