"""Cohere: its address and key, what each model is asked, and the list of models."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from providers.base import ModelFeatures
from providers.errors import Malformed, Unsupported
from providers.types import ChatRequest, CompletionRequest, Message, Reasoning, Text
from tests.http.server import Step, chunked, plain
from tests.vendors.talk import as_json, ask, talk

pytestmark = pytest.mark.asyncio


def sse(*values: dict[str, Any]) -> list[Step]:
    return chunked(
        *(f"event: {v['type']}\ndata: {json.dumps(v)}\n\n".encode() for v in values),
        b"data: [DONE]\n\n",
    )


def text(piece: str) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": piece}}}}


USED = {
    "billed_units": {"input_tokens": 2, "output_tokens": 2},
    "tokens": {"input_tokens": 500, "output_tokens": 4},
}
STREAM = sse(
    {"type": "message-start", "id": "a-1", "delta": {"message": {"role": "assistant"}}},
    text("Hel"),
    text("lo"),
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": USED}},
)
WHOLE = as_json(
    {
        "id": "a-2",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        "finish_reason": "COMPLETE",
        "usage": USED,
    }
)


async def test_address_key_and_default_model() -> None:
    async with talk("cohere", STREAM, WHOLE) as it:
        outcome, _ = await it.stream()
        assert it.last.path == "/v2/chat"
        assert it.last.headers["authorization"] == "Bearer k-secret"
        assert it.body()["model"] == "command-a-03-2025"
        assert it.body()["stream"] is True
        assert (outcome.response.id, outcome.response.text) == ("a-1", "Hello")
        assert outcome.response.finish_reason == "stop"
        assert (outcome.usage.input_tokens, outcome.usage.total_tokens) == (500, 504)
        assert outcome.cost is None, "tokens are not what is billed"
        whole = await it.complete(ask())
        assert it.body()["stream"] is False
        assert (whole.response.id, whole.response.text) == ("a-2", "Hello")


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("command-a-03-2025", None),
        ("command-a-reasoning-08-2025", {"type": "enabled"}),
        ("one-of-next-year", {"type": "enabled"}),
    ],
)
async def test_reasoning_is_asked_of_models_that_may_have_it(model: str, thinking: Any) -> None:
    async with talk("cohere", STREAM) as it:
        await it.stream(ask(model=model, reasoning=Reasoning("high")))
        assert it.body().get("thinking") == thinking


async def test_what_the_service_takes_beside() -> None:
    own = {"documents": [{"data": {"text": "T"}}], "safety_mode": "OFF"}
    async with talk("cohere", STREAM) as it:
        request = ChatRequest(
            messages=[Message("user", [Text("hi")])], provider_options={"cohere": own}
        )
        await it.stream(request)
        assert it.body() | own == it.body()


def pages() -> Iterator[list[Step]]:
    yield as_json(
        {
            "models": [
                {
                    "name": "command-a-03-2025",
                    "endpoints": ["chat", "summarize"],
                    "context_length": 288000.0,
                    "features": ["json_mode", "tools"],
                },
                {"name": "embed-v4.0", "endpoints": ["embed"], "context_length": 128000},
            ],
            "next_page_token": "a/b=",
        }
    )
    yield as_json(
        {
            "models": [
                {
                    "name": "command-next",
                    "endpoints": ["chat"],
                    "context_length": 1000,
                    "features": ["tools", "vision", "reasoning"],
                },
                {"name": "old", "is_deprecated": True},
            ],
            "next_page_token": "",
        }
    )


async def test_every_page_of_the_list() -> None:
    async with talk("cohere", *pages()) as it:
        found = await it.manager.models("cohere", refresh=True)
        paths = [request.path for request in it.server.requests]
        assert paths == [
            "/v1/models?endpoint=chat&page_size=1000",
            "/v1/models?endpoint=chat&page_size=1000&page_token=a%2Fb%3D",
        ]
    told = {model.id: model for model in found}
    assert list(told) == ["command-a-03-2025", "command-next", "old"]
    known, new, old = told.values()
    assert (known.context_window, known.max_output_tokens) == (288000, 8000)
    assert known.features == ModelFeatures(tools=True)
    assert (new.context_window, new.max_output_tokens) == (1000, None)
    assert new.features == ModelFeatures(tools=True, vision=True, reasoning=True)
    assert (old.retired, old.context_window, known.retired) == (True, None, False)


async def test_a_list_that_is_none() -> None:
    async with talk("cohere", as_json({"data": []})) as it:
        with pytest.raises(Malformed, match="list of models"):
            await it.manager.models("cohere", refresh=True)


async def test_no_prompt_as_it_is() -> None:
    async with talk("cohere", [plain(b"{}")]) as it:
        with pytest.raises(Unsupported):
            await it.complete(CompletionRequest(prompt="a", raw=True))
        with pytest.raises(Unsupported, match="suffix"):
            await it.complete(CompletionRequest(prompt="a", suffix="b"))
        assert it.server.requests == []
