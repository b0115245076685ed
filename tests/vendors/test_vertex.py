"""Vertex over a real socket: both publishers' paths, tokens and their renewal, counts, models."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from providers.accumulate import Accumulator
from providers.base import AiProvider
from providers.errors import Authentication, NotConfigured
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import CompletionRequest, Message, Text, TextDelta
from providers.vendors.vertex import Vertex, host_of
from tests.auth.cloud_services import Home, service
from tests.auth.test_cloud_google import service_account, token
from tests.http.server import RawServer, chunked
from tests.vendors.cloud import asked_urls, chat, context, json_answer, table

GEMINI = "gemini-2.5-flash"
CLAUDE = "claude-sonnet-4-5@20250929"
EVENTS = {"content-type": "text/event-stream"}
GEMINI_ANSWER = (
    b'data: {"candidates":[{"content":{"parts":[{"text":"Hel"}],"role":"model"}}]}\r\n\r\n',
    b'data: {"candidates":[{"content":{"parts":[{"text":"lo"}],"role":"model"},'
    b'"finishReason":"STOP"}]}\r\n\r\n',
)
CLAUDE_ANSWER = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"claude",'
    b'"usage":{"input_tokens":1,"output_tokens":1}}}\n\n',
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hello"}}\n\n',
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":2}}\n\n',
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[RawServer]:
    running = await RawServer.start()
    running.script(chunked(*GEMINI_ANSWER, headers=EVENTS))
    yield running
    await running.aclose()


async def text_of(provider: AiProvider, request: object) -> str:
    said = ""
    async for tokens in provider.chat_stream(request):  # type: ignore[arg-type]
        said += "".join(t.text for t in tokens if isinstance(t, TextDelta))
    return said


async def closed(provider: Vertex) -> None:
    await provider.aclose()
    await provider.context.aclose()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("us-central1", "us-central1-aiplatform.googleapis.com"),
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        (None, "aiplatform.googleapis.com"),
    ],
)
async def test_gemini(server: RawServer, location: str | None, host: str) -> None:
    made = context({}, origin=server.origin)
    settings = table(project="p-1", location=location, accessToken="ya29.test-token")
    provider = Vertex("vertex", settings, made)
    assert await text_of(provider, chat(GEMINI)) == "Hello"
    place = f"projects/p-1/locations/{location or 'global'}/publishers/google/models/{GEMINI}"
    wanted = f"https://{host}/v1beta1/{place}:streamGenerateContent?alt=sse"
    assert asked_urls(made) == [wanted]
    assert server.requests[0].headers["authorization"] == "Bearer ya29.test-token"
    await closed(provider)


@pytest.mark.asyncio
@pytest.mark.parametrize("model", [CLAUDE, f"publishers/anthropic/models/{CLAUDE}"])
async def test_claude(server: RawServer, model: str) -> None:
    server.script(chunked(*CLAUDE_ANSWER, headers=EVENTS))
    made = context({}, origin=server.origin)
    settings = table(
        project="p-1", location="us-east5", accessToken="ya29.test-token", betas=["context-1m"]
    )
    provider = Vertex("vertex", settings, made)
    assert await text_of(provider, chat(model)) == "Hello"
    assert asked_urls(made) == [
        "https://us-east5-aiplatform.googleapis.com/v1/projects/p-1/locations/us-east5/publishers"
        f"/anthropic/models/{CLAUDE}:streamRawPredict"
    ]
    sent = server.requests[0]
    assert sent.headers["anthropic-beta"] == "context-1m"
    body = json.loads(sent.body)
    assert body["anthropic_version"] == "vertex-2023-10-16" and "model" not in body
    await closed(provider)


def test_hosts_of_locations() -> None:
    assert host_of("europe-west4") == "europe-west4-aiplatform.googleapis.com"
    with pytest.raises(NotConfigured, match="GOOGLE_CLOUD_LOCATION"):
        Vertex("vertex", table(), context({"GOOGLE_CLOUD_LOCATION": "evil.example/#"}))


@pytest.mark.asyncio
async def test_a_gemini_header_is_none_of_anthropics(server: RawServer) -> None:
    provider = Vertex(
        "vertex",
        table(baseUrl=server.origin, project="p", accessToken="ya29.t", betas=["x"]),
        context({}),
    )
    await text_of(provider, chat(GEMINI))
    assert "anthropic-beta" not in server.requests[0].headers
    await closed(provider)


@pytest.mark.asyncio
async def test_a_whole_answer_and_a_prompt(server: RawServer) -> None:
    candidate = {"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}
    server.script(json_answer({"candidates": [candidate]}))
    settings = table(baseUrl=server.origin, project="p", accessToken="ya29.t")
    provider = Vertex("vertex", settings, context({}))
    answer = await provider.complete(CompletionRequest(prompt="Say", model=GEMINI))
    assert answer.text == "Hi"
    assert server.requests[0].path.endswith(f"/{GEMINI}:generateContent")
    await closed(provider)


# --- Tokens ---------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_default_credentials_with_their_project(server: RawServer, tmp_path: Path) -> None:
    home = Home(tmp_path)
    with service() as google:
        google.answer(token("ya29.service-token"))
        path = service_account(home, f"{google.url}/token")
        made = context(
            {**home.environ, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}, origin=server.origin
        )
        provider = Vertex("vertex", table(), made)
        texts = await asyncio.gather(*(text_of(provider, chat(GEMINI)) for _ in range(3)))
    assert texts == ["Hello"] * 3
    assert len(google.calls) == 1
    assert all("/projects/proj-of-the-file/" in url for url in asked_urls(made))
    assert {r.headers["authorization"] for r in server.requests} == {"Bearer ya29.service-token"}
    assert provider.key_source() == "env GOOGLE_APPLICATION_CREDENTIALS"
    assert "service-token" not in made.redactor.mask("Bearer ya29.service-token")
    await closed(provider)


UNAUTHENTICATED = json_answer(
    {"error": {"code": 401, "message": "Invalid credentials.", "status": "UNAUTHENTICATED"}}, 401
)


@pytest.mark.asyncio
async def test_a_401_gets_a_new_token_once(server: RawServer, tmp_path: Path) -> None:
    home = Home(tmp_path)
    with service() as google:
        for number in range(1, 9):
            google.answer(token(f"ya29.token-number-{number}"))
        path = service_account(home, f"{google.url}/token")
        environ = {**home.environ, "GOOGLE_APPLICATION_CREDENTIALS": str(path)}
        settings = {"vertex": table(baseUrl=server.origin, location="us-central1")}
        manager = ProviderManager(ProvidersConfig(providers=settings), environ=environ)
        server.script(UNAUTHENTICATED, chunked(*GEMINI_ANSWER, headers=EVENTS))
        run = manager.stream(chat(GEMINI), Target(provider="vertex", model=GEMINI))
        async for _ in run:
            pass
        assert run.outcome.response.text == "Hello"
        sent = [r.headers["authorization"] for r in server.requests]
        assert sent == ["Bearer ya29.token-number-1", "Bearer ya29.token-number-2"]

        server.script(UNAUTHENTICATED)
        run = manager.stream(chat(GEMINI), Target(provider="vertex", model=GEMINI))
        with pytest.raises(Authentication, match="Invalid credentials"):
            async for _ in run:
                pass
        assert len(google.calls) == 2 and len(server.requests) == 3
        await manager.aclose()


@pytest.mark.asyncio
async def test_without_a_project_nothing_is_sent(server: RawServer) -> None:
    settings = table(baseUrl=server.origin, accessToken="ya29.t")
    provider = Vertex("vertex", settings, context({}))
    with pytest.raises(NotConfigured, match="GOOGLE_CLOUD_PROJECT"):
        await text_of(provider, chat(GEMINI))
    assert server.requests == []
    await closed(provider)


@pytest.mark.asyncio
async def test_without_credentials_the_command_is_told(server: RawServer, tmp_path: Path) -> None:
    settings = table(baseUrl=server.origin, project="p")
    provider = Vertex("vertex", settings, context(Home(tmp_path).environ))
    with pytest.raises(NotConfigured, match="gcloud auth application-default login"):
        await text_of(provider, chat(GEMINI))
    assert server.requests == []
    await closed(provider)


# --- Counting and listing -------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_tokens_are_counted_by_the_service(server: RawServer) -> None:
    settings = table(baseUrl=server.origin, project="p", location="l", accessToken="ya29.t")
    provider = Vertex("vertex", settings, context({}))
    asked = [Message("user", [Text("Hello")])]
    server.script(json_answer({"totalTokens": 31}), json_answer({"input_tokens": 32}))
    gemini = await provider.count_tokens(asked, GEMINI)
    claude = await provider.count_tokens(asked, CLAUDE)
    assert [(c.tokens, c.method) for c in (gemini, claude)] == [(31, "api"), (32, "api")]
    first, second = server.requests
    assert (
        first.path
        == f"/v1beta1/projects/p/locations/l/publishers/google/models/{GEMINI}:countTokens"
    )
    assert json.loads(first.body) == {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}
    assert second.path.endswith("/publishers/anthropic/models/count-tokens:rawPredict")
    assert json.loads(second.body)["model"] == CLAUDE
    await closed(provider)


@pytest.mark.asyncio
async def test_models_of_both_publishers(server: RawServer) -> None:
    google = {"publisherModels": [{"name": "publishers/google/models/gemini-2.5-pro"}]}
    google["publisherModels"].append({"name": "publishers/google/models/imagen-4"})
    anthropic = {"publisherModels": [{"name": "publishers/anthropic/models/claude-opus-4-5"}]}
    server.script(json_answer(google), json_answer(anthropic))
    settings = table(baseUrl=server.origin, project="p", accessToken="ya29.t")
    provider = Vertex("vertex", settings, context({}))
    found = await provider.list_models(refresh=True)
    assert [m.id for m in found] == ["gemini-2.5-pro", "claude-opus-4-5"]
    assert found[0].context_window == 1_048_576
    await closed(provider)


MODELS = {
    "gemini-sse": GEMINI,
    "gemini-json": GEMINI,
    "anthropic-messages-sse": CLAUDE,
    "anthropic-messages-json": CLAUDE,
}


@pytest.mark.asyncio
async def test_recorded_answers_through_the_whole_provider(shared: Path, server: RawServer) -> None:
    settings = table(baseUrl=server.origin, project="p", accessToken="ya29.t")
    provider = Vertex("vertex", settings, context({}))
    compared = 0
    for line in (shared / "streams/manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        model = MODELS.get(row["wire_format"])
        if model is None or row["provider"] != "vertex" or row["kind"] == "error":
            continue
        if row["expected"]["error"]:
            continue
        body = (shared / "streams" / row["body_file"]).read_bytes()
        pieces = [body[i : i + 700] for i in range(0, len(body), 700)]
        answer = Accumulator()
        if row["kind"] == "stream":
            server.script(chunked(*pieces, headers=EVENTS))
            async for tokens in provider.chat_stream(chat(model)):
                answer.add(tokens)
        else:
            server.script(chunked(*pieces, headers={"content-type": "application/json"}))
            answer.take(await provider.chat(chat(model)))
        assert answer.text == row["expected"]["text"], row["id"]
        compared += 1
    assert compared >= 40
    await closed(provider)
