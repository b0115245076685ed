"""Gemini's format on hand-made answers: what is read, however cut, and what is refused."""

import json
from typing import Any

import pytest

from providers.dialects.gemini import Gemini, GeminiProfile
from providers.errors import Malformed, ProviderError
from providers.types import (
    Citation,
    CodeDelta,
    Finish,
    ReasoningDelta,
    ReasoningState,
    StreamStart,
    StreamToken,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    UsageReport,
)
from tests.dialects.feeding import answer_of, tokens_of

SSE = Gemini()
ARRAY = Gemini(GeminiProfile(stream="json"))

Json = dict[str, Any]


def chunk(*parts: Json, finish: str | None = None, **more: Any) -> Json:
    candidate: Json = {"index": 0}
    if parts:
        candidate["content"] = {"role": "model", "parts": list(parts)}
    if finish is not None:
        candidate["finishReason"] = finish
    candidate |= more.pop("candidate", {})
    return {"candidates": [candidate], "modelVersion": "gemini-x", "responseId": "r-1", **more}


def sse(*chunks: Json) -> bytes:
    """The service's framing: CR LF throughout."""
    lines = (f"data: {json.dumps(each, ensure_ascii=False)}\r\n\r\n" for each in chunks)
    return "".join(lines).encode()


def array(*chunks: Json) -> bytes:
    return ("[" + "\n,\r\n".join(json.dumps(each, indent=2) for each in chunks) + "\n]\n").encode()


def events(*chunks: Json) -> tuple[list[StreamToken], ProviderError | None]:
    """Read both framings, at every cut; they must say the same."""
    _, error, tokens = answer_of(SSE, sse(*chunks))
    _, other_error, other = answer_of(ARRAY, array(*chunks))
    assert tokens == other
    assert repr(error) == repr(other_error)
    return tokens, error


USAGE = {"promptTokenCount": 100, "candidatesTokenCount": 20, "totalTokenCount": 128}


def test_text_in_both_framings() -> None:
    tokens, error = events(
        chunk({"text": "Zażółć "}),
        chunk({"text": "👩‍👩‍👧 日本"}),
        chunk({"text": ""}),
        chunk({"text": "語"}, finish="STOP"),
        {"usageMetadata": USAGE | {"thoughtsTokenCount": 8, "cachedContentTokenCount": 40}},
    )
    assert error is None
    usage = Usage(100, 28, cache_read_tokens=40, reasoning_tokens=8, total_tokens=128)
    assert tokens == [
        StreamStart("r-1", "gemini-x"),
        TextDelta("Zażółć "),
        TextDelta("👩‍👩‍👧 日本"),
        TextDelta("語"),
        UsageReport(usage),
        Finish("stop", "STOP"),
    ]


def test_thoughts_and_where_their_signatures_go() -> None:
    tokens, error = events(
        chunk({"text": "Let me ", "thought": True}),
        chunk({"text": "see.", "thought": True, "thoughtSignature": "c2ln"}),
        chunk({"text": "Answer", "thoughtSignature": "dGV4dA=="}),
        chunk({"text": "", "thoughtSignature": "ZW1wdHk="}, finish="STOP"),
    )
    assert error is None
    assert tokens[1:-1] == [
        ReasoningDelta("Let me "),
        ReasoningDelta("see.", "c2ln"),
        TextDelta("Answer"),
        ReasoningDelta("", "dGV4dA=="),
        ReasoningDelta("", "ZW1wdHk="),
    ]


def test_several_calls_in_one_chunk() -> None:
    one = {"functionCall": {"name": "look", "args": {"where": "é", "n": 1, "deep": [{"a": None}]}}}
    answer, error, tokens = answer_of(
        SSE,
        sse(
            chunk({"text": "Ok. "}),
            chunk(one | {"thoughtSignature": "c2ln"}, {"functionCall": {"name": "read"}}),
            chunk({"functionCall": {"id": "srv-1", "name": "read", "args": {}}}, finish="STOP"),
        ),
    )
    assert error is None
    assert answer.tool_calls == [
        ToolCall("look-0", "look", '{"where":"é","n":1,"deep":[{"a":null}]}', "c2ln"),
        ToolCall("read-1", "read", "{}"),
        ToolCall("srv-1", "read", "{}"),
    ]
    assert answer.finish_reason == "toolCalls" and answer.raw_finish_reason == "STOP"
    assert tokens[1] == TextDelta("Ok. ")


