"""Frames of `$/progress`: the fast path writes what the plain one would; merging keeps all."""

import asyncio
import gc
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.types import Citation, ManagerToken, ReasoningDelta, TextDelta, ToolCallDelta
from sidecar.framing import FrameDecoder
from sidecar.outbox import Outbox
from sidecar.progress import ProgressStream, merged
from sidecar.work_done import REPORT_SECONDS, WorkDone


class Call:
    live = True
    open = True


class Sink:
    """Keeps what is written, or only counts it."""

    def __init__(self, *, keep: bool = True) -> None:
        self.data = b""
        self.keep = keep

    def write(self, data: bytes, done: Any) -> bool:
        if self.keep:
            self.data += data
        return True

    def messages(self) -> list[Any]:
        return [json.loads(m) for m in FrameDecoder().feed(self.data) if isinstance(m, bytes)]


def ignore() -> None:
    pass


tokens = st.lists(
    st.one_of(
        st.text(min_size=1, max_size=5).map(TextDelta),
        st.builds(ReasoningDelta, st.text(max_size=5), st.none() | st.text(max_size=3)),
        st.just(ToolCallDelta(0, arguments="{")),
        st.just(Citation("u")),
    ),
    max_size=12,
)


@given(
    st.text(min_size=1, max_size=1200), st.one_of(st.text(max_size=9), st.integers()), st.booleans()
)
def test_a_text_frame_is_what_the_plain_encoder_writes(
    text: str, token: int | str, other: bool
) -> None:
    async def main() -> list[Any]:
        sink = Sink()
        outbox = Outbox(sink, on_lost=ignore)
        ProgressStream(Call(), outbox, token).send(
            [TextDelta(text), *([Citation("u", "t")] if other else [])]
        )
        await outbox.flushed()
        return sink.messages()

    messages = asyncio.run(main())
    assert messages[0] == {
        "jsonrpc": "2.0",
        "method": "$/progress",
        "params": {"token": token, "value": {"kind": "text", "text": text}},
    }
    assert len(messages) == 1 + other


@given(tokens)
def test_merging_keeps_every_character_in_its_order(given: list[ManagerToken]) -> None:
    def flat(some: list[ManagerToken]) -> list[Any]:
        out: list[Any] = []
        for token in some:
            if isinstance(token, TextDelta):
                out += [("text", c) for c in token.text]
            elif isinstance(token, ReasoningDelta) and token.opaque is None:
                out += [("reasoning", c) for c in token.text]
            else:
                out.append(token)
        return out

    result = merged(given)
    assert flat(result) == flat(given)
    for one, other in itertools.pairwise(result):
        assert not (isinstance(one, TextDelta) and isinstance(other, TextDelta))


@pytest.mark.asyncio
async def test_nothing_is_sent_for_a_call_that_is_over() -> None:
    sink, call = Sink(), Call()
    outbox = Outbox(sink, on_lost=ignore)
    stream = ProgressStream(call, outbox, 1)
    call.live = False
    stream.send([TextDelta("late"), Citation("late")])
    stream.send_value({"kind": "report"})
    assert outbox.size == 0
    stream.send_end({"kind": "end"})  # a cancelled call is still open until it is answered
    assert outbox.size > 0
    before, call.open = outbox.size, False
    stream.send_end({"kind": "end"})
    assert outbox.size == before


@pytest.mark.asyncio
async def test_a_hundred_thousand_tokens_cause_no_collection() -> None:
    outbox = Outbox(Sink(keep=False), on_lost=ignore)
    stream = ProgressStream(Call(), outbox, "token")
    batch: list[ManagerToken] = [TextDelta("word ")]
    await asyncio.sleep(0)
    gc.collect()
    before = gc.get_stats()[0]["collections"]
    for _ in range(100_000):
        await stream.send_when_read(batch)
        if outbox.size > 50_000:
            await outbox.flushed()
    assert gc.get_stats()[0]["collections"] - before == 0


class Values:
    def __init__(self) -> None:
        self.sent: list[tuple[float, Any]] = []
        self.loop = asyncio.get_running_loop()

    def send_value(self, value: object) -> None:
        self.sent.append((self.loop.time(), value))

    send_end = send_value


@pytest.mark.asyncio
async def test_work_done_reports_at_most_four_a_second_and_the_latest_last() -> None:
    values = Values()
    work = WorkDone(values, "mock", "echo")
    for _ in range(60):
        work.received(10)
        await asyncio.sleep(0.01)
    await asyncio.sleep(REPORT_SECONDS)
    work.end()
    work.report("too late")
    work.end()
    kinds = [value["kind"] for _, value in values.sent]
    assert kinds[0] == "begin" and kinds[-1] == "end" and set(kinds[1:-1]) == {"report"}
    times = [at for at, value in values.sent if value["kind"] == "report"]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert gaps and min(gaps) >= REPORT_SECONDS - 0.005
    assert values.sent[-2][1] == {"kind": "report", "message": "600 characters"}
