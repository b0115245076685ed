"""Ollama: its own format and the other one, what was pulled, and filling in."""

import json

import pytest

from providers.errors import NotConfigured
from providers.types import CompletionRequest, Cost
from tests.http.server import chunked, plain
from tests.vendors.talk import ANSWER, as_json, ask, talk

pytestmark = pytest.mark.asyncio

TAGS = as_json(
    {
        "models": [
            {"name": "qwen3:4b", "capabilities": ["completion", "tools", "thinking"]},
            {"name": "codellama:7b", "capabilities": ["insert"]},
        ]
    }
)
LINES = chunked(
    b'{"model":"qwen3:4b","message":{"role":"assistant","content":"Hel"},"done":false}\n',
    b'{"model":"qwen3:4b","message":{"role":"assistant","content":"lo"},"done":false}\n',
    b'{"model":"qwen3:4b","message":{"content":""},"done":true,"done_reason":"stop",'
    b'"prompt_eval_count":5,"eval_count":2}\n',
)


async def test_its_own_format_and_no_key() -> None:
    async with talk("ollama", LINES, key=None, model="qwen3:4b") as it:
        outcome, _ = await it.stream(max_tokens=7)
        assert it.last.path == "/api/chat"
        assert it.body()["options"] == {"num_predict": 7}
        assert "authorization" not in it.last.headers
        assert (outcome.response.text, outcome.usage.total_tokens) == ("Hello", 7)
        assert outcome.cost == Cost(0.0, "catalog"), "it runs on the user's own machine"


async def test_the_openai_format_beside_it() -> None:
    async with talk("ollama", ANSWER, model="m", api="chat") as it:
        outcome, _ = await it.stream()
        assert it.last.path == "/v1/chat/completions"
        assert outcome.response.text == "Hello"


async def test_what_was_pulled_is_the_list_and_its_first_the_default() -> None:
    async with talk("ollama", TAGS, LINES) as it:
        await it.stream()
        await it.stream()
        assert [r.path for r in it.server.requests] == ["/api/tags", "/api/chat", "/api/chat"]
        assert it.body()["model"] == "qwen3:4b"
    async with talk("ollama", TAGS) as it:
        models = await it.manager.models("ollama")
        able = {model.id: (model.features.tools, model.features.fim) for model in models}
        assert able == {"qwen3:4b": (True, False), "codellama:7b": (False, True)}
    async with talk("ollama", as_json({"models": []})) as it:
        with pytest.raises(NotConfigured, match="ollama pull"):
            await it.stream()


async def test_filling_in() -> None:
    done = {"model": "m", "response": "x = 1", "done": True, "done_reason": "stop"}
    async with talk("ollama", [plain(json.dumps(done).encode())]) as it:
        outcome = await it.complete(CompletionRequest(prompt="a", suffix="b", model="m"))
        assert it.last.path == "/api/generate"
        assert (it.body()["prompt"], it.body()["suffix"]) == ("a", "b")
        assert outcome.response.text == "x = 1"


async def test_a_request_names_its_own_model() -> None:
    async with talk("ollama", LINES) as it:
        await it.stream(ask(model="other"))
        assert it.body()["model"] == "other"