def test_arguments_in_pieces() -> None:
    def piece(path: str, more: bool = True, **value: Any) -> Json:
        partial = {"jsonPath": path, **value}
        return chunk({"functionCall": {"partialArgs": [partial], "willContinue": more}})

    start = {"functionCall": {"name": "cook", "willContinue": True}, "thoughtSignature": "c2ln"}
    tokens, error = events(
        chunk(start),
        piece("$.title", stringValue="Las", willContinue=True),
        piece("$.title", stringValue="agna"),
        piece("$.steps[0].what", stringValue="boil"),
        piece("$.steps[1]['what']", stringValue="bake"),
        piece("$.steps[1].minutes", numberValue=12.5),
        piece("$.hot", boolValue=True),
        piece("$.note", nullValue=None),
        chunk({"functionCall": {}}),
        chunk({"functionCall": {"name": "eat", "willContinue": True}}),
        piece("$.fast", boolValue=False),
        chunk(finish="STOP"),
    )
    assert error is None
    cooked = {
        "title": "Lasagna",
        "steps": [{"what": "boil"}, {"what": "bake", "minutes": 12.5}],
        "hot": True,
        "note": None,
    }
    first, whole, second, rest = [t for t in tokens if isinstance(t, ToolCallDelta)]
    assert (first.id, first.name, first.opaque) == ("cook-0", "cook", "c2ln")
    assert (whole.index, json.loads(whole.arguments or "")) == (0, cooked)
    assert (second.index, second.name) == (1, "eat")
    assert (rest.index, rest.arguments) == (1, '{"fast":false}')


def test_pieces_that_cannot_be_placed_do_no_harm() -> None:
    odd = ["$.a[99999999]", "$", "", "nonsense", "$.s.x.y"]
    pieces = [{"jsonPath": path, "stringValue": "x"} for path in odd]
    call = {"name": "f", "partialArgs": [{"jsonPath": "$.s", "stringValue": "t"}, {}, *pieces]}
    tokens, error = events(chunk({"functionCall": call}, finish="STOP"))
    assert error is None
    (told,) = [t.arguments for t in tokens if isinstance(t, ToolCallDelta) and t.arguments]
    assert json.loads(told)["s"] == "t"


def test_executed_code() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "print(1)"}}
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}}
    tokens, error = events(
        chunk({"text": "Run: "}, code),
        chunk({"text": ""}),
        chunk(result, {"text": "done"}),
        chunk(code, finish="STOP"),
    )
    assert error is None
    assert tokens[1:-1] == [
        TextDelta("Run: "),
        CodeDelta("python", "print(1)", "1\n"),
        TextDelta("done"),
        CodeDelta("python", "print(1)"),
    ]


