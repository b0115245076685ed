"""The load server's scripts: what a model's name asks for is what is written."""

import re

import msgspec
import pytest

from benchmarks.formats import FORMATS, asked, format_of
from benchmarks.load_server import Script, script_of, text_of


def test_a_models_name_is_a_script() -> None:
    assert script_of("bench-t50-p20000-b400-k2") == Script(50, 0.02, 400, 2)
    assert script_of("anything else") == Script()


def test_texts_of_a_stream_tell_streams_and_positions_apart() -> None:
    script = Script(kind=2)
    assert text_of("a", script, 1) != text_of("b", script, 1)
    assert text_of("a", script, 1) != text_of("a", script, 2)
    assert not text_of("a", script, 1).isascii()
    assert int(text_of("a", Script(kind=1), 0)) <= int(text_of("a", Script(kind=1), 1))


@pytest.mark.parametrize("name", FORMATS)
def test_an_event_is_one_http_chunk_of_the_size_asked_for(name: str) -> None:
    chunk = FORMATS[name].event(" word", 250)
    match = re.fullmatch(rb"([0-9a-f]+)\r\n(.*)\r\n", chunk, re.DOTALL)
    assert match is not None
    assert int(match[1], 16) == len(match[2]) == 250
    assert b" word" in match[2]


def test_openai_chat_events_are_json_and_end_with_done() -> None:
    form = FORMATS["chat"]
    closing = form.closing(7)
    assert closing.endswith(b"data: [DONE]\n\n\r\n")
    for chunk in (form.opening(), form.event("x", 100), closing[: closing.index(b"\r\ne\r\n") + 2]):
        data = chunk.split(b"data: ", 1)[1].strip()
        assert msgspec.json.decode(data)["object"] == "chat.completion.chunk"


TURN = [{"role": "user", "content": "k"}]
PARTS = [{"role": "user", "content": [{"type": "input_text", "text": "k"}]}]


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        ("/v1/chat/completions", "chat", {"model": "bench-t1", "messages": TURN}),
        ("/v1/responses", "responses", {"model": "bench-t1", "input": "k"}),
        ("/v1/responses", "responses", {"model": "bench-t1", "input": PARTS}),
        ("/v1/messages", "anthropic", {"model": "bench-t1", "messages": PARTS}),
        (
            "/v1beta/models/bench-t1:streamGenerateContent?alt=sse",
            "gemini",
            {"contents": [{"role": "user", "parts": [{"text": "k"}]}]},
        ),
        ("/model/bench%2Dt1/converse-stream", "converse", {"messages": PARTS}),
        ("/api/chat", "ollama", {"model": "bench-t1", "messages": TURN}),
    ],
)
def test_every_format_tells_script_and_stream(
    path: str, name: str, body: dict[str, object]
) -> None:
    form = format_of(path)
    assert form is not None
    assert form is FORMATS[name]
    assert asked(form, path, msgspec.json.encode(body)) == ("bench-t1", "k")


def test_event_stream_messages_are_what_botocore_reads() -> None:
    from botocore.eventstream import EventStreamBuffer

    form = FORMATS["converse"]
    buffer = EventStreamBuffer()
    for chunk in (form.opening(), form.event(" word", 250)):
        buffer.add_data(chunk.split(b"\r\n", 1)[1][:-2])
    kinds = [message.headers[":event-type"] for message in buffer]
    assert kinds == ["messageStart", "contentBlockDelta"]
