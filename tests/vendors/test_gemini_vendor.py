"""The Gemini API: where the key goes, which settings it has, its lists and its counting."""

import json

import pytest

from providers.errors import Malformed
from providers.policy.router import Target
from providers.types import Message, Text
from tests.http.server import Step, chunk, chunked, head, plain
from tests.vendors.talk import ANSWER, as_json, ask, talk

pytestmark = pytest.mark.asyncio

ONE = {
    "candidates": [{"content": {"parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
}
EVENTS = chunked(b"data: " + json.dumps(ONE).encode() + b"\r\n\r\n")


async def test_the_key_is_in_a_header_and_in_no_address() -> None:
    async with talk("gemini", EVENTS, as_json(ONE)) as it:
        outcome, _ = await it.stream(ask(model="gemini-2.5-flash"))
        assert outcome.response.text == "Hello"
        await it.complete(ask(model="gemini-2.5-flash"))
        paths = [request.path for request in it.server.requests]
        assert paths == [
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
            "/v1beta/models/gemini-2.5-flash:generateContent",
        ]
        for request in it.server.requests:
            assert request.headers["x-goog-api-key"] == "k-secret"
            assert b"k-secret" not in request.raw_head.split(b"\r\n")[0]
            assert "authorization" not in request.headers


async def test_settings() -> None:
    array: list[Step] = [
        head(headers={"Content-Type": "application/json"}),
        chunk(b"[" + json.dumps(ONE).encode()),
        chunk(b"\n,\r\n" + json.dumps(ONE).encode() + b"]"),
        b"0\r\n\r\n",
    ]
    safety = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    table = {"stream": "json", "apiVersion": "v1", "safetySettings": safety}
    async with talk("gemini", array, **table) as it:
        await it.stream(ask(model="gemini-2.0-flash"))
        assert it.last.path == "/v1/models/gemini-2.0-flash:streamGenerateContent"
        assert it.body()["safetySettings"] == safety


async def test_the_list_of_models_is_read_to_its_last_page() -> None:
    def entry(name: str, *methods: str) -> dict[str, object]:
        return {
            "name": f"models/{name}",
            "inputTokenLimit": 1000,
            "outputTokenLimit": 10,
            "supportedGenerationMethods": list(methods),
        }

    first = {"models": [entry("gemini-2.5-pro", "generateContent")], "nextPageToken": "n/2"}
    second = {"models": [entry("new-one", "generateContent"), entry("e", "embedContent")]}
    async with talk("gemini", as_json(first), as_json(second)) as it:
        models = await it.manager.models("gemini", refresh=True)
        assert [model.id for model in models] == ["gemini-2.5-pro", "new-one"]
        assert {model.context_window for model in models} == {1000}
        assert models[0].features.vision
        assert it.last.path == "/v1beta/models?pageSize=1000&pageToken=n%2F2"
    async with talk("gemini", as_json({"models": 3})) as it:
        with pytest.raises(Malformed):
            await it.manager.models("gemini", refresh=True)


async def test_tokens_are_counted_by_the_service() -> None:
    async with talk("gemini", as_json({"totalTokens": 31})) as it:
        messages = [Message("user", [Text("hi")])]
        count = await it.manager.count_tokens(messages, Target("gemini", "gemini-2.5-pro"))
        assert (count.tokens, count.method) == (31, "api")
        assert it.last.path == "/v1beta/models/gemini-2.5-pro:countTokens"
        assert it.body() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


async def test_a_body_of_another_format_is_malformed() -> None:
    async with talk("gemini", ANSWER, [plain(b"<html>")]) as it:
        with pytest.raises(Malformed):
            await it.complete(ask())
