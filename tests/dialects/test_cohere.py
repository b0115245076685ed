"""Cohere's format: bodies by hand, answers by hand and at every cut."""

import json
from typing import Any

import pytest

from providers.dialects.cohere import EMPTY_RESULT, IMAGE_OF_A_RESULT, Cohere, CohereProfile
from providers.dialects.cohere_reader import PLAN, THINKING
from providers.errors import Malformed, ProviderError, Unsupported
from providers.types import (
    ChatRequest,
    Citation,
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
    ToolCallDelta,
    ToolDefinition,
    Usage,
    UsageReport,
)
from tests.dialects.feeding import answer_of, tokens_of

COHERE = Cohere()
Json = dict[str, Any]
LOOK = ToolDefinition("look", {"type": "object"}, "Looks")
BARE = ToolDefinition("bare", {})


def events(*values: Json, done: bool = True) -> bytes:
    told = [
        f"event: {value['type']}\ndata: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
        for value in values
    ]
    return b"".join(told) + (b"data: [DONE]\n\n" if done else b"")


def event(kind: str, index: int = 0, **message: Any) -> Json:
    return {"type": kind, "index": index, "delta": {"message": message}}


def start(answer_id: str = "a-1") -> Json:
    empty = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    return {"type": "message-start", "id": answer_id, "delta": {"message": empty}}


def say(text: str) -> Json:
    return event("content-delta", content={"text": text})


def end(reason: str | None = "COMPLETE", **delta: Any) -> Json:
    return {"type": "message-end", "delta": {"finish_reason": reason, **delta}}


USED = {
    "billed_units": {"input_tokens": 2, "output_tokens": 1},
    "tokens": {"input_tokens": 11, "output_tokens": 5, "reasoning_tokens": 3},
    "cached_tokens": 7,
}
USAGE = Usage(11, 5, cache_read_tokens=7, reasoning_tokens=3, total_tokens=16)


def body(*messages: Message, stream: bool = True, **options: Any) -> Json:
    options = {"model": "m"} | options
    request = ChatRequest(messages=list(messages) or [Message("user", [Text("x")])], **options)
    return COHERE.body(request, stream=stream)


# --- Bodies -----------------------------------------------------------------------------


def test_a_chat() -> None:
    request = CompletionRequest(prompt="Hi", model="m", system="S")
    assert COHERE.path(request, stream=True) == "/v2/chat"
    assert COHERE.body(request, stream=False) == {
        "model": "m",
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "Hi"}],
        "stream": False,
    }
    assert body()["stream"] is True


def test_sampling() -> None:
    made = body(max_tokens=9, temperature=0.0, top_p=0.5, stop=["\n"], seed=3)
    del made["messages"]
    assert made == {
        "model": "m",
        "stream": True,
        "max_tokens": 9,
        "temperature": 0.0,
        "p": 0.5,
        "stop_sequences": ["\n"],
        "seed": 3,
    }
    assert body(top_p=1.0)["p"] == 0.99
    assert "stop_sequences" not in body(stop=[])


def test_no_filling_in() -> None:
    with pytest.raises(Unsupported, match=r"^suffix: "):
        COHERE.body(CompletionRequest(prompt="a", suffix="", model="m"), stream=True)


def test_formats() -> None:
    assert body(response_format="json")["response_format"] == {"type": "json_object"}
    schema = {"type": "object", "required": ["a"]}
    made = body(response_format=JsonSchema("n", schema))["response_format"]
    assert made == {"type": "json_object", "json_schema": schema}
    assert "response_format" not in body(response_format="text", tools=[LOOK])
    with pytest.raises(Unsupported, match=r"^responseFormat: "):
        body(response_format="json", tools=[LOOK])


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (None, None),
        (Reasoning(), None),
        (Reasoning("none"), {"type": "disabled"}),
        (Reasoning("none", 500), {"type": "disabled"}),
        (Reasoning(None, 0), {"type": "disabled"}),
        (Reasoning("low"), {"type": "enabled"}),
        (Reasoning("high", 500), {"type": "enabled", "token_budget": 500}),
        (Reasoning(None, 500), {"type": "enabled", "token_budget": 500}),
    ],
)
def test_thinking(reasoning: Reasoning | None, thinking: object) -> None:
    assert body(reasoning=reasoning).get("thinking") == thinking
    request = ChatRequest(messages=[], model="m", reasoning=reasoning)
    assert "thinking" not in Cohere(CohereProfile(reasons=False)).body(request, stream=True)