def test_grounding_and_citations_come_once_each() -> None:
    chunks = [
        {"web": {"uri": "https://a.example", "title": "A"}},
        {"web": {"uri": "https://b.example"}},
        {"web": {"title": "no uri"}},
        {"retrievedContext": {"uri": "a name in a store"}},
        {"maps": {"uri": "https://maps.example", "title": "M"}},
    ]
    grounded = {"groundingMetadata": {"groundingChunks": chunks}}
    quoted = {"citationMetadata": {"citationSources": [{"uri": "https://q.example"}, {}]}}
    tokens, error = events(
        chunk({"text": "x"}, candidate=grounded),
        chunk(finish="STOP", candidate=grounded | quoted),
    )
    assert error is None
    assert [t for t in tokens if isinstance(t, Citation)] == [
        Citation("https://a.example", "A"),
        Citation("https://b.example"),
        Citation("https://maps.example", "M"),
        Citation("https://q.example"),
    ]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "contentFilter"),
        ("RECITATION", "contentFilter"),
        ("PROHIBITED_CONTENT", "contentFilter"),
        ("MALFORMED_FUNCTION_CALL", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_finish_reasons(raw: str, reason: str) -> None:
    tokens, error = events(chunk({"text": "x"}), chunk(finish=raw))
    assert error is None
    assert tokens[-1] == Finish(reason, raw)  # type: ignore[arg-type]
    assert SSE.read_unary(json.dumps(chunk({"text": "x"}, finish=raw)).encode())[-1] == tokens[-1]


def test_a_finish_reason_in_every_chunk_ends_nothing_early() -> None:
    tokens, error = events(chunk({"text": "a"}, finish="STOP"), chunk({"text": "b"}, finish="STOP"))
    assert error is None
    assert tokens[1:] == [TextDelta("a"), TextDelta("b"), Finish("stop", "STOP")]


def test_a_blocked_prompt_is_an_answer() -> None:
    blocked = {
        "promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 5},
    }
    tokens, error = events(blocked)
    assert error is None
    assert tokens[-1] == Finish("contentFilter", "SAFETY")
    assert tokens[-2] == UsageReport(Usage(5, total_tokens=5))
    assert SSE.read_unary(json.dumps(blocked).encode())[-1] == tokens[-1]
    # Feedback without a block is only ratings.
    tokens, error = events({"promptFeedback": {"safetyRatings": []}}, chunk(finish="STOP"))
    assert error is None and tokens[-1] == Finish("stop", "STOP")


def test_other_candidates_are_not_mixed_in() -> None:
    two = chunk({"text": "zero"}, finish="STOP")
    two["candidates"].append({"index": 1, "content": {"parts": [{"text": "one"}]}})
    tokens, _ = events(two)
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["zero"]


def test_usage_each_a_whole_the_last_one_counts() -> None:
    more = {"promptTokenCount": 9, "toolUsePromptTokenCount": 70, "thoughtsTokenCount": 5}
    tokens, _ = events(
        chunk({"text": "a"}, usageMetadata={"trafficType": "ON_DEMAND"}),
        chunk({"text": "b"}, usageMetadata=USAGE),
        chunk({"text": "c"}, usageMetadata=USAGE),
        chunk(finish="STOP", usageMetadata=more),
        {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    )
    reports = [t.usage for t in tokens if isinstance(t, UsageReport)]
    assert reports == [Usage(100, 20, total_tokens=128), Usage(79, 5, 0, 0, 5, 84)]


@pytest.mark.parametrize("keep", [0, 1])
def test_without_a_finish_reason_it_was_cut(keep: int) -> None:
    chunks = [chunk({"text": "par"})][:keep]
    _, error = events(*chunks)
    assert error is not None and error.kind == "truncatedStream"


def test_a_cut_inside_the_last_chunk() -> None:
    whole = sse(chunk({"text": "a"}), chunk({"text": "b"}, finish="STOP"))
    for dialect, body in ((SSE, whole[:-20]), (ARRAY, array(chunk({"text": "a"}))[:-12])):
        answer, error, _ = answer_of(dialect, body)
        assert error is not None and error.kind == "truncatedStream"
        assert answer.text in ("a", "")


FAILURE = {
    "error": {
        "code": 503,
        "message": "The model is overloaded. Please try again later.",
        "status": "UNAVAILABLE",
    }
}


def test_an_error_inside_the_stream_keeps_its_kind() -> None:
    tokens, error = events(chunk({"text": "par"}), FAILURE)
    assert [t.text for t in tokens if isinstance(t, TextDelta)] == ["par"]
    assert error is not None and (error.kind, error.status) == ("overloaded", 503)
    assert "overloaded" in str(error) and error.retryable
    # An array's place may be taken by the bare object, with or without `data:`.
    for body in (json.dumps(FAILURE).encode(), sse(FAILURE)):
        _, error, _ = answer_of(ARRAY, body)
        assert error is not None and error.kind == "overloaded"
    limited = {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}
    _, error = events(limited)
    assert error is not None and error.kind == "rateLimit"


@pytest.mark.parametrize("indent", [None, 2])
def test_an_error_outside_of_any_event(indent: int | None) -> None:
    bare = json.dumps(FAILURE, indent=indent).encode()
    for ending in (b"", b"\n", b"\r\n\r\n"):
        answer, error, _ = answer_of(SSE, sse(chunk({"text": "par"})) + bare + ending)
        assert answer.text == "par"
        assert error is not None and (error.kind, error.status) == ("overloaded", 503)
    # Cut as well, it is an answer cut short; after the end, it changes nothing.
    _, error, _ = answer_of(SSE, sse(chunk({"text": "par"})) + bare[:-9])
    assert error is not None and error.kind == "truncatedStream"
    _, error, _ = answer_of(SSE, sse(chunk({"text": "par"}, finish="STOP")) + bare)
    assert error is None
    # One that events follow was none.
    _, error, _ = answer_of(SSE, bare + b"\n\n" + sse(chunk({"text": "par"})))
    assert error is not None and error.kind == "truncatedStream"


def test_what_is_not_the_format() -> None:
    for body in (b"data: {nope\r\n\r\n", b"data: [1]\r\n\r\n", b'data: {"candidates": 3}\r\n\r\n'):
        _, error = tokens_of(SSE, [body])
        assert error is not None and error.kind == "malformedStream"
    for body in (b"<html>", b"[1]", b'[{"candidates": 3}]'):
        _, error = tokens_of(ARRAY, [body])
        assert error is not None and error.kind == "malformedStream"
    for body in (b"{}", b"<html>", b"", b'{"candidates": {}}'):
        with pytest.raises(Malformed):
            SSE.read_unary(body)


def test_a_character_cut_in_two_deltas_is_joined() -> None:
    body = b'data: {"candidates":[{"content":{"parts":[{"text":"a\\ud83d"}]}}]}\r\n\r\n'
    body += b'data: {"candidates":[{"content":{"parts":[{"text":"\\ude00b"}]},'
    body += b'"finishReason":"STOP"}]}\r\n\r\n'
    answer, error, _ = answer_of(SSE, body)
    assert error is None and answer.text == "a😀b"


def test_a_whole_answer() -> None:
    parts = [{"text": "hm", "thought": True}, {"text": "A"}, {"functionCall": {"name": "f"}}]
    body = json.dumps(chunk(*parts, finish="STOP", usageMetadata=USAGE), indent=2).encode()
    assert SSE.read_unary(body) == [
        StreamStart("r-1", "gemini-x"),
        UsageReport(Usage(100, 20, total_tokens=128)),
        ReasoningDelta("hm"),
        TextDelta("A"),
        ToolCallDelta(0, "f-0", "f", "{}"),
        Finish("toolCalls", "STOP"),
    ]
    with pytest.raises(ProviderError) as refused:
        SSE.read_unary(json.dumps(FAILURE).encode())
    assert refused.value.kind == "overloaded"
    # Some whole answers have no reason, and are whole all the same.
    assert SSE.read_unary(json.dumps(chunk({"text": "A"})).encode())[-1] == Finish("other")


INVALID_KEY = "API key not valid. Please pass a valid API key."
DAILY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel"


@pytest.mark.parametrize(
    ("status", "error", "kind", "wait"),
    [
        (400, {"message": INVALID_KEY, "status": "INVALID_ARGUMENT"}, "authentication", None),
        (
            400,
            {"message": "Please use a valid role", "status": "INVALID_ARGUMENT"},
            "invalidRequest",
            None,
        ),
        (
            400,
            {"message": "The input token count (11) exceeds the maximum number of tokens (10)."},
            "contextLength",
            None,
        ),
        (401, {"message": "no credentials", "status": "UNAUTHENTICATED"}, "authentication", None),
        (403, {"message": "API disabled", "status": "PERMISSION_DENIED"}, "permission", None),
        (
            404,
            {"message": "models/nope is not found for API version v1beta", "status": "NOT_FOUND"},
            "modelNotFound",
            None,
        ),
        (
            429,
            {
                "message": "You exceeded your current quota, please check your plan and billing.",
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {"@type": "q", "violations": [{"quotaId": MINUTE}]},
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"},
                ],
            },
            "rateLimit",
            34.4,
        ),
        (
            429,
            {
                "message": "You exceeded your current quota",
                "status": "RESOURCE_EXHAUSTED",
                "details": [{"@type": "q", "violations": [{"quotaId": DAILY}]}],
            },
            "quota",
            None,
        ),
        (500, {"message": "An internal error", "status": "INTERNAL"}, "server", None),
        (503, {"message": "overloaded", "status": "UNAVAILABLE"}, "overloaded", None),
    ],
)
@pytest.mark.parametrize("in_array", [False, True])
def test_error_answers(
    status: int, error: Json, kind: str, wait: float | None, in_array: bool
) -> None:
    body = {"error": {"code": status, **error}}
    text = json.dumps([body] if in_array else body).encode()
    found = SSE.read_error(status, {}, text)
    assert (found.kind, found.status, found.retry_after) == (kind, status, wait)
    assert error["message"] in str(found)


def test_reasoning_states_of_an_answer() -> None:
    """A signature that came apart from the thoughts completes the block of thoughts before it."""
    answer, _, _ = answer_of(
        SSE,
        sse(
            chunk({"text": "hm", "thought": True}),
            chunk({"text": "A", "thoughtSignature": "c2ln"}, finish="STOP"),
        ),
    )
    assert answer.reasoning == [ReasoningState("hm", "c2ln")]
    assert answer.text == "A"
