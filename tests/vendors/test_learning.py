"""What a 400 teaches: in the words of several services, and what it must not."""

import asyncio
import json

import msgspec
import pytest

from providers.dialects.openai_chat import ChatProfile
from providers.errors import InvalidRequest
from providers.types import JsonSchema
from providers.vendors.learning import lesson_of
from tests.http.server import Recorded, Step
from tests.vendors.talk import ANSWER, WHOLE, ask, notices, said_no, talk

PLAIN = ChatProfile(parallel_tool_calls=True)

TEACHES = {
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
    "'max_completion_tokens' instead.": ("max_tokens", {"max_tokens": "max_completion_tokens"}),
    "Unrecognized request argument supplied: stream_options": (
        "stream_options",
        {"omit": ["stream_options"]},
    ),
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) "
    "value is supported.": ("temperature", {"omit": ["temperature"]}),
    "temperature does not support 0.2 with this model. Only the default (1) value is supported": (
        "temperature",
        {"omit": ["temperature"]},
    ),
    "body.stream_options: Extra inputs are not permitted": (
        "stream_options",
        {"omit": ["stream_options"]},
    ),
    "[{'type': 'extra_forbidden', 'loc': ('body', 'seed'), 'msg': 'Extra inputs are not "
    "permitted'}]": ("seed", {"omit": ["seed"]}),
    "property 'parallel_tool_calls' is unsupported, did you mean 'tool_calls'?": (
        "parallel_tool_calls",
        {"omit": ["parallel_tool_calls"]},
    ),
    "Argument not supported on this model: top_p": ("top_p", {"omit": ["top_p"]}),
    "Unknown parameter: 'tools[0].function.strict'.": ("strict", {"schemas": "plain"}),
    "Unsupported value: 'messages[0].role' does not support 'system' with this model.": (
        "system",
        {"system": "user", "flatten": True},
    ),
}


@pytest.mark.parametrize("message", TEACHES)
def test_the_words_of_several_services(message: str) -> None:
    subject, expected = TEACHES[message]
    lesson = lesson_of(message, PLAIN)
    assert lesson is not None
    assert lesson.subject == subject
    changed = msgspec.to_builtins(lesson.change(PLAIN))
    before = msgspec.to_builtins(PLAIN)
    differs = {name: changed[name] for name in changed if changed[name] != before[name]}
    if subject == "max_tokens":
        assert differs.pop("omit") == ["max_tokens"]
    assert differs == expected
    assert lesson_of(message, lesson.change(PLAIN)) is None  # nothing is learned twice


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 100000. This model supports at most 4096 completion tokens.",
        "'max_tokens' or 'max_completion_tokens' is too large: 9000. This model's maximum context "
        "length is 8192 tokens and your request has 100 input tokens",
        "temperature must be between 0 and 2",
        "temperature: Input should be less than or equal to 1, unsupported value",
        "Unsupported model: gpt-9",
        "The model `system-1` does not exist",
        "Unknown parameter: 'frequency_penalty'.",
        "Invalid schema for function 'f': strictly unsupported",
    ],
)
def test_a_value_or_another_matter_teaches_nothing(message: str) -> None:
    assert lesson_of(message, PLAIN) is None


def test_the_limit_has_two_names_and_then_none() -> None:
    first = lesson_of("unknown field: max_tokens", PLAIN)
    assert first is not None
    second_profile = first.change(PLAIN)
    second = lesson_of("unknown field: max_completion_tokens", second_profile)
    assert second is not None
    third = second.change(second_profile)
    assert third.omit == {"max_tokens", "max_completion_tokens"}
    assert lesson_of("unknown field: max_tokens", third) is None


def test_a_service_that_knows_only_the_new_name_is_learned_from_the_other_side() -> None:
    new = ChatProfile(max_tokens="max_completion_tokens", system="developer")
    lesson = lesson_of("Unrecognized request argument supplied: max_completion_tokens", new)
    assert lesson is not None
    assert lesson.change(new).max_tokens == "max_tokens"
    role = lesson_of("role: unknown variant `developer`, expected one of `system`, `user`", new)
    assert role is not None
    assert role.change(new).system == "system"


# --- Through the manager, over sockets -----------------------------------------------------


def picky(request: Recorded) -> list[Step]:
    """Refuse what it does not know, one thing at a time, as services do."""
    body = json.loads(request.body)
    if "stream_options" in body:
        return said_no(400, "Unrecognized request argument supplied: stream_options")
    if "max_tokens" in body:
        return said_no(
            400,
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            code="unsupported_parameter",
        )
    if body["model"] == "thinker" and "temperature" in body:
        return said_no(400, "'temperature' does not support 0.2 with this model. Only the default")
    return ANSWER if body.get("stream") else WHOLE


@pytest.mark.asyncio
async def test_an_endpoint_is_learned_once_and_answers() -> None:
    async with talk("openai-compatible", handler=picky) as it:
        outcome, tokens = await it.stream(model="thinker", max_tokens=5, temperature=0.2)
        assert outcome.response.text == "Hello"
        assert [n.wait for n in notices(tokens)] == [0.0, 0.0, 0.0]
        assert it.body() == {
            "model": "thinker",
            "messages": [{"role": "user", "content": "hi"}],
            "max_completion_tokens": 5,
            "stream": True,
        }
        _, tokens = await it.stream(model="thinker", max_tokens=5, temperature=0.2)
        assert notices(tokens) == []
        # Another model of the endpoint keeps its temperature; the endpoint's own way is known.
        _, tokens = await it.stream(model="other", temperature=0.2)
        assert notices(tokens) == []
        assert it.body()["temperature"] == 0.2


@pytest.mark.asyncio
async def test_requests_in_flight_at_the_same_time_learn_each_for_itself() -> None:
    async with talk("openai-compatible", handler=picky) as it:
        request = ask(model="thinker", max_tokens=5, temperature=0.2)
        outcomes = await asyncio.gather(*(it.stream(request) for _ in range(8)))
        assert {outcome.response.text for outcome, _ in outcomes} == {"Hello"}


@pytest.mark.asyncio
async def test_presets_and_azure_learn_too() -> None:
    async with talk("together", handler=picky) as it:
        outcome, _ = await it.stream(model="thinker", max_tokens=5)
        assert outcome.response.text == "Hello"
    refuse = said_no(400, "Unrecognized request argument supplied: max_completion_tokens")
    async with talk("azure", refuse, ANSWER, deployment="d") as it:
        await it.stream(max_tokens=5)
        assert it.body()["max_tokens"] == 5


@pytest.mark.asyncio
async def test_what_was_asked_for_beyond_sampling_is_never_left_out() -> None:
    message = "Unknown parameter: 'response_format'."
    async with talk("openai-compatible", said_no(400, message)) as it:
        with pytest.raises(InvalidRequest, match="response_format"):
            await it.stream(model="m", response_format=JsonSchema("s", {"type": "object"}))
        assert len(it.server.requests) == 1
