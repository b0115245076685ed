"""OpenRouter: who asks, which model wants what, and what an answer cost."""

import json

import pytest

from providers.errors import RateLimited
from providers.types import CompletionRequest, Message, ReasoningState, Text, ToolCall
from tests.http.server import chunked
from tests.vendors.talk import DONE, FINISH, WHOLE, ask, delta, event, said_no, talk

pytestmark = pytest.mark.asyncio


async def test_who_asks_and_for_which_model() -> None:
    async with talk("openrouter", path="/api/v1") as it:
        await it.stream()
        headers = it.last.headers
        assert it.last.path == "/api/v1/chat/completions"
        assert (headers["http-referer"], headers["x-title"]) == ("https://lapce.dev", "Lapce")
        assert it.body()["model"] == "openrouter/auto"
        assert "x-anthropic-beta" not in headers
        await it.stream(model="anthropic/claude-sonnet-4.5")
        beta = "fine-grained-tool-streaming-2025-05-14"
        assert it.last.headers["x-anthropic-beta"] == beta
    async with talk("openrouter", referer="https://me.example", title="Mine") as it:
        await it.stream()
        headers = it.last.headers
        assert (headers["http-referer"], headers["x-title"]) == ("https://me.example", "Mine")


async def test_the_cost_is_the_services_own() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12, "cost": 0.0123}
    answer = chunked(
        b": OPENROUTER PROCESSING\n\n",
        event(delta("x")),
        event(FINISH),
        event({"id": "c1", "choices": [], "usage": usage}),
        DONE,
    )
    async with talk("openrouter", answer) as it:
        outcome, _ = await it.stream(model="openai/gpt-5")
        assert outcome.cost is not None
        assert (outcome.cost.usd, outcome.cost.source) == (0.0123, "provider")


async def test_reasoning_details_go_back_as_they_came() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}]
    piece = {"id": "c", "choices": [{"delta": {"reasoning_details": details}}]}
    answer = chunked(event(piece), event(delta("x")), event(FINISH), DONE)
    async with talk("openrouter", answer) as it:
        outcome, _ = await it.stream(model="anthropic/claude-sonnet-4.5")
        (state,) = outcome.response.reasoning
        assert (state.text, json.loads(state.opaque or "")) == ("hm", details)
        request = ask(model="anthropic/claude-sonnet-4.5")
        request.messages += [Message("assistant", [state, Text("x")]), *ask("go on").messages]
        await it.stream(request)
        assert it.body()["messages"][1]["reasoning_details"] == details


def marks(body: dict[str, object]) -> int:
    return json.dumps(body).count("cache_control")


async def test_what_is_worth_caching_is_marked_where_the_model_wants_it() -> None:
    async with talk("openrouter") as it:
        for model, count in (
            ("anthropic/claude-sonnet-4.5", 2),
            ("google/gemini-2.5-flash", 1),
            ("google/gemini-2.5-pro", 0),
            ("openai/gpt-5", 0),
        ):
            await it.stream(model=model, system="Be brief.")
            assert marks(it.body()) == count, model
        await it.stream(model="anthropic/claude-sonnet-4.5", system="Be brief.", cache=False)
        assert marks(it.body()) == 0
    async with talk("openrouter", WHOLE, model="anthropic/claude-sonnet-4.5") as it:
        await it.complete(CompletionRequest(prompt="hi"))
        assert marks(it.body()) == 0


async def test_a_call_that_gemini_did_not_make_says_so() -> None:
    request = ask(model="google/gemini-3-pro-preview")
    own = [{"type": "reasoning.encrypted", "data": "ENC", "id": "b", "format": "google-gemini-v1"}]
    request.messages += [
        Message("assistant", [], [ToolCall("a", "f", "{}")]),
        Message("tool", [Text("1")], tool_call_id="a"),
        Message("assistant", [ReasoningState("", json.dumps(own))], [ToolCall("b", "f", "{}")]),
        Message("tool", [Text("2")], tool_call_id="b"),
    ]
    async with talk("openrouter") as it:
        await it.stream(request)
        messages = it.body()["messages"]
        (unsigned,) = messages[1]["reasoning_details"]
        assert (unsigned["data"], unsigned["id"]) == ("skip_thought_signature_validator", "a")
        assert messages[3]["reasoning_details"] == own
        request.model = "openai/gpt-5"
        await it.stream(request)
        assert "reasoning_details" not in it.body()["messages"][1]


async def test_an_error_says_what_the_service_behind_it_said() -> None:
    refused = said_no(
        429,
        "Provider returned error",
        code=429,
        metadata={"raw": "deepseek-r1 is temporarily rate-limited", "provider_name": "Chutes"},
    )
    async with talk("openrouter", refused) as it:
        with pytest.raises(RateLimited, match="Chutes: deepseek-r1 is temporarily rate-limited"):
            await it.stream()
