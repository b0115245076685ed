"""Amazon's OpenAI-compatible endpoints over a real socket."""

import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import TextDelta
from providers.vendors.aws import Aws
from tests.http.server import RawServer, chunked
from tests.vendors.cloud import (
    KEYS,
    NOWHERE,
    Rerouted,
    asked_urls,
    chat,
    context,
    json_answer,
    signed_for,
    table,
)

EVENTS = {"content-type": "text/event-stream"}
CHAT = (
    b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b"data: [DONE]\n\n",
)
RESPONSE = {
    "id": "r",
    "object": "response",
    "model": "m",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "id": "i",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
}
RUNTIME = "bedrock-runtime.eu-west-1.amazonaws.com"
MANTLE = "bedrock-mantle.eu-west-1.api.aws"


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    running = await RawServer.start()
    running.script(chunked(*CHAT, headers=EVENTS))
    yield running
    await running.aclose()


async def closed(provider: Aws) -> None:
    await provider.aclose()
    await provider.context.aclose()


async def text_of(provider: Aws, model: str = "openai.gpt-oss-20b-1:0") -> str:
    said = ""
    async for tokens in provider.chat_stream(chat(model)):
        said += "".join(t.text for t in tokens if isinstance(t, TextDelta))
    return said


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("settings", "url", "service"),
    [
        ({}, f"https://{RUNTIME}/openai/v1", "bedrock"),
        ({"baseUrl": f"https://{MANTLE}/v1"}, f"https://{MANTLE}/v1", "bedrock-mantle"),
    ],
)
async def test_chat_is_signed(
    server: RawServer, settings: dict[str, str], url: str, service: str
) -> None:
    made = context(origin=server.origin)
    provider = Aws("aws", table(region="eu-west-1", **settings), made)
    assert await text_of(provider) == "Hello"
    assert asked_urls(made) == [f"{url}/chat/completions"]
    sent = server.requests[0]
    assert f"/eu-west-1/{service}/aws4_request" in sent.headers["authorization"]
    await closed(provider)


@pytest.mark.asyncio
async def test_botocore_accepts_the_signature(server: RawServer) -> None:
    provider = Aws("aws", table(region="eu-west-1", baseUrl=f"{server.origin}/v1"), context())
    await text_of(provider)
    host = f"{server.host}:{server.port}"
    assert signed_for(server.requests[0], host) == ("eu-west-1", "bedrock")
    await closed(provider)


@pytest.mark.asyncio
async def test_a_key_is_sent_as_bearer(server: RawServer) -> None:
    provider = Aws(
        "aws",
        table(region="eu-west-1", baseUrl=f"{server.origin}/v1", apiKey="abcdef123"),
        context(),
    )
    await text_of(provider)
    assert server.requests[0].headers["authorization"] == "Bearer abcdef123"
    await closed(provider)


@pytest.mark.asyncio
async def test_responses_go_to_mantle(server: RawServer) -> None:
    server.script(json_answer(RESPONSE))
    made = context(origin=server.origin)
    provider = Aws("aws", table(region="eu-west-1", api="responses"), made)
    assert provider.model == "openai.gpt-oss-120b"
    answer = await provider.chat(chat(provider.model))
    assert answer.text == "Hello"
    assert asked_urls(made) == [f"https://{MANTLE}/v1/responses"]
    assert json.loads(server.requests[0].body)["model"] == "openai.gpt-oss-120b"
    await closed(provider)


@pytest.mark.asyncio
async def test_a_models_other_route_is_learned(server: RawServer) -> None:
    said = {"error": {"message": "model `openai.gpt-5.6-sol` isn't supported on this route"}}
    server.script(json_answer(said, 400), json_answer(RESPONSE))
    settings = {"aws": table(region="eu-west-1", api="responses")}
    environ = {**NOWHERE, **KEYS}
    manager = ProviderManager(ProvidersConfig(providers=settings), environ=environ)
    client = Rerouted(manager._context.http, manager._context.timeouts, environ={})
    client.origin, client.urls = server.origin, []
    manager._context.client_if_used = client
    target = Target(provider="aws", model="openai.gpt-5.6-sol")
    for _ in range(2):
        outcome = await manager.complete(chat("openai.gpt-5.6-sol"), target)
        assert outcome.response.text == "Hello"
    assert [url.partition(MANTLE)[2] for url in client.urls] == [
        "/v1/responses",
        "/openai/v1/responses",
        "/openai/v1/responses",
    ]
    await manager.aclose()


@pytest.mark.asyncio
async def test_models(server: RawServer) -> None:
    summaries = [
        {"modelId": "openai.gpt-oss-120b-1:0", "inferenceTypesSupported": ["ON_DEMAND"]},
        {"modelId": "amazon.nova-lite-v1:0", "inferenceTypesSupported": ["ON_DEMAND"]},
    ]
    server.script(
        json_answer({"modelSummaries": summaries}),
        json_answer({"message": "not allowed"}, 403),
        json_answer({"data": [{"id": "openai.gpt-oss-120b"}]}),
    )
    made = context(origin=server.origin)
    runtime = Aws("aws", table(region="eu-west-1"), made)
    mantle = Aws("aws", table(region="eu-west-1", api="responses"), made)
    assert [m.id for m in await runtime.list_models(refresh=True)] == ["openai.gpt-oss-120b-1:0"]
    assert [m.id for m in await mantle.list_models(refresh=True)] == ["openai.gpt-oss-120b"]
    assert asked_urls(made)[-1] == f"https://{MANTLE}/v1/models"
    assert "/bedrock-mantle/" in server.requests[-1].headers["authorization"]
    await closed(runtime)
