"""The embedded model as a provider: real tokens from the real child, over our own transport."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from providers.auth.redact import Redactor
from providers.catalog import Catalog
from providers.errors import (
    ConnectFailed,
    ContextLength,
    ModelNotFound,
    NotConfigured,
    Unsupported,
)
from providers.settings import HttpSettings, ProviderSettings, TimeoutSettings
from providers.types import (
    ChatRequest,
    Finish,
    Image,
    Message,
    StreamStart,
    Text,
    TextDelta,
    ToolDefinition,
    UsageReport,
)
from providers.vendors.context import ProviderContext
from providers.vendors.local import LocalProvider
from providers.vendors.local_weights import MODEL_ID, Weights

QUESTION = [Message("user", [Text("Count from one to five, in words.")])]


def context(told: list[tuple[str, str]] | None = None) -> ProviderContext:
    return ProviderContext(
        environ={},
        catalog=Catalog({}),
        http=HttpSettings(),
        timeouts=TimeoutSettings(),
        redactor=Redactor(),
        on_status=lambda name, text: told.append((name, text)) if told is not None else None,
    )


@pytest_asyncio.fixture
async def local(weights: Weights) -> AsyncIterator[LocalProvider]:
    shared = context()
    provider = LocalProvider("local", ProviderSettings(), shared)
    yield provider
    await provider.aclose()
    await shared.aclose()


def ask(**more: object) -> ChatRequest:
    return ChatRequest(messages=QUESTION, max_tokens=24, temperature=0.0, **more)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_a_stream_and_a_whole_answer_say_the_same(local: LocalProvider) -> None:
    tokens = [token async for batch in local.chat_stream(ask()) for token in batch]
    assert isinstance(tokens[0], StreamStart)
    assert tokens[0].model == MODEL_ID
    pieces = [token.text for token in tokens if isinstance(token, TextDelta)]
    assert len(pieces) > 5
    assert isinstance(tokens[-1], Finish)
    (report,) = [token for token in tokens if isinstance(token, UsageReport)]
    whole = await local.chat(ask())
    assert whole.text == "".join(pieces) != ""
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (
        report.usage.input_tokens,
        report.usage.output_tokens,
    )


@pytest.mark.asyncio
async def test_many_requests_in_a_row_all_succeed(local: LocalProvider) -> None:
    """Each on a connection of its own: reused ones fail after a streamed answer."""
    request = ChatRequest(messages=QUESTION, max_tokens=1)
    for _ in range(15):
        async for _tokens in local.chat_stream(request):
            pass
        await local.chat(request)
    assert local.context.client.connections(local.base_url) == (30, 0)


@pytest.mark.asyncio
async def test_closing_a_stream_stops_the_model(local: LocalProvider) -> None:
    long = ChatRequest(messages=QUESTION, max_tokens=1000)
    stream = local.chat_stream(long)
    await anext(stream)
    await stream.aclose()
    # Were the abandoned answers still being written, the two slots would be busy for many seconds.
    stream = local.chat_stream(long)
    await anext(stream)
    await stream.aclose()
    async with asyncio.timeout(5):
        await local.chat(ask())


@pytest.mark.asyncio
async def test_tokens_are_counted_by_the_models_own_tokenizer(local: LocalProvider) -> None:
    counted = await local.count_tokens(QUESTION, "")
    answer = await local.chat(ask())
    assert counted.method == "tokenizer"
    assert answer.usage is not None
    assert counted.tokens == answer.usage.input_tokens


@pytest.mark.asyncio
async def test_a_prompt_larger_than_the_window_is_told_apart(local: LocalProvider) -> None:
    messages = [Message("user", [Text("word " * 20000)])]
    with pytest.raises(ContextLength):
        await local.chat(ChatRequest(messages=messages, max_tokens=1))


@pytest.mark.asyncio
async def test_another_model_is_not_silently_replaced(local: LocalProvider) -> None:
    with pytest.raises(ModelNotFound, match="gpt-5"):
        await local.chat(ask(model="gpt-5"))


@pytest.mark.asyncio
async def test_the_model_is_listed_without_starting_it_and_live(local: LocalProvider) -> None:
    assert [(m.id, m.context_window, m.source) for m in await local.list_models()] == [
        (MODEL_ID, 8192, "catalog")
    ]
    assert local.server is not None
    assert not local.server.state().running
    assert [m.source for m in await local.list_models(refresh=True)] == ["live"]
    assert local.server.state().running


@pytest.mark.asyncio
async def test_loading_is_told_under_the_providers_name(weights: Weights) -> None:
    told: list[tuple[str, str]] = []
    shared = context(told)
    provider = LocalProvider("tiny", ProviderSettings(kind="local"), shared)
    assert (await provider.health_check()).status == "healthy"
    assert told == [("tiny", "Loading SmolLM2-135M …"), ("tiny", "")]
    await provider.aclose()
    await shared.aclose()


@pytest.mark.asyncio
async def test_another_file_is_called_by_its_name(weights: Weights) -> None:
    shared = context()
    settings = ProviderSettings(model_path=str(weights.path))
    provider = LocalProvider("local", settings, shared)
    assert (await provider.chat(ask(model=weights.path.stem))).model == weights.path.stem
    await provider.aclose()
    await shared.aclose()


@pytest.mark.asyncio
async def test_what_is_missing_is_a_refusal_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    shared = context()
    provider = LocalProvider("local", ProviderSettings(), shared)
    with pytest.raises(NotConfigured, match="xllamacpp"):
        await provider.chat(ask())
    health = await provider.health_check()
    assert health.status == "unhealthy"
    assert isinstance(health.error, NotConfigured)
    await provider.aclose()


@pytest.mark.asyncio
async def test_a_base_url_stands_in_for_the_child() -> None:
    shared = context()
    settings = ProviderSettings(base_url="http://127.0.0.1:9/v1")
    provider = LocalProvider("local", settings, shared)
    assert provider.server is None
    with pytest.raises(ConnectFailed):
        await provider.chat(ask())
    await provider.aclose()
    await shared.aclose()


def test_tools_and_images_are_refused_for_the_embedded_model_only() -> None:
    tools = ask(tools=[ToolDefinition("f", {"type": "object"})])
    image = ChatRequest(messages=[Message("user", [Image("image/png", "aGk=")])])
    own = LocalProvider("local", ProviderSettings(), context())
    with pytest.raises(Unsupported, match=r"^tools: "):
        own.dialect_for(tools)
    with pytest.raises(Unsupported, match=r"^messages: .* no images"):
        own.dialect_for(image).body(image, stream=True)
    for settings in (
        ProviderSettings(model_path="/models/other.gguf"),
        ProviderSettings(base_url="http://127.0.0.1:1/v1"),
    ):
        other = LocalProvider("local", settings, context())
        assert "tools" in other.dialect_for(tools).body(tools, stream=True)
        assert other.dialect_for(image).body(image, stream=True)["messages"]
        assert "repeat_penalty" not in other.dialect_for(image).body(image, stream=True)


@pytest.mark.asyncio
async def test_a_loop_is_held_down_unless_the_request_says_otherwise(
    local: LocalProvider,
) -> None:
    async def loops(**more: object) -> int:
        """Return how often the answer says its commonest eight words."""
        request = ChatRequest(
            messages=[Message("user", [Text("Read the file a.txt")])],
            max_tokens=120,
            temperature=0.0,
            **more,  # type: ignore[arg-type]
        )
        words = (await local.chat(request)).text.split()
        runs = Counter(tuple(words[at : at + 8]) for at in range(len(words) - 7))
        return runs.most_common(1)[0][1]

    off = {"repeat_penalty": 1.0, "dry_multiplier": 0.0}
    assert await loops(provider_options=off) > 1
    assert await loops() == 1
