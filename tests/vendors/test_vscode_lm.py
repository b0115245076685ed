"""`vscode-lm`: the port to an editor's models, as a provider like any other."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from providers.errors import NotConfigured, RateLimited, TimedOut, Unsupported
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Finish,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolDefinition,
    Usage,
    UsageReport,
)
from tests.vendors.talk import ask

pytestmark = pytest.mark.asyncio

STEP = StreamStart("e-1", "gpt-4o")
END: list[StreamToken] = [UsageReport(Usage(3, 2, total_tokens=5)), Finish("stop")]


class Editor:
    """Says what it is told to; a number is a wait in seconds, an exception is raised."""

    def __init__(self, *script: Any) -> None:
        self.script = script
        self.asked: list[ChatRequest] = []
        self.closed = 0

    async def ask(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        self.asked.append(request)
        try:
            for step in self.script:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1


def manager(editor: Editor | None, *, timeouts: Any = None, **table: Any) -> ProviderManager:
    config = {
        "providers": {"vscode-lm": table},
        "retry": {"attempts": 1},
        "timeouts": timeouts or {},
    }
    return ProviderManager(
        msgspec.convert(config, ProvidersConfig), environ={}, editor_models=editor
    )


def target(model: str | None = None) -> Target:
    return Target("vscode-lm", model)


async def test_an_answer_of_the_editors() -> None:
    editor = Editor([STEP, TextDelta("Good ")], [TextDelta("day"), *END])
    it = manager(editor, model="gpt-4o")
    run = it.stream(ask(system="Be brief."), target())
    text = [t.text async for tokens in run for t in tokens if isinstance(t, TextDelta)]
    assert text == ["Good ", "day"]
    assert run.outcome.usage.total_tokens == 5
    (asked,) = editor.asked
    assert (asked.model, asked.system, editor.closed) == ("gpt-4o", "Be brief.", 1)
    whole = await it.complete(CompletionRequest(prompt="hi"), target("o3"))
    assert (whole.response.text, editor.asked[1].model) == ("Good day", "o3")
    await it.aclose()


async def test_where_no_editor_offers_models_nothing_is_asked() -> None:
    it = manager(None)
    with pytest.raises(NotConfigured, match=r"experimental\.aiSidecar\.lm"):
        await it.complete(ask(), target())
    (health,) = await it.health("vscode-lm", live=True)
    assert (health.status, health.error and health.error.kind) == ("unhealthy", "notConfigured")
    await it.aclose()


async def test_what_the_request_has_no_field_for_is_refused_by_name() -> None:
    editor = Editor([STEP, *END])
    it = manager(editor)
    tools = [ToolDefinition("f", {"type": "object"})]
    for field, options in (
        ("toolChoice", {"tools": tools, "tool_choice": "required"}),
        ("responseFormat", {"response_format": "json"}),
        ("stop", {"stop": ["x"]}),
        ("seed", {"seed": 7}),
        ("providerOptions", {"provider_options": {"vscode-lm": {"a": 1}}}),
    ):
        with pytest.raises(Unsupported, match=field):
            await it.complete(ask(**options), target())
    with pytest.raises(Unsupported, match="suffix"):
        await it.complete(CompletionRequest(prompt="a", suffix="b"), target())
    assert editor.asked == []
    await it.complete(ask(tools=tools, temperature=0.1), target())
    await it.aclose()


async def test_an_editor_that_says_nothing_is_not_waited_for_for_ever() -> None:
    for script, limits in (
        ((9.0,), {"firstByte": 0.05}),
        (([STEP], 9.0), {"idle": 0.05}),
    ):
        editor = Editor(*script)
        it = manager(editor, timeouts=limits)
        with pytest.raises(TimedOut):
            await it.complete(ask(), target())
        assert editor.closed == 1
        await it.aclose()


async def test_a_cancel_closes_the_question() -> None:
    editor = Editor([STEP, TextDelta("x")], 9.0)
    it = manager(editor)
    run = it.stream(ask(), target())
    await anext(aiter(run))
    await run.aclose()
    assert editor.closed == 1
    await it.aclose()


async def test_its_errors_keep_their_kind() -> None:
    it = manager(Editor([STEP, TextDelta("a")], RateLimited("slow down")))
    with pytest.raises(RateLimited) as failed:
        await it.complete(ask(), target())
    assert failed.value.provider == "vscode-lm"
    await it.aclose()
