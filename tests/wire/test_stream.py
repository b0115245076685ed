"""The stream processor's promises, whatever the format: shown with Chat Completions."""

import gc

import pytest

from providers.dialects.openai_chat import OpenAiChat
from providers.errors import InvalidRequest, Malformed, RateLimited, ResponseError, Truncated
from providers.stream import StreamProcessor, processor_for
from providers.types import Finish, ReasoningDelta, StreamStart, StreamToken, TextDelta
from providers.wire.sse import SseDecoder

TEXT = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
FAILED = b'data: {"error":{"message":"slow down","code":"rate_limit_exceeded"}}\n\n'


def chat() -> StreamProcessor:
    return processor_for(OpenAiChat())


def test_a_whole_answer() -> None:
    processor = chat()
    assert processor.feed(TEXT % b"Hi") == [StreamStart("c1", "m"), TextDelta("Hi")]
    assert not processor.finished
    assert processor.feed(STOP) == []
    assert processor.finished
    assert not processor.complete
    assert processor.feed(DONE) == [Finish("stop", "stop")]
    assert processor.complete
    assert processor.end() == []


def test_tokens_before_an_error_are_not_lost() -> None:
    processor = chat()
    assert processor.feed(TEXT % b"Hi" + FAILED + TEXT % b"x") == [
        StreamStart("c1", "m"),
        TextDelta("Hi"),
    ]
    assert processor.complete
    assert isinstance(processor.failed, RateLimited)
    with pytest.raises(RateLimited, match="slow down"):
        processor.end()
    with pytest.raises(RateLimited):
        processor.feed(b"")


def test_an_error_alone_is_raised_at_once() -> None:
    with pytest.raises(RateLimited):
        chat().feed(FAILED)


@pytest.mark.parametrize(
    "body",
    [b"", b": ping\n\n", TEXT % b"Hi", TEXT % b"Hi" + b"data: {", TEXT % b"Hi" + STOP[:-3]],
)
def test_without_its_terminal_event_an_answer_is_truncated(body: bytes) -> None:
    processor = chat()
    processor.feed(body)
    with pytest.raises(Truncated):
        processor.end()


@pytest.mark.parametrize("lacking", [1, 2])
def test_a_terminal_event_that_lacks_only_its_empty_line_ends_the_answer(lacking: int) -> None:
    processor = chat()
    processor.feed(TEXT % b"Hi" + STOP[:-lacking])
    assert isinstance(processor.end()[-1], Finish)


def test_text_that_lacks_its_empty_line_is_discarded_as_the_standard_says() -> None:
    processor = chat()
    assert processor.feed(TEXT % b"Hi" + (TEXT % b" there")[:-1])
    with pytest.raises(Truncated):
        processor.end()


def test_the_finish_reason_is_terminal_without_done() -> None:
    processor = chat()
    processor.feed(TEXT % b"Hi" + STOP)
    assert processor.end() == [Finish("stop", "stop")]


def test_nothing_counts_after_the_end() -> None:
    processor = chat()
    out = processor.feed(TEXT % b"Hi" + STOP + DONE + TEXT % b"late" + FAILED)
    assert [token for token in out if isinstance(token, TextDelta)] == [TextDelta("Hi")]
    assert processor.end() == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":"x","choices":[{"message":{"content":"whole"}}]}',
        b"<html><title>502 Bad Gateway</title></html>",
        b"upstream connect error\n",
        b'{\n  "object": "list"\n}\n',
    ],
)
def test_a_body_that_is_no_stream_is_malformed(body: bytes) -> None:
    processor = chat()
    processor.feed(body)
    with pytest.raises(Malformed):
        processor.end()


def test_an_error_document_in_place_of_a_stream_keeps_its_kind() -> None:
    processor = chat()
    processor.feed(b'{"error":{"message":"no such tool","type":"invalid_request_error"}}')
    with pytest.raises(InvalidRequest, match="no such tool"):
        processor.end()


def test_an_error_document_within_a_stream_keeps_its_kind() -> None:
    processor = chat()
    processor.feed(TEXT % b"Hi" + b'{"error":{"message":"slow","code":"rate_limit_exceeded"}}\n')
    with pytest.raises(RateLimited, match="slow"):
        processor.end()


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\xbd", b"\xc3"])
def test_bad_utf8_is_malformed_and_not_replaced(bad: bytes) -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        chat().feed(TEXT % bad)


def test_a_character_is_not_split_where_the_bytes_are() -> None:
    body = TEXT % "日本語😀".encode() + STOP + DONE
    processor = chat()
    out: list[StreamToken] = []
    for i in range(len(body)):
        out += processor.feed(body[i : i + 1])
    assert TextDelta("日本語😀") in out


def test_halves_of_a_character_in_two_events_are_joined() -> None:
    processor = chat()
    out = processor.feed(TEXT % rb"a\ud83d")
    out += processor.feed(TEXT % rb"\ude00b")
    out += processor.feed(TEXT % rb"\ud83d" + STOP + DONE)
    texts = [token.text for token in out if isinstance(token, TextDelta)]
    assert texts == ["a", "😀b", "\ufffd"]
    assert out[-1] == Finish("stop", "stop")


def test_a_half_that_stays_alone_is_replaced_where_it_stood() -> None:
    processor = chat()
    processor.feed(TEXT % rb"a\ud83d")
    assert processor.feed(TEXT % b"b") == [TextDelta("\ufffdb")]


def test_a_half_before_a_cut_is_replaced() -> None:
    processor = chat()
    processor.feed(TEXT % rb"a\ud83d")
    assert processor.feed(FAILED) == [TextDelta("\ufffd")]
    assert isinstance(processor.failed, ResponseError)


class Broken:
    """A reader that fails as a wrong one would."""

    finished = False

    def read(self, event: str, data: bytes, out: list[StreamToken]) -> None:
        out.append(ReasoningDelta("r"))
        raise Malformed("no")

    def end(self, out: list[StreamToken]) -> None:
        raise Truncated("never")


def test_what_a_reader_appended_before_its_error_is_returned() -> None:
    processor = StreamProcessor(SseDecoder(), Broken())
    assert processor.feed(b"data: x\n\n") == [StreamStart("", ""), ReasoningDelta("r")]
    with pytest.raises(Malformed):
        processor.end()


def test_nothing_the_collector_tracks_is_kept_per_token() -> None:
    processor = chat()
    processor.feed(TEXT % b"start")
    event = TEXT % b" token"
    kept: list[StreamToken] = []
    for _ in range(100):
        kept += processor.feed(event)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(2000):
        kept += processor.feed(event)
    assert len(gc.get_objects()) - before < 20
    assert len(kept) == 2100
    assert not any(gc.is_tracked(token) for token in kept)
