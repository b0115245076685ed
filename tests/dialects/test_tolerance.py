"""Answers that say the usual in an unusual way: counts as fractions, odd orders, things left out.

Each stands for a change of recorded answers that once was read differently (`tests/corpus/mutate`).
"""

import json
from typing import Any

import pytest

from providers.dialects.anthropic_messages import AnthropicMessages
from providers.dialects.base import Dialect
from providers.dialects.bedrock_converse import BedrockConverse
from providers.dialects.bedrock_invoke import BedrockInvoke
from providers.dialects.cohere import Cohere
from providers.dialects.gemini import Gemini
from providers.dialects.ollama import Ollama
from providers.dialects.openai_chat import OpenAiChat
from providers.dialects.openai_responses import OpenAiResponses
from providers.types import Finish, StreamStart, TextDelta, ToolCallDelta, Usage, UsageReport
from tests.corpus.mutate import packed
from tests.dialects.feeding import answer_of
from tests.vendors.cloud import event as aws_frame

Json = dict[str, Any]


def sse(*values: Json) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def chat(delta: Json, finish: str | None = None, **more: object) -> Json:
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def ollama(*values: Json) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def converse(*events: tuple[str, Json]) -> bytes:
    return b"".join(aws_frame(name, json.dumps(value).encode()) for name, value in events)


MESSAGE = {"id": "m", "model": "c", "usage": {"input_tokens": 5.0, "output_tokens": "1"}}
CLAUDE: list[Json] = [
    {"type": "message_start", "message": MESSAGE},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
COUNTED: list[tuple[Dialect, bytes]] = [
    (
        OpenAiChat(),
        sse(
            chat({"content": "x"}, "stop"),
            {"choices": [], "usage": {"prompt_tokens": "5", "completion_tokens": 2.0}},
        ),
    ),
    (
        OpenAiResponses(),
        sse(
            {
                "type": "response.completed",
                "response": {
                    "id": "r",
                    "status": "completed",
                    "output": [],
                    "usage": {"input_tokens": 5.0, "output_tokens": "2"},
                },
            }
        ),
    ),
    (AnthropicMessages(), sse(*CLAUDE)),
    (
        Gemini(),
        sse(
            {
                "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
                "usageMetadata": {
                    "promptTokenCount": 5.0,
                    "candidatesTokenCount": "2",
                    "totalTokenCount": 7,
                },
            }
        ),
    ),
    (
        BedrockConverse(),
        converse(
            ("messageStart", {"role": "assistant", "contentBlockIndex": None}),
            ("messageStart", {"role": "assistant"}),
            ("messageStop", {"stopReason": "end_turn", "contentBlockIndex": None}),
            ("metadata", {"usage": {"inputTokens": 5.0, "outputTokens": "2"}}),
        ),
    ),
    (Ollama(), ollama({"done": True, "prompt_eval_count": 5.0, "eval_count": "2"})),
    (
        Cohere(),
        sse(
            {"type": "message-start", "id": "m", "delta": None},
            {
                "type": "message-end",
                "delta": {"usage": {"tokens": {"input_tokens": 5.0, "output_tokens": "2"}}},
            },
        ),
    ),
]


@pytest.mark.parametrize(("dialect", "body"), COUNTED, ids=lambda v: type(v).__name__)
def test_counts_may_be_written_as_fractions_or_texts(dialect: Dialect, body: bytes) -> None:
    answer, error, tokens = answer_of(dialect, body)
    assert error is None
    assert answer.usage == Usage(5, 2, total_tokens=7)
    assert [type(token) for token in tokens].count(StreamStart) == 1


def test_usage_may_come_before_anything_else() -> None:
    first = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 0}}
    _, _, tokens = answer_of(OpenAiChat(), sse(first, chat({"content": "Hi"}, "stop")))
    assert tokens[:3] == [
        StreamStart("", ""),
        UsageReport(Usage(5, 0, total_tokens=5)),
        TextDelta("Hi"),
    ]


@pytest.mark.parametrize("nothing", [None, False, "", {}, []])
def test_an_error_that_says_nothing_is_none(nothing: object) -> None:
    answer, error, _ = answer_of(OpenAiChat(), sse(chat({"content": "Hi"}, "stop", error=nothing)))
    assert error is None
    assert answer.text == "Hi"


def test_calls_count_as_they_are_announced() -> None:
    """A call whose name never comes is told last, and takes no number before that."""
    nameless = chat({"tool_calls": [{"index": 0, "id": "a", "function": {"arguments": "{}"}}]})
    named = chat({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "look"}}]})
    body = sse(nameless, named, chat({}, "tool_calls"))
    _, _, tokens = answer_of(OpenAiChat(), body)
    assert [token for token in tokens if isinstance(token, ToolCallDelta)] == [
        ToolCallDelta(0, "b", "look"),
        ToolCallDelta(1, "a", "", "{}"),
    ]


def test_an_answer_begins_with_its_start_even_where_that_event_is_missing() -> None:
    text = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
    _, error, tokens = answer_of(AnthropicMessages(), sse(text, *CLAUDE[1:]))
    assert error is None
    assert tokens[:2] == [StreamStart("", ""), TextDelta("x")]


def test_nothing_follows_ollamas_done() -> None:
    late = {"message": {"content": "late"}, "done": False}
    body = ollama({"message": {"content": "x"}, "done": True}, late, {"done": True})
    answer, _, tokens = answer_of(Ollama(), body)
    assert answer.text == "x"
    assert isinstance(tokens[-1], Finish)


def test_a_text_completion_of_claude_is_known_wherever_its_field_stands() -> None:
    said = {"zz": "y" * 300, "stop_reason": "stop_sequence", "completion": "Hi"}
    body = aws_frame("chunk", packed(json.dumps(said).encode()))
    answer, error, _ = answer_of(BedrockInvoke("anthropic.claude-v2"), body)
    assert error is None
    assert (answer.text, answer.finish_reason) == ("Hi", "stop")


def test_gemini_may_say_that_it_ended_with_a_call() -> None:
    call = {"functionCall": {"name": "look", "args": {}}}
    candidate = {"content": {"parts": [call]}, "finishReason": "FUNCTION_CALL"}
    answer, error, _ = answer_of(Gemini(), sse({"candidates": [candidate]}))
    assert error is None
    assert answer.finish_reason == "toolCalls"
