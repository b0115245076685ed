"""Ollama's format: bodies by hand, answers by hand and at every cut, and the recorded ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from providers.dialects.ollama import EMPTY_SUFFIX, Ollama
from providers.errors import Malformed, ProviderError, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Finish,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Reasoning,
    ReasoningDelta,
    ReasoningState,
    StreamStart,
    Text,
    TextDelta,
    ToolCall,
    ToolDefinition,
    Usage,
    UsageReport,
)
from tests.dialects.feeding import answer_of, tokens_of

OLLAMA = Ollama()
Json = dict[str, Any]


def lines(*values: Json) -> bytes:
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values).encode()


def say(text: str = "", **message: Any) -> Json:
    message = {"role": "assistant", "content": text} | message
    return {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}


DONE = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True}
COUNTS = {"prompt_eval_count": 11, "eval_count": 5, "total_duration": 7}


def body(*messages: Message, stream: bool = True, **options: Any) -> Json:
    options = {"model": "m"} | options
    request = ChatRequest(messages=list(messages) or [Message("user", [Text("x")])], **options)
    return OLLAMA.body(request, stream=stream)


# --- Bodies -----------------------------------------------------------------------------


def test_a_chat() -> None:
    request = ChatRequest(model="m", messages=[Message("user", [Text("Hi")])])
    assert OLLAMA.path(request, stream=True) == "/api/chat"
    assert OLLAMA.body(request, stream=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
    }


def test_options() -> None:
    made = body(system="S", max_tokens=9, temperature=0.0, top_p=0.5, stop=["\n"], seed=3)
    assert made["messages"][0] == {"role": "system", "content": "S"}
    assert made["options"] == {
        "num_predict": 9,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["\n"],
        "seed": 3,
    }
    assert body(response_format="json")["format"] == "json"
    assert body(response_format=JsonSchema("n", {"type": "object"}))["format"] == {"type": "object"}
    assert "format" not in body(response_format="text")


@pytest.mark.parametrize(
    ("model", "reasoning", "think"),
    [
        ("qwen3", Reasoning(effort="none"), False),
        ("qwen3", Reasoning(effort="high"), True),
        ("qwen3", Reasoning(budget_tokens=0), False),
        ("qwen3", Reasoning(budget_tokens=100), True),
        ("gpt-oss:20b", Reasoning(effort="high"), "high"),
        ("gpt-oss:20b", Reasoning(effort="minimal"), "low"),
        ("qwen3", None, None),
        ("qwen3", Reasoning(), None),
    ],
)
def test_thinking(model: str, reasoning: Reasoning | None, think: object) -> None:
    assert body(model=model, reasoning=reasoning).get("think") == think


def test_tools_and_their_history() -> None:
    tool = ToolDefinition("look", {"type": "object"}, "Looks")
    made = body(
        Message("user", [Text("a"), Text("b"), Image(mime_type="image/png", data="AAAA")]),
        Message(
            "assistant",
            [
                ReasoningState("mine"),
                ReasoningState("another's", "c2ln"),
                ExecutedCode("python", "1"),
                Text("Ok"),
            ],
            [ToolCall("c1", "look", '{"at": "é"}')],
        ),
        Message("tool", [Text("18C")], tool_call_id="c1"),
        tools=[tool, ToolDefinition("bare", {})],
        tool_choice="auto",
    )
    assert made["messages"] == [
        {"role": "user", "content": "a\nb", "images": ["AAAA"]},
        {
            "role": "assistant",
            "content": "Ok",
            "thinking": "mine",
            "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": {"at": "é"}}}],
        },
        {"role": "tool", "content": "18C", "tool_call_id": "c1", "tool_name": "look"},
    ]
    look = {"name": "look", "parameters": {"type": "object"}, "description": "Looks"}
    assert made["tools"] == [
        {"type": "function", "function": look},
        {"type": "function", "function": {"name": "bare", "parameters": {}}},
    ]
    assert "tools" not in body(tools=[tool], tool_choice="none")


@pytest.mark.parametrize("choice", ["required", NamedTool("look")])
def test_a_call_cannot_be_forced(choice: Any) -> None:
    with pytest.raises(Unsupported, match="toolChoice"):
        body(tools=[ToolDefinition("look", {})], tool_choice=choice)


def test_an_image_must_come_with_its_data() -> None:
    made = body(Message("user", [Image(url="data:image/png;base64,BBBB")]))
    assert made["messages"][0]["images"] == ["BBBB"]
    with pytest.raises(Unsupported, match="image"):
        body(Message("user", [Image(url="https://x.example/y.png")]))


def test_a_raw_prompt() -> None:
    request = CompletionRequest(prompt="<P>a<S>", raw=True, model="m")
    assert OLLAMA.path(request, stream=True) == "/api/generate"
    wanted = {"model": "m", "prompt": "<P>a<S>", "raw": True, "stream": True}
    assert OLLAMA.body(request, stream=True) == wanted


def test_filling_in_the_middle() -> None:
    request = CompletionRequest(
        prompt="def f(", suffix="return x", model="m", system="S", max_tokens=5
    )
    assert OLLAMA.path(request, stream=True) == "/api/generate"
    assert OLLAMA.body(request, stream=True) == {
        "model": "m",
        "prompt": "def f(",
        "suffix": "return x",
        "system": "S",
        "stream": True,
        "options": {"num_predict": 5},
    }
    request.suffix = ""
    assert OLLAMA.body(request, stream=True)["suffix"] == EMPTY_SUFFIX
    request.tools = [ToolDefinition("f", {})]
    with pytest.raises(Unsupported, match="tools"):
        OLLAMA.body(request, stream=True)
    request.suffix = None
    assert OLLAMA.path(request, stream=True) == "/api/chat"
    assert OLLAMA.body(request, stream=True)["messages"][-1]["content"] == "def f("  # type: ignore[index]


# --- Answers ----------------------------------------------------------------------------


def test_a_stream() -> None:
    _, error, tokens = answer_of(
        OLLAMA,
        lines(
            say(thinking="Hm "),
            say(thinking="日本"),
            say("Zażółć 👩‍👩‍👧"),
            say(),
            say("!"),
            DONE | COUNTS | {"done_reason": "length"},
        ),
    )
    assert error is None
    assert tokens == [
        StreamStart("", "m"),
        ReasoningDelta("Hm "),
        ReasoningDelta("日本"),
        TextDelta("Zażółć 👩‍👩‍👧"),
        TextDelta("!"),
        UsageReport(Usage(11, 5, total_tokens=16)),
        Finish("length", "length"),
    ]


def test_calls_come_whole() -> None:
    calls = [
        {"id": "call_1", "function": {"index": 0, "name": "look", "arguments": {"at": "é"}}},
        {"function": {"name": "read", "arguments": '{"a": 1}'}},
    ]
    answer, error, _ = answer_of(
        OLLAMA,
        lines(
            say(tool_calls=calls),
            say(tool_calls=[{"function": {"name": "read"}}]),
            DONE | {"done_reason": "stop"},
        ),
    )
    assert error is None
    assert answer.tool_calls == [
        ToolCall("call_1", "look", '{"at":"é"}'),
        ToolCall("read-1", "read", '{"a": 1}'),
        ToolCall("read-2", "read", "{}"),
    ]
    assert (answer.finish_reason, answer.usage) == ("toolCalls", None)


def test_generated_code() -> None:
    answer, error, _ = answer_of(
        OLLAMA,
        lines(
            {"model": "m", "response": "a, b", "done": False},
            {"model": "m", "response": "):", "thinking": "", "done": False},
            {"model": "m", "response": "", "done": True, "context": [1], "eval_count": 3},
        ),
    )
    assert error is None
    assert (answer.text, answer.finish_reason) == ("a, b):", "stop")
    assert answer.usage == Usage(0, 3, total_tokens=3)  # the prompt was in the server's cache


def test_a_whole_answer() -> None:
    whole = json.dumps(say("Hi") | {"done": True, "done_reason": "stop"} | COUNTS).encode()
    assert OLLAMA.read_unary(whole) == [
        StreamStart("", "m"),
        TextDelta("Hi"),
        UsageReport(Usage(11, 5, total_tokens=16)),
        Finish("stop", "stop"),
    ]
    loaded = json.dumps(DONE | {"done_reason": "load"}).encode()
    assert OLLAMA.read_unary(loaded)[-1] == Finish("other", "load")
    for other in (b"{}", b"[]", b"<html>", json.dumps(say("Hi")).encode()):
        with pytest.raises(Malformed):
            OLLAMA.read_unary(other)
    with pytest.raises(ProviderError) as refused:
        OLLAMA.read_unary(b'{"error":"model runner has unexpectedly stopped"}')
    assert refused.value.kind == "server" and "unexpectedly stopped" in str(refused.value)


def test_an_error_inside_the_stream() -> None:
    answer, error, _ = answer_of(OLLAMA, lines(say("par"), {"error": "an error was encountered"}))
    assert answer.text == "par"
    assert error is not None and error.kind == "server" and "encountered" in str(error)
    _, error, _ = answer_of(OLLAMA, b'{"error":"model \'nope\' not found"}\n')
    assert error is not None and error.kind == "modelNotFound"


@pytest.mark.parametrize("size", [0, 30, -40, -1])
def test_a_cut_stream(size: int) -> None:
    whole = lines(say("par"), say("tial"), DONE)
    cut = whole[:size]
    _, error, _ = answer_of(OLLAMA, cut)
    if size == -1:  # only the last line's end is missing
        assert error is None
    else:
        assert error is not None and error.kind == "truncatedStream"


def test_what_is_not_the_format() -> None:
    for bad in (b"{nope\n", b"[1]\n", b'{"message": 3}\n', b"<html>\n"):
        _, error = tokens_of(OLLAMA, [bad])
        assert error is not None and error.kind == "malformedStream"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "model 'nope:latest' not found", "modelNotFound"),
        (400, '"llama3" does not support tools', "invalidRequest"),
        (400, '"llama3" does not support insert', "invalidRequest"),
        (500, "llama runner process has terminated", "server"),
        (503, "server busy, please try again. maximum pending requests exceeded", "overloaded"),
        (401, "unauthorized", "authentication"),
    ],
)
def test_error_answers(status: int, message: str, kind: str) -> None:
    found = OLLAMA.read_error(status, {}, json.dumps({"error": message}).encode())
    assert (found.kind, found.status) == (kind, status)
    assert message in str(found)


def test_recorded_answers(shared: Path) -> None:
    """Every recorded answer, however cut, says what its plain decode says."""
    checked = 0
    for line in (shared / "streams/manifest.jsonl").read_bytes().splitlines():
        row = json.loads(line)
        kind = row["wire_format"]
        if "ollama" not in kind:
            continue
        data, want = (shared / "streams" / row["body_file"]).read_bytes(), row["expected"]
        if kind == "errors-ollama":
            error = OLLAMA.read_error(row["status"], {}, data)
            assert want["error"]["message"] in str(error) and error.kind == "modelNotFound"
        else:
            # A whole answer is a stream of one line.
            answer, failed, tokens = answer_of(OLLAMA, data)
            assert failed is None, row["id"]
            assert kind != "ollama-json" or tokens == OLLAMA.read_unary(data)
            assert answer.text == want["text"], row["id"]
            assert "".join(state.text for state in answer.reasoning) == want["reasoning_text"]
            assert [(c.id, c.name, json.loads(c.arguments)) for c in answer.tool_calls] == [
                (c["id"], c["name"], c["arguments_json"]) for c in want["tool_calls"]
            ]
            assert answer.raw_finish_reason == want["finish_reason"]
            assert answer.model == want["model"]
            assert answer.usage is not None
            assert answer.usage.input_tokens == (want["usage"]["prompt_eval_count"] or 0)
            assert answer.usage.output_tokens == want["usage"]["eval_count"]
        checked += 1
    assert checked >= 12
