"""Real servers of others on this machine: llama.cpp's, and llmock and aimock where they are there.

llmock (`uv tool install llmock==0.2.2`) and aimock (`tools/editors/aimock.sh`) speak the formats of
several services and break them on demand. Neither is a dependency: where the program is not found,
its tests say so.
"""

import asyncio
import json
import shutil
import socket
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from providers.errors import Disconnected, Malformed, ProviderError, RateLimited, Truncated
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.run import Run
from providers.settings import ProvidersConfig
from providers.types import ChatRequest, Message, Outcome, RetryNotice, Text, ToolDefinition
from providers.vendors.local_server import LocalServer
from providers.vendors.local_weights import Weights
from tests.local.conftest import weights  # noqa: F401 (a fixture)
from tests.vendors.talk import ask

pytestmark = [pytest.mark.slow, pytest.mark.asyncio]


@asynccontextmanager
async def provider(name: str, *, attempts: int = 3, **table: Any) -> AsyncIterator[ProviderManager]:
    retry = {"maxWaitMs": 2000, "attempts": attempts}
    config = {"providers": {name: table}, "retry": retry}
    manager = ProviderManager(msgspec.convert(config, ProvidersConfig), environ={})
    try:
        yield manager
    finally:
        await manager.aclose()


async def streamed(manager: ProviderManager, name: str, **options: Any) -> tuple[Outcome, Run]:
    request = ask("Count from one to five, in words.", **options)
    run = manager.stream(request, Target(name, options.get("model")))
    async for _ in run:
        pass
    return run.outcome, run


# --- llama.cpp ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("openai-compatible", None),
        ("openai-compatible", "responses"),
        ("llama-cpp", None),
        ("anthropic", None),
    ],
)
async def test_llama_cpp_speaks_our_formats(
    kind: str,
    api: str | None,
    weights: Weights,  # noqa: F811 (the fixture)
) -> None:
    server = LocalServer()
    try:
        address, key = await server.address()
        base_url = address.removesuffix("/v1") if kind == "anthropic" else address
        # Its reused connections fail after a stream; a header of ours asks for a new one each time.
        table = {"baseUrl": base_url, "apiKey": key, "headers": {"Connection": "close"}}
        if api is not None:
            table["api"] = api
        model = "m" if kind == "anthropic" else None
        async with provider("p", kind=kind, **table) as manager:
            outcome, _ = await streamed(
                manager, "p", model=model or "", max_tokens=12, temperature=0
            )
            whole = await manager.complete(ask("Say hi.", max_tokens=4), Target("p", model))
        assert outcome.response.text.strip()
        # Of Responses this server says "completed" whatever ended them.
        ends = ("stop",) if api == "responses" else ("stop", "length")
        assert outcome.response.finish_reason in ends
        assert 0 < outcome.usage.output_tokens <= 12
        assert 0 < whole.usage.output_tokens <= 4
    finally:
        await server.aclose()


# --- llmock -------------------------------------------------------------------------------


class Mock:
    """A running llmock."""

    def __init__(self, origin: str) -> None:
        self.origin = origin

    def scenario(self, *behaviors: dict[str, Any]) -> None:
        """Have the next requests meet these, in order."""
        self._call("DELETE", None)
        self._call("POST", {"behaviors": list(behaviors)})

    def _call(self, method: str, body: Any) -> None:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.origin}/_llmock/scenario",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        urllib.request.urlopen(request, timeout=5).close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.getsockname()[1]
    yield number