@pytest.mark.parametrize(
    ("choice", "sent", "tools"),
    [
        (None, None, ["look", "bare"]),
        ("auto", None, ["look", "bare"]),
        ("none", "NONE", ["look", "bare"]),
        ("required", "REQUIRED", ["look", "bare"]),
        (NamedTool("bare"), "REQUIRED", ["bare"]),
    ],
)
def test_tool_choice(choice: Any, sent: str | None, tools: list[str]) -> None:
    made = body(tools=[LOOK, BARE], tool_choice=choice)
    assert made.get("tool_choice") == sent
    assert [tool["function"]["name"] for tool in made["tools"]] == tools
    if not isinstance(choice, NamedTool):
        assert not {"tools", "tool_choice"} & set(body(tool_choice=choice))


def test_a_tool_that_is_not_there_cannot_be_chosen() -> None:
    with pytest.raises(Unsupported, match=r"^toolChoice: .*`other`"):
        body(tools=[LOOK], tool_choice=NamedTool("other"))


def test_tools_and_their_history() -> None:
    made = body(
        Message("user", [Text("a"), Text("b")]),
        Message(
            "assistant",
            [
                ReasoningState("hm", THINKING),
                ReasoningState("will look", PLAN),
                ReasoningState("another's", "c2ln"),
                ReasoningState("nobody's"),
                ExecutedCode("python", "1"),
                Text("Ok"),
            ],
            [ToolCall("c1", "look", '{"at": "é"}'), ToolCall("c2", "bare", "null")],
        ),
        Message("tool", [Text("18C"), Image("image/png", "AA")], tool_call_id="c1"),
        Message("tool", [], tool_call_id="c2"),
        Message("assistant", [ReasoningState("hm", THINKING)]),
        Message("assistant", [ReasoningState("a plan for nothing", PLAN), Text("Done")]),
        Message("assistant", [Text("")]),
        tools=[LOOK, BARE],
    )
    assert made["messages"] == [
        {"role": "user", "content": "a\nb"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Ok"}],
            "tool_plan": "will look",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "look", "arguments": '{"at": "é"}'},
                },
                {"id": "c2", "type": "function", "function": {"name": "bare", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": f"18C\n{IMAGE_OF_A_RESULT}"},
        {"role": "tool", "tool_call_id": "c2", "content": EMPTY_RESULT},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]},
        {"role": "assistant", "content": "Done"},
    ]
    look = {"name": "look", "parameters": {"type": "object"}, "description": "Looks"}
    assert made["tools"] == [
        {"type": "function", "function": look},
        {"type": "function", "function": {"name": "bare", "parameters": {}}},
    ]


def test_thoughts_are_for_models_that_have_them() -> None:
    thought = Message("assistant", [ReasoningState("hm", THINKING), Text("Ok")])
    request = ChatRequest(messages=[thought], model="m")
    made = Cohere(CohereProfile(reasons=False)).body(request, stream=True)
    assert made["messages"] == [{"role": "assistant", "content": "Ok"}]


def test_images() -> None:
    pictures = [Image("image/png", "AAAA"), Image(url="https://x.example/y.png")]
    (made,) = body(Message("user", [Text("see"), *pictures]))["messages"]
    assert made["content"] == [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/y.png"}},
    ]


# --- Answers ----------------------------------------------------------------------------


def test_a_stream() -> None:
    _, error, tokens = answer_of(
        COHERE,
        events(
            start(),
            event("content-start", content={"type": "text", "text": ""}),
            say("Zażółć 👩‍👩‍👧"),
            say(""),
            say("!"),
            {"type": "content-end", "index": 0},
            {"type": "debug", "prompt": "whatever"},
            end("MAX_TOKENS", usage=USED),
        ),
    )
    assert error is None
    assert tokens == [
        StreamStart("a-1", ""),
        TextDelta("Zażółć 👩‍👩‍👧"),
        TextDelta("!"),
        UsageReport(USAGE),
        Finish("length", "MAX_TOKENS"),
    ]


