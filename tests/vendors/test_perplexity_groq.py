"""Perplexity's streams have no end mark; Groq's connections stay open."""

import asyncio
import json

import pytest

from providers.errors import ServerFailed
from tests.http.server import CLOSE, Script, chunked
from tests.vendors.talk import ANSWER, DONE, FINISH, Talk, as_json, ask, delta, event, talk

pytestmark = pytest.mark.asyncio


def crlf(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\r\n\r\n"


async def test_perplexity_cites_and_ends_without_a_mark() -> None:
    sources = {
        "citations": ["https://a.example", "https://b.example"],
        "search_results": [{"url": "https://a.example", "title": "A"}],
        "usage": {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6},
    }
    stream = chunked(
        b": ping\r\n\r\n",
        crlf(delta("Paris [1]", **sources)),
        crlf({**FINISH, **sources}),
    )
    async with talk("perplexity", stream) as it:
        outcome, _ = await it.stream()
        response = outcome.response
        assert it.last.path == "/chat/completions"
        assert it.body()["model"] == "sonar"
        assert response.text == "Paris [1]"
        assert [(c.url, c.title) for c in response.citations] == [
            ("https://a.example", "A"),
            ("https://b.example", None),
        ]
        assert (response.finish_reason, outcome.usage.total_tokens) == ("stop", 6)


async def test_perplexity_has_no_list_of_models_and_is_asked_something_else() -> None:
    async with talk("perplexity", as_json({"requests": []})) as it:
        models = await it.manager.models("perplexity", refresh=True)
        assert "sonar-pro" in {model.id for model in models}
        assert it.server.requests == []
        (health,) = await it.manager.health("perplexity", live=True)
        assert health.status == "healthy"
        assert it.last.path == "/async/chat/completions"


async def test_groq_takes_its_tier_from_the_options_and_its_usage_from_its_own_field() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    last = {**FINISH, "x_groq": {"id": "r", "usage": usage}}
    async with talk("groq", chunked(event(delta("x")), event(last), DONE)) as it:
        request = ask(model="llama-3.3-70b-versatile")
        request.provider_options = {"groq": {"service_tier": "flex"}}
        outcome, _ = await it.stream(request)
        assert it.body()["service_tier"] == "flex"
        assert outcome.usage.input_tokens == 9
        assert outcome.cost is not None


async def test_groqs_error_event_is_an_error() -> None:
    broken = b'event: error\ndata: {"error":{"message":"boom","type":"internal_server_error"}}\n\n'
    async with talk("groq", chunked(broken)) as it:
        with pytest.raises(ServerFailed, match="boom"):
            await it.stream()


async def closed_and_opened_again(it: Talk) -> None:
    await it.server.connections[0].closed()
    # The server knows of a connection before the client has it.
    while it.manager.metrics().connections[it.kind][0] < 2:
        await asyncio.sleep(0.005)


async def test_groqs_connection_outlives_the_usual_idle_time() -> None:
    async with talk("groq", http={"idleSeconds": 0.05}) as it:
        await it.stream()
        await asyncio.sleep(0.15)
        await it.stream()
        assert len(it.server.connections) == 1
    async with talk("together", http={"idleSeconds": 0.05}, model="m") as it:
        await it.stream()
        await it.server.connections[0].closed()
        await it.stream()
        assert len(it.server.connections) == 2


async def test_one_that_the_server_closes_is_opened_again_before_it_is_needed() -> None:
    async with talk("groq", Script([*ANSWER, 0.05, CLOSE]), ANSWER) as it:
        await it.stream()
        await asyncio.wait_for(closed_and_opened_again(it), 5)
        await it.stream()
        assert len(it.server.connections) == 2
        assert it.server.requests[1].connection is it.server.connections[1]
