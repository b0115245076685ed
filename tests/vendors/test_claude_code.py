"""`claude-code`: the program's documented lines, and a process that never outlives its request.

The program is a stand-in (`programs/claude`): no logged-in one was asked.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from providers.dialects.claude_code import ClaudeCodeReader, input_line
from providers.errors import (
    Authentication,
    Malformed,
    ModelUnknown,
    NotConfigured,
    Overloaded,
    ProviderError,
    Quota,
    RateLimited,
    ServerFailed,
    TimedOut,
    Truncated,
    Unsupported,
)
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.stream import StreamProcessor
from providers.types import (
    ChatRequest,
    CompletionRequest,
    Image,
    Message,
    Outcome,
    Reasoning,
    ReasoningDelta,
    StreamToken,
    Text,
    TextDelta,
    ToolCall,
    ToolDefinition,
)
from providers.wire.ndjson import NdjsonDecoder
from tests.vendors.talk import ask

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a POSIX script")

PROGRAMS = Path(__file__).with_name("programs")
# The stand-in asks for `python3`, which need not be in /usr/bin.
WITHOUT_IT = f"{Path(sys.executable).parent}{os.pathsep}/usr/bin:/bin"
Json = dict[str, Any]

USED = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 5,
    "cache_read_input_tokens": 3,
    "output_tokens": 7,
}


def init() -> Json:
    return {
        "type": "system",
        "subtype": "init",
        "session_id": "s-1",
        "model": "claude-sonnet-4-5",
        "tools": [],
        "apiKeySource": "none",
    }


def event(value: Json, **more: Any) -> Json:
    return {
        "type": "stream_event",
        "event": value,
        "session_id": "s-1",
        "parent_tool_use_id": None,
        "uuid": "u",
        **more,
    }


def said(*blocks: Json, id: str = "msg_1", **more: Any) -> Json:
    message = {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": list(blocks),
        "stop_reason": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    message |= more.pop("message", {})
    return {
        "type": "assistant",
        "message": message,
        "parent_tool_use_id": None,
        "session_id": "s-1",
        **more,
    }


def result(**more: Any) -> Json:
    return {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 300,
        "duration_api_ms": 250,
        "num_turns": 1,
        "result": "Hello there",
        "session_id": "s-1",
        "total_cost_usd": 0.0125,
        "usage": USED,
        "modelUsage": {},
        "permission_denials": [],
        **more,
    }


def text_block(text: str) -> Json:
    return {"type": "text", "text": text}


def streamed(*texts: str, thinking: str = "", stop: str = "end_turn") -> list[Json]:
    """The events of one message, and the whole message that repeats them."""
    start = {"id": "msg_1", "model": "claude-sonnet-4-5", "content": [], "usage": {}}
    events: list[Json] = [{"type": "message_start", "message": start}]
    blocks: list[Json] = []
    if thinking:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": "sig"})
        events += [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}},
            delta(0, {"type": "thinking_delta", "thinking": thinking}),
            delta(0, {"type": "signature_delta", "signature": "sig"}),
            {"type": "content_block_stop", "index": 0},
        ]
    at = len(blocks)
    blocks.append(text_block("".join(texts)))
    events.append({"type": "content_block_start", "index": at, "content_block": text_block("")})
    events += [delta(at, {"type": "text_delta", "text": text}) for text in texts]
    events.append({"type": "content_block_stop", "index": at})
    events.append({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {}})
    lines = [event(value) for value in events]
    whole = [said(block) for block in blocks]  # the program tells each block as it is whole
    return [*lines, *whole, event({"type": "message_stop"})]


def delta(index: int, change: Json) -> Json:
    return {"type": "content_block_delta", "index": index, "delta": change}


class Run:
    def __init__(self, folder: Path, manager: ProviderManager) -> None:
        self._folder = folder
        self.manager = manager

    async def stream(
        self, request: ChatRequest | CompletionRequest | str = "hi", **more: Any
    ) -> tuple[Outcome, list[StreamToken]]:
        if isinstance(request, str):
            request = ask(request, **more)
        run = self.manager.stream(request, Target("claude-code", request.model or None))
        tokens: list[Any] = [token async for tokens in run for token in tokens]
        return run.outcome, tokens

    @property
    def seen(self) -> Json:
        return json.loads((self._folder / "seen.json").read_text())

    async def seen_with(self, key: str) -> Json:
        """Return what the program was given once it has told `key`."""
        async with asyncio.timeout(10):
            while not (self._folder / "seen.json").exists() or not self.seen[key]:
                await asyncio.sleep(0.01)
        return self.seen


@asynccontextmanager
async def claude(
    folder: Path, *lines: Json | str, environ: Json | None = None, timeouts: Json | None = None,
    **table: Any,
) -> AsyncIterator[Run]:  # fmt: skip
    """Have the provider, and a program that prints `lines`."""
    script = folder / "script"
    script.write_text("\n".join(x if isinstance(x, str) else json.dumps(x) for x in lines))
    variables = {
        "PATH": f"{PROGRAMS}{os.pathsep}{WITHOUT_IT}",
        "HOME": str(folder),
        "CLAUDE_SCRIPT": str(script),
        "CLAUDE_SEEN": str(folder / "seen.json"),
        **(environ or {}),
    }
    config = {
        "providers": {"claude-code": table},
        "retry": {"attempts": 1},
        "timeouts": timeouts or {},
    }
    manager = ProviderManager(msgspec.convert(config, ProvidersConfig), environ=variables)
    try:
        yield Run(folder, manager)
    finally:
        await manager.aclose()


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))


# --- the format -------------------------------------------------------------------------------


def read(lines: list[Json], cut: int | None = None) -> list[StreamToken]:
    processor = StreamProcessor(NdjsonDecoder(), ClaudeCodeReader())
    data = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    out: list[StreamToken] = []
    for at in range(0, len(data), cut or len(data)):
        out += processor.feed(data[at : at + (cut or len(data))])
    return out + processor.end()


def text(tokens: list[StreamToken]) -> str:
    return "".join(token.text for token in tokens if isinstance(token, TextDelta))


@pytest.mark.parametrize("cut", [None, 1, 7])
def test_what_is_streamed_is_not_told_twice(cut: int | None) -> None:
    lines = [init(), *streamed("Hello", " there", thinking="hm"), result()]
    tokens = read(lines, cut)
    assert text(tokens) == "Hello there"
    reasoning = [token for token in tokens if isinstance(token, ReasoningDelta)]
    assert [(r.text, r.opaque) for r in reasoning] == [("hm", None), ("", "sig")]


def test_what_was_not_streamed_is_told_once() -> None:
    answer = [init(), said(text_block("Hello")), said(text_block(" there")), result()]
    assert text(read(answer)) == "Hello there"
    assert text(read([init(), result()])) == "Hello there"


def test_a_helper_of_the_programs_own_is_not_the_answer() -> None:
    helper = said(text_block("psst"), id="msg_2", parent_tool_use_id="toolu_1")
    deltas = event(delta(0, {"type": "text_delta", "text": "psst"}), parent_tool_use_id="toolu_1")
    lines = [init(), helper, deltas, *streamed("Hello"), result()]
    assert text(read(lines)) == "Hello"


def test_lines_of_kinds_unknown_to_us_are_passed_over() -> None:
    strange = {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}}
    retry = {"type": "system", "subtype": "api_retry", "attempt": 1, "error_status": 529}
    assert text(read([init(), strange, retry, *streamed("Hello"), result()])) == "Hello"


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        (result(is_error=True, api_error_status=404, result="the model: x does not exist"),
         ModelUnknown, "does not exist"),
        (result(is_error=True, api_error_status=529, result="Overloaded"), Overloaded, "Overl"),
        (result(is_error=True, result="Invalid API key · Please run /login"),
         Authentication, "run `claude` in a terminal"),
        (result(subtype="error_during_execution", result=None, errors=["the disk is full"]),
         ServerFailed, "the disk is full"),
    ],
)  # fmt: skip
def test_a_run_that_failed_says_why(line: Json, kind: type[ProviderError], words: str) -> None:
    with pytest.raises(kind, match=words):
        read([init(), line])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("authentication_failed", Authentication),
        ("billing_error", Quota),
        ("rate_limit", RateLimited),
        ("overloaded", Overloaded),
        ("server_error", ServerFailed),
    ],
)
def test_an_errors_text_is_no_content(name: str, kind: type[ProviderError]) -> None:
    """Such a message is written by the program itself; older ones say nothing else."""
    words = text_block("API Error: it went wrong")
    synthetic = said(words, error=name, message={"model": "<synthetic>"})
    for end in (result(is_error=True, result=None), result(result="API Error: it went wrong")):
        with pytest.raises(kind, match="it went wrong"):
            read([init(), synthetic, end])


def test_an_answer_that_reached_its_limit_is_an_answer() -> None:
    synthetic = said(text_block("API Error: too long"), error="max_output_tokens")
    tokens = read([init(), *streamed("Hello"), synthetic, result(is_error=True)])
    assert text(tokens) == "Hello"
    assert tokens[-1] == msgspec.convert(
        {"reason": "length", "raw": "max_output_tokens"}, type(tokens[-1])
    )


def test_a_turn_that_would_go_on_ends_with_its_calls() -> None:
    calls = [
        said({"type": "tool_use", "id": f"t{n}", "name": "Read", "input": {"n": n}}) for n in (0, 1)
    ]
    answer = [init(), *calls, result(subtype="error_max_turns", result=None, is_error=True)]
    tokens = [token for token in read(answer) if type(token).__name__ == "ToolCallDelta"]
    assert {getattr(token, "index", None) for token in tokens} == {0, 1}


def test_without_its_last_line_it_is_cut() -> None:
    with pytest.raises(Truncated):
        read([init(), *streamed("Hello")])
    with pytest.raises(Malformed):
        StreamProcessor(NdjsonDecoder(), ClaudeCodeReader()).feed(b"not json\n")


def test_a_conversation_is_told_as_a_text() -> None:
    request = ask("and now?")
    request.messages = [
        Message("user", [Text("read a.py")]),
        Message("assistant", [Text("I will.")], [ToolCall("c", "read", '{"path":"a.py"}')]),
        Message("tool", [Text("x = 1")], tool_call_id="c"),
        *request.messages,
    ]
    (block,) = json.loads(input_line(request))["message"]["content"]
    parts = ["User:", "read a.py", "Assistant:", "[calls read(", "Tool result:", "x = 1", "and now"]
    places = [block["text"].index(part) for part in parts]
    assert places == sorted(places)


def test_images_go_along() -> None:
    request = ask("what is it?")
    request.messages[0].content.append(Image("image/png", "aGk="))
    request.messages[0].content.append(Image(url="https://example.org/i.png"))
    _, inline, linked = json.loads(input_line(request))["message"]["content"]
    assert inline["source"] == {"type": "base64", "media_type": "image/png", "data": "aGk="}
    assert linked["source"] == {"type": "url", "url": "https://example.org/i.png"}


# --- the process ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_whole_run(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), *streamed("Hello", " there"), result()) as it:
        outcome, _ = await it.stream()
        assert outcome.response.text == "Hello there"
        assert outcome.response.finish_reason == "stop"
        assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (18, 7)
        assert (outcome.usage.cache_read_tokens, outcome.usage.cache_write_tokens) == (3, 5)
        assert outcome.cost is not None
        assert (outcome.cost.usd, outcome.cost.source) == (0.0125, "provider")
        unary = await it.manager.complete(CompletionRequest(prompt="hi"), Target("claude-code"))
        assert unary.response.text == "Hello there"


@pytest.mark.asyncio
async def test_nothing_of_a_prompt_is_in_an_argument(tmp_path: Path) -> None:
    secret = {"ANTHROPIC_API_KEY": "sk-ant-1", "OPENAI_API_KEY": "sk-2", "CLAUDECODE": "1"}
    async with claude(tmp_path, init(), result(), environ=secret, model="opus") as it:
        await it.stream("my secret plan", system="my secret rule", max_tokens=99)
        seen = it.seen
    assert "secret" not in " ".join(seen["argv"])
    assert json.loads(seen["stdin"])["message"]["content"][0]["text"] == "my secret plan"
    assert (seen["system"], seen["mode"]) == ("my secret rule", 0o600)
    assert "--model=opus" in seen["argv"] and "--include-partial-messages" in seen["argv"]
    assert seen["argv"][seen["argv"].index("--tools") + 1] == ""
    assert seen["env"]["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "99"
    assert not {*secret} & {*seen["env"]}
    assert seen["cwd"] != os.getcwd() and Path(seen["cwd"]).is_relative_to(tmp_path)
    (file,) = [a.partition("=")[2] for a in seen["argv"] if a.startswith("--system-prompt-file")]
    assert not Path(file).exists()


@pytest.mark.asyncio
async def test_thinking_is_asked_for_with_what_the_program_has(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), result()) as it:
        await it.stream(reasoning=Reasoning(effort="high"))
        assert "--effort=high" in it.seen["argv"]
        await it.stream(reasoning=Reasoning(budget_tokens=2000))
        assert it.seen["env"]["MAX_THINKING_TOKENS"] == "2000"
        await it.stream(reasoning=Reasoning(effort="none"))
        assert it.seen["env"]["MAX_THINKING_TOKENS"] == "0"


@pytest.mark.asyncio
async def test_what_it_cannot_do_is_refused_by_name(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), result()) as it:
        for field, options in (
            ("tools", {"tools": [ToolDefinition("f", {"type": "object"})]}),
            ("responseFormat", {"response_format": "json"}),
            ("stop", {"stop": ["x"]}),
            ("seed", {"seed": 7}),
            ("providerOptions", {"provider_options": {"claude-code": {"a": 1}}}),
        ):
            with pytest.raises(Unsupported, match=field):
                await it.stream(**options)
        with pytest.raises(Unsupported, match="suffix"):
            await it.stream(CompletionRequest(prompt="a", suffix="b"))
        assert not (tmp_path / "seen.json").exists()


@pytest.mark.asyncio
async def test_without_the_program_it_says_what_to_install(tmp_path: Path) -> None:
    async with claude(tmp_path, environ={"PATH": "/nowhere"}) as it:
        with pytest.raises(NotConfigured, match="npm install -g @anthropic-ai/claude-code"):
            await it.stream()
        (health,) = await it.manager.health("claude-code", live=True)
        assert health.status == "unhealthy"
    async with claude(
        tmp_path, init(), result(), environ={"PATH": WITHOUT_IT}, program=f"{PROGRAMS}/claude"
    ) as it:
        outcome, _ = await it.stream()
        assert outcome.response.text == "Hello there"


@pytest.mark.asyncio
async def test_a_program_that_is_there_may_still_not_be_logged_in(tmp_path: Path) -> None:
    async with claude(tmp_path) as it:
        (health,) = await it.manager.health("claude-code", live=True)
        assert health.status == "unknown"


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        (["err error: unknown option '--tools'", "exit 1"], NotConfigured, "claude update"),
        (["err Invalid API key", "exit 1"], Authentication, "run `claude`"),
        ([init(), "err out of memory", "exit 134"], Truncated, "exit status 134.*out of memory"),
        ([init(), *streamed("Hello"), "exit 0"], Truncated, "without a result"),
        ([init(), 'raw {"type": "resu', "exit 0"], Truncated, "without a result"),
        ([init(), "what is this"], Malformed, "JSON"),
    ],
)  # fmt: skip
async def test_a_program_that_breaks_off(
    tmp_path: Path, lines: list[Json | str], kind: type[ProviderError], words: str
) -> None:
    async with claude(tmp_path, *lines) as it:
        with pytest.raises(kind, match=words):
            await it.stream()


@pytest.mark.asyncio
async def test_what_had_come_is_in_the_error(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), *streamed("Hello")[:-2], "exit 1") as it:
        with pytest.raises(Truncated) as failed:
            await it.stream()
        assert failed.value.partial == "Hello"


@pytest.mark.asyncio
async def test_a_slow_answer_comes_piece_by_piece(tmp_path: Path) -> None:
    pieces = streamed("one", " two")
    at = next(i for i, line in enumerate(pieces) if " two" in json.dumps(line))
    slow = [init(), *pieces[:at], "sleep 0.3", *pieces[at:], result()]
    async with claude(tmp_path, *slow) as it:
        run = it.manager.stream(ask(), Target("claude-code"))
        times = {
            token.text: time.monotonic()
            async for tokens in run
            for token in tokens
            if isinstance(token, TextDelta)
        }
        assert times[" two"] - times["one"] > 0.2


@pytest.mark.asyncio
async def test_a_program_that_says_nothing_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    async with claude(tmp_path, "sleep 60", timeouts={"firstByte": 1.0}) as it:
        with pytest.raises(TimedOut):
            await it.stream()
        assert not alive((await it.seen_with("pid"))["pid"])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.asyncio
async def test_a_cancel_ends_the_program_and_what_it_started(tmp_path: Path) -> None:
    script = [init(), *streamed("Hello")[:-2], "child", "sleep 60"]
    async with claude(tmp_path, *script) as it:
        task = asyncio.create_task(it.stream())
        seen = await it.seen_with("children")
        pids = [seen["pid"], *seen["children"]]
        assert all(alive(pid) for pid in pids)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5):
            while any(alive(pid) for pid in pids):
                await asyncio.sleep(0.01)
        assert it.manager.metrics().providers["claude-code"].cancelled == 1


@pytest.mark.asyncio
async def test_an_answer_leaves_nothing_running(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), *streamed("Hello"), "child", result()) as it:
        await it.stream()
        seen = it.seen
        async with asyncio.timeout(5):
            while any(alive(pid) for pid in (seen["pid"], *seen["children"])):
                await asyncio.sleep(0.01)


@pytest.mark.asyncio
async def test_a_prompt_larger_than_a_pipe(tmp_path: Path) -> None:
    async with claude(tmp_path, init(), *streamed("Hello"), result()) as it:
        await it.stream("x" * 1_000_000)
        assert len(it.seen["stdin"]) > 1_000_000


@pytest.mark.asyncio
async def test_its_models_are_those_of_the_catalog(tmp_path: Path) -> None:
    async with claude(tmp_path) as it:
        models = await it.manager.models("claude-code")
        assert any(model.id.startswith("claude-sonnet-4") for model in models)
        (state,) = [s for s in it.manager.providers() if s.id == "claude-code"]
        assert (state.configured, state.key_source) == (True, "the program's own login")
        assert not state.capabilities.functions