def test_reasoning_is_marked_with_what_it_was() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}
    answer, error, tokens = answer_of(
        COHERE,
        events(
            start(),
            event("content-start", content={"type": "thinking", "thinking": ""}),
            event("content-delta", content={"thinking": "H"}),
            event("content-delta", content={"thinking": "m"}),
            event("tool-plan-delta", tool_plan="I will "),
            event("tool-plan-delta", tool_plan="look."),
            event("tool-call-start", tool_calls=call),
            end("TOOL_CALL"),
        ),
    )
    assert error is None
    assert tokens == [
        StreamStart("a-1", ""),
        ReasoningDelta("H"),
        ReasoningDelta("m"),
        ReasoningDelta("", THINKING),
        ReasoningDelta("I will "),
        ReasoningDelta("look."),
        ReasoningDelta("", PLAN),
        ToolCallDelta(0, "c1", "look"),
        Finish("toolCalls", "TOOL_CALL"),
    ]
    assert answer.reasoning == [
        ReasoningState("Hm", THINKING),
        ReasoningState("I will look.", PLAN),
    ]
    # It goes back as it came.
    (again,) = body(Message("assistant", [*answer.reasoning], answer.tool_calls))["messages"]
    assert again["content"] == [{"type": "thinking", "thinking": "Hm"}]
    assert again["tool_plan"] == "I will look."


def test_fragments_belong_to_their_call() -> None:
    def begin(at: int, call_id: str, name: str) -> Json:
        made = {"id": call_id, "function": {"name": name, "arguments": ""}}
        return event("tool-call-start", at, tool_calls=made)

    def more(at: int, arguments: str) -> Json:
        return event("tool-call-delta", at, tool_calls={"function": {"arguments": arguments}})

    answer, error, _ = answer_of(
        COHERE,
        events(
            start(),
            begin(0, "c1", "look"),
            begin(1, "c2", "read"),
            more(0, '{"at": '),
            more(1, '{"b":1}'),
            more(0, '"é"}'),
            {"type": "tool-call-end", "index": 0},
            end("COMPLETE"),
        ),
    )
    assert error is None
    assert answer.tool_calls == [
        ToolCall("c1", "look", '{"at": "é"}'),
        ToolCall("c2", "read", '{"b":1}'),
    ]
    assert answer.finish_reason == "toolCalls"


def cited(*sources: Json) -> Json:
    citation = {"start": 0, "end": 1, "text": "x", "sources": list(sources)}
    return event("citation-start", citations=citation)


def test_citations_with_an_address_are_told_once() -> None:
    page = {"url": "https://a.example", "title": "A"}
    _, error, tokens = answer_of(
        COHERE,
        events(
            start(),
            say("x"),
            cited(
                {"type": "document", "id": "doc:0", "document": page},
                {"type": "tool", "id": "look_1:0", "tool_output": {"content": "no address"}},
            ),
            {"type": "citation-end", "index": 0},
            cited({"type": "document", "id": "doc:0", "document": page}),
            cited({"type": "tool", "id": "http://b.example", "tool_output": {"title": ""}}),
            end(),
        ),
    )
    assert error is None
    assert tokens[2:-1] == [Citation("https://a.example", "A"), Citation("http://b.example")]


def test_usage_falls_back_to_what_is_billed() -> None:
    billed = {"billed_units": {"input_tokens": 2, "output_tokens": 1}, "tokens": None}
    answer, _, _ = answer_of(COHERE, events(start(), say("x"), end(usage=billed)))
    assert answer.usage == Usage(2, 1, total_tokens=3)
    answer, _, _ = answer_of(COHERE, events(start(), say("x"), end(usage={"tokens": {}})))
    assert answer.usage is None


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "toolCalls"),
        ("SOMETHING_NEW", "other"),
        (None, "other"),
    ],
)
def test_finish_reasons(raw: str | None, reason: str) -> None:
    answer, error, _ = answer_of(COHERE, events(start(), say("x"), end(raw)))
    assert error is None
    assert (answer.finish_reason, answer.raw_finish_reason) == (reason, raw)


WHOLE = {
    "id": "a-1",
    "message": {
        "role": "assistant",
        "content": [{"type": "thinking", "thinking": "Hm"}, {"type": "text", "text": "Hi"}],
        "tool_plan": "So.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        ],
        "citations": [
            {"sources": [{"type": "document", "id": "d", "document": {"url": "https://a.example"}}]}
        ],
    },
    "finish_reason": "TOOL_CALL",
    "usage": USED,
}