@pytest_asyncio.fixture
async def mock(port: int) -> AsyncIterator[Mock]:
    program = shutil.which("llmock")
    if program is None:
        pytest.skip("llmock is not installed: uv tool install llmock==0.2.2")
    options = ["--port", str(port), "--log-level", "error", "--response-style", "echo"]
    process = await asyncio.create_subprocess_exec(
        program,
        "serve",
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await listens(port)
        yield Mock(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        await process.wait()


async def listens(port: int) -> None:
    """Wait until somebody does."""
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            except OSError:
                await asyncio.sleep(0.05)


SERVED: list[tuple[str, str, str | None, str]] = [
    ("openai", "/v1", "chat", "gpt-4o"),
    ("openai", "/v1", "responses", "gpt-4o"),
    ("anthropic", "/anthropic", None, "claude-sonnet-4-5"),
    ("gemini", "/gemini", None, "gemini-2.5-flash"),
    ("groq", "/groq/openai/v1", None, "llama-3.3-70b-versatile"),
    ("mistral", "/mistral/v1", None, "mistral-small-latest"),
]

TOOL = ToolDefinition(
    "get_weather", {"type": "object", "properties": {"city": {"type": "string"}}}, "Weather"
)


async def test_llmock(mock: Mock) -> None:
    """One test, because starting it takes longer than everything that is asked of it."""
    for kind, path, api, model in SERVED:
        table = {"apiKey": "sk-test", "baseUrl": mock.origin + path, "model": model}
        if api is not None:
            table["api"] = api
        async with provider(kind, **table) as manager:
            where = f"{kind} {api}"
            await _answers(manager, mock, kind, where)
            await _faults(manager, mock, kind, where)


async def _answers(manager: ProviderManager, mock: Mock, kind: str, where: str) -> None:
    mock.scenario({"type": "reply", "text": "one two three — ünïcode 🎉", "times": 2})
    outcome, _ = await streamed(manager, kind)
    assert outcome.response.text == "one two three — ünïcode 🎉", where
    assert outcome.response.finish_reason == "stop", where
    # Mistral itself counts unasked, this server only where `stream_options` ask for it.
    assert outcome.usage.input_tokens > 0 or kind == "mistral", where
    whole = await manager.complete(ask(), Target(kind))
    assert whole.response.text == "one two three — ünïcode 🎉", where
    call = {"name": "get_weather", "arguments": {"city": "Paris"}}
    mock.scenario({"type": "reply", "tool_calls": [call], "times": 2})
    outcome, _ = await streamed(manager, kind, tools=[TOOL])
    (made,) = outcome.response.tool_calls
    assert (made.name, json.loads(made.arguments)) == ("get_weather", {"city": "Paris"}), where
    assert outcome.response.finish_reason == "toolCalls", where
    whole = await manager.complete(ask(tools=[TOOL]), Target(kind))
    assert [c.name for c in whole.response.tool_calls] == ["get_weather"], where


async def _faults(manager: ProviderManager, mock: Mock, kind: str, where: str) -> None:
    for fault, expected in (
        ("disconnect", Truncated),
        ("truncate", Truncated),
        ("malformed", Malformed),
    ):
        text = "a rather long answer of many words, so that it is cut in the middle of it"
        mock.scenario(
            {"type": "stream_fault", "kind": fault, "after_chunks": 6, "times": None},
            {"type": "reply", "text": text, "times": None},
        )
        with pytest.raises(ProviderError) as failed:
            await streamed(manager, kind)
        assert isinstance(failed.value, expected), (where, fault, failed.value)
        assert failed.value.partial, (where, fault)
        assert text.startswith(failed.value.partial), (where, fault)
    mock.scenario(
        {"type": "fail", "status": 429, "retry_after": 0.2, "times": 2},
        {"type": "reply", "text": "at last"},
    )
    run = manager.stream(ask(), Target(kind))
    notices = [t for tokens in [x async for x in run] for t in tokens if isinstance(t, RetryNotice)]
    assert run.outcome.response.text == "at last", where
    assert [type(notice.error) for notice in notices] == [RateLimited, RateLimited], where
    mock.scenario({"type": "fail", "status": 401})
    with pytest.raises(ProviderError) as failed:
        await streamed(manager, kind)
    assert (failed.value.kind, failed.value.status) == ("authentication", 401), where


# --- aimock -------------------------------------------------------------------------------

AIMOCK = Path(__file__).parents[2] / ".editors/aimock/node_modules/@copilotkit/aimock/dist/cli.js"
SAID = "one two three — ünïcode 🎉"
CITIES = [{"city": "Paris"}, {"city": "Rome"}]
FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "weather", "hasToolResult": True},
        "response": {"content": "Sunny and rainy."},
    },
    {
        "match": {"userMessage": "weather"},
        "response": {
            "toolCalls": [{"name": "get_weather", "arguments": where} for where in CITIES]
        },
    },
    {"match": {"userMessage": "think"}, "response": {"content": "4", "reasoning": "two and two"}},
    {
        "match": {"userMessage": "limited"},
        "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
    },
    {
        "match": {"userMessage": "cut"},
        "truncateAfterChunks": 4,
        "chunkSize": 5,
        "latency": 10,
        "response": {"content": "a rather long answer of many words, cut in the middle of it"},
    },
    {"match": {"userMessage": "words"}, "response": {"content": SAID}},
]