def test_a_whole_answer() -> None:
    assert COHERE.read_unary(json.dumps(WHOLE).encode()) == [
        StreamStart("a-1", ""),
        ReasoningDelta("Hm"),
        ReasoningDelta("", THINKING),
        TextDelta("Hi"),
        ReasoningDelta("So."),
        ReasoningDelta("", PLAN),
        ToolCallDelta(0, "c1", "look", "{}"),
        Citation("https://a.example"),
        UsageReport(USAGE),
        Finish("toolCalls", "TOOL_CALL"),
    ]
    for other in (b"{}", b"[]", b"<html>", b'{"message": 3}', b'{"id": "a"}'):
        with pytest.raises(Malformed):
            COHERE.read_unary(other)
    with pytest.raises(ProviderError, match="it broke") as refused:
        COHERE.read_unary(b'{"id": "x", "message": "it broke"}')
    assert refused.value.kind == "server"


def test_half_a_character() -> None:
    halves = [say("a\ud83d"), say("\ude00b"), say("\ud83d")]
    told = b"".join(b"data: " + json.dumps(v).encode() + b"\n\n" for v in [start(), *halves, end()])
    answer, error, _ = answer_of(COHERE, told)
    assert error is None
    assert answer.text == "a😀b\ufffd"
    message = {"content": [{"type": "text", "text": "a\ud83d"}, {"type": "text", "text": "\ude00"}]}
    whole = json.dumps({"id": "a", "message": message, "finish_reason": "COMPLETE"}).encode()
    text = [token.text for token in COHERE.read_unary(whole) if isinstance(token, TextDelta)]
    assert "".join(text) == "a😀"


# --- What goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "kind", "said"),
    [
        (end("ERROR"), "server", "failed"),
        (end("ERROR", error="out of luck"), "server", "out of luck"),
        (end("TIMEOUT"), "timeout", "ran out of time"),
        (end(None, error="too many tokens: size limit exceeded"), "contextLength", "size limit"),
        ({"type": "error", "message": "it broke"}, "server", "it broke"),
    ],
)
def test_an_error_at_the_end(last: Json, kind: str, said: str) -> None:
    answer, error, _ = answer_of(COHERE, events(start(), say("par"), last))
    assert answer.text == "par"
    assert error is not None and error.kind == kind and said in str(error)


def test_what_was_used_is_told_before_an_error() -> None:
    answer, error, _ = answer_of(COHERE, events(start(), say("x"), end("ERROR", usage=USED)))
    assert error is not None
    assert answer.usage == USAGE


def test_a_whole_answer_that_failed() -> None:
    with pytest.raises(ProviderError, match="ran out of time") as failed:
        COHERE.read_unary(json.dumps(WHOLE | {"finish_reason": "TIMEOUT"}).encode())
    assert failed.value.retryable


@pytest.mark.parametrize("size", [0, 40, -40])
def test_a_cut_stream(size: int) -> None:
    _, error, _ = answer_of(COHERE, events(start(), say("par"), end(), done=False)[:size])
    assert error is not None and error.kind == "truncatedStream"


def test_a_sentinel_is_no_end() -> None:
    _, error, _ = answer_of(COHERE, events(start(), say("par")))
    assert error is not None and error.kind == "truncatedStream"


def test_what_is_not_the_format() -> None:
    for bad in (b"{nope", b"[1]", b"{}", b'{"type": 3}', b'{"type":"content-delta","delta":"x"}'):
        _, error = tokens_of(COHERE, [b"data: " + bad + b"\n\n"])
        assert error is not None and error.kind == "malformedStream", bad


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "invalid request: message must be at least 1 token long", "invalidRequest"),
        (
            400,
            "too many tokens: total number of tokens in the prompt cannot exceed 4081",
            "contextLength",
        ),
        (
            400,
            "too many tokens: max tokens must be less than or equal to 4096, the maximum output "
            "for this model - received 8192.",
            "invalidRequest",
        ),
        (401, "invalid api token", "authentication"),
        (402, "Please add or update your payment method to continue", "quota"),
        (404, "model 'nope' not found, make sure the correct model ID was used", "modelNotFound"),
        (404, "model 'old' was removed on September 15, 2025.", "modelNotFound"),
        (
            429,
            "You are using a Trial key, which is limited to 20 API calls / minute.",
            "rateLimit",
        ),
        (429, "You are using a Trial key, which is limited to 1000 API calls / month.", "quota"),
        (499, "request cancelled", "invalidRequest"),
        (500, "internal server error", "server"),
        (503, "no healthy upstream", "overloaded"),
    ],
)
def test_error_answers(status: int, message: str, kind: str) -> None:
    found = COHERE.read_error(status, {}, json.dumps({"id": "x", "message": message}).encode())
    assert (found.kind, found.status) == (kind, status)
    assert message in str(found)