VERTEX = {"accessToken": "t", "project": "p", "location": "us-central1", "apiVersion": "v1"}
CLAUDE_ON_BEDROCK = "anthropic.claude-sonnet-4-5-20250929-v1:0"
AT_AIMOCK: list[tuple[str, str, str, dict[str, Any]]] = [
    ("openai", "/v1", "gpt-4o", {"api": "chat"}),
    ("openai", "/v1", "gpt-5", {}),
    ("azure", "", "gpt-4o", {"deployment": "d"}),
    ("azure", "", "gpt-5", {"api": "responses"}),
    ("anthropic", "", "claude-sonnet-4-5", {}),
    ("gemini", "", "gemini-2.5-flash", {}),
    ("gemini", "", "gemini-2.5-flash", {"stream": "json"}),
    ("vertex", "", "gemini-2.5-flash", VERTEX),
    ("openrouter", "/api/v1", "openai/gpt-5", {}),
    ("xai", "/v1", "grok-4", {}),
    ("bedrock", "", CLAUDE_ON_BEDROCK, {"region": "us-east-1"}),
    ("ollama", "", "llama3.1", {}),
]


@pytest_asyncio.fixture
async def aimock(port: int, tmp_path: Path) -> AsyncIterator[str]:
    node = shutil.which("node")
    if node is None or not AIMOCK.is_file():
        pytest.skip("aimock not found: run tools/editors/aimock.sh")
    fixtures = tmp_path / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}), "utf-8")
    options = ["-p", str(port), "-f", str(fixtures), "--log-level", "silent"]
    process = await asyncio.create_subprocess_exec(
        node,
        str(AIMOCK),
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await listens(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.wait()


async def test_aimock(aimock: str) -> None:
    """One test, because starting it takes longer than everything that is asked of it."""
    for kind, path, model, more in AT_AIMOCK:
        table = {"kind": kind, "apiKey": "sk-test", "baseUrl": aimock + path, **more}
        where = f"{kind} {model} {more}"
        async with provider("p", attempts=1, **table) as manager:
            for unary in (False, True):
                await _talks(manager, model, where, unary=unary)
            for words, expected in (("limited", RateLimited), ("cut", (Truncated, Disconnected))):
                with pytest.raises(ProviderError) as failed:
                    await asked(manager, [Message("user", [Text(words)])], model)
                assert isinstance(failed.value, expected), (where, failed.value)


async def _talks(manager: ProviderManager, model: str, where: str, *, unary: bool) -> None:
    said = await asked(manager, [Message("user", [Text("words, please")])], model, unary=unary)
    assert (said.response.text, said.response.finish_reason) == (SAID, "stop"), where
    said = await asked(manager, [Message("user", [Text("think")])], model, unary=unary)
    assert said.response.text == "4", where
    if "ollama" not in where:  # where this server has no thoughts
        thought = "".join(part.text for part in said.response.reasoning)
        assert thought == "two and two", where
    messages = [Message("user", [Text("How is the weather?")])]
    said = await asked(manager, messages, model, unary=unary)
    calls = said.response.tool_calls
    assert [json.loads(call.arguments) for call in calls] == CITIES, where
    assert said.response.finish_reason == "toolCalls", where
    assert len({call.id for call in calls}) == 2, where
    messages.append(Message("assistant", [*said.response.reasoning], calls))
    messages += [Message("tool", [Text("ok")], [], call.id) for call in calls]
    said = await asked(manager, messages, model, unary=unary)
    assert said.response.text == "Sunny and rainy.", where


async def asked(
    manager: ProviderManager, messages: list[Message], model: str, *, unary: bool = False
) -> Outcome:
    request = ChatRequest(messages=messages, model=model, tools=[TOOL])
    if unary:
        return await manager.complete(request, Target("p", model))
    run = manager.stream(request, Target("p", model))
    async for _ in run:
        pass
    return run.outcome
