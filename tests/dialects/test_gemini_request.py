"""Bodies and paths of Gemini's format, written out by hand."""

import base64
from typing import Any

import pytest

from providers.dialects.gemini import Gemini, GeminiProfile
from providers.dialects.gemini_request import UNSIGNED_CALL
from providers.errors import Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ExecutedCode,
    Image,
    JsonSchema,
    Message,
    NamedTool,
    Part,
    Reasoning,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
)

GEMINI = Gemini()
MODEL = "gemini-2.0-flash"


def user(text: str) -> Message:
    return Message("user", [Text(text)])


def tool(call_id: str, *content: Part) -> Message:
    return Message("tool", list(content), tool_call_id=call_id)


def body(*messages: Message, **options: Any) -> dict[str, Any]:
    options = {"model": MODEL} | options
    return GEMINI.body(ChatRequest(messages=list(messages) or [user("x")], **options), stream=True)


def contents(*messages: Message) -> list[Any]:
    return body(*messages)["contents"]


def test_nothing_is_sent_that_was_not_asked_for() -> None:
    assert body(user("Hi")) == {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
    assert "toolConfig" not in body(tool_choice="auto")


def test_options() -> None:
    made = body(
        system="Be brief.",
        max_tokens=50,
        temperature=0.0,
        top_p=0.5,
        stop=["END"],
        seed=7,
        response_format=JsonSchema("answer", {"type": "object"}),
    )
    assert made["systemInstruction"] == {"role": "user", "parts": [{"text": "Be brief."}]}
    assert made["generationConfig"] == {
        "temperature": 0.0,
        "topP": 0.5,
        "maxOutputTokens": 50,
        "stopSequences": ["END"],
        "seed": 7,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    }
    assert body(response_format="json")["generationConfig"] == {
        "responseMimeType": "application/json"
    }


def test_system_messages_become_the_instruction() -> None:
    made = body(
        Message("system", [Text("B")]), user("x"), Message("system", [Text("C")]), system="A"
    )
    assert [part["text"] for part in made["systemInstruction"]["parts"]] == ["A", "B", "C"]
    assert len(made["contents"]) == 1


def test_tools() -> None:
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"]}}}
    tools = [ToolDefinition("f", schema, "Does f"), ToolDefinition("g", {"type": "object"})]
    made = body(tools=tools)
    assert "toolConfig" not in made
    assert made["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "Does f", "parametersJsonSchema": schema},
                {"name": "g", "parametersJsonSchema": {"type": "object"}},
            ]
        }
    ]


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (NamedTool("f"), {"mode": "ANY", "allowedFunctionNames": ["f"]}),
    ],
)
def test_tool_choice(choice: Any, config: dict[str, Any]) -> None:
    made = body(tools=[ToolDefinition("f", {})], tool_choice=choice)
    assert made["toolConfig"] == {"functionCallingConfig": config}


def test_images() -> None:
    (content,) = contents(
        Message(
            "user",
            [
                Image(mime_type="image/png", data="AAAA"),
                Image(url="data:image/jpeg;base64,BBBB"),
                Image(mime_type="image/webp", url="https://x.example/y.webp"),
                Image(url="gs://bucket/z.png"),
            ],
        )
    )
    assert content["parts"] == [
        {"inlineData": {"data": "AAAA", "mimeType": "image/png"}},
        {"inlineData": {"data": "BBBB", "mimeType": "image/jpeg"}},
        {"fileData": {"fileUri": "https://x.example/y.webp", "mimeType": "image/webp"}},
        {"fileData": {"fileUri": "gs://bucket/z.png"}},
    ]


def test_results_of_one_turn_go_together_with_the_text_after_them() -> None:
    calls = [ToolCall("a", "f", '{"x": 1}', "c2ln"), ToolCall("b", "g", "")]
    made = contents(
        user("go"),
        Message("assistant", [Text("Ok")], calls),
        tool("b", Text("one"), Text("two"), Image(mime_type="image/png", data="AAAA")),
        tool("a"),
        user("and?"),
        user("more"),
    )
    assert made[1] == {
        "role": "model",
        "parts": [
            {"text": "Ok"},
            {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
            {"functionCall": {"name": "g", "args": {}}},
        ],
    }

    def response(name: str, text: str) -> dict[str, Any]:
        return {"functionResponse": {"name": name, "response": {"name": name, "content": text}}}

    assert made[2] == {
        "role": "user",
        "parts": [
            response("g", "one\n\ntwo\n\n(See next part for image)"),
            {"inlineData": {"data": "AAAA", "mimeType": "image/png"}},
            response("f", ""),
            {"text": "and?"},
        ],
    }
    assert made[3] == {"role": "user", "parts": [{"text": "more"}]}


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(Unsupported, match="toolCallId"):
        contents(tool("nobody", Text("x")))


def test_arguments_that_are_no_object_are_kept_as_text() -> None:
    made = contents(Message("assistant", [], [ToolCall("a", "f", "{broken")]))
    assert made[0]["parts"][0]["functionCall"]["args"] == {"arguments": "{broken"}


CLAUDE = base64.b64encode(b"\x12\x20\x0a\x0cB\x08thinking...").decode()


@pytest.mark.parametrize(
    ("content", "calls", "parts"),
    [
        # On the text it came with; thoughts themselves stay here.
        (
            [ReasoningState("hm", "c2ln"), Text("A"), Text("B")],
            [],
            [{"text": "A"}, {"text": "B", "thoughtSignature": "c2ln"}],
        ),
        ([ReasoningState("hm"), Text("A")], [], [{"text": "A"}]),
        ([ReasoningState("hm")], [], None),
        # Alone, it goes back alone.
        ([ReasoningState("", "c2ln")], [], [{"text": "", "thoughtSignature": "c2ln"}]),
        (
            [ReasoningState("", "b25l"), ReasoningState("", "dHdv"), Text("A")],
            [],
            [{"text": "A", "thoughtSignature": "dHdv"}, {"text": "", "thoughtSignature": "b25l"}],
        ),
        # A first call needs one; further calls do not.
        ([ReasoningState("", "c2ln"), Text("A")], [None, None], [{"text": "A"}, "c2ln", None]),
        ([Text("A")], [None], [{"text": "A"}, UNSIGNED_CALL]),
        (
            [ReasoningState("", "b25l"), Text("A")],
            ["dHdv", "M3JkCg=="],
            [{"text": "A", "thoughtSignature": "b25l"}, "dHdv", "M3JkCg=="],
        ),
        # State that other formats keep as JSON, or Claude's, is not ours.
        ([ReasoningState("", '{"id":"rs_1"}'), Text("A")], [], [{"text": "A"}]),
        ([ReasoningState("hm", CLAUDE), Text("A")], ['[{"x":1}]'], [{"text": "A"}, UNSIGNED_CALL]),
    ],
)
def test_signatures_go_back(
    content: list[Part], calls: list[str | None], parts: list[Any] | None
) -> None:
    message = Message(
        "assistant", content, [ToolCall(str(n), "f", "{}", sign) for n, sign in enumerate(calls)]
    )
    made = contents(user("q"), message)[1:]
    if parts is None:
        assert made == []
        return
    call: dict[str, Any] = {"functionCall": {"name": "f", "args": {}}}
    assert made[0]["parts"] == [
        part
        if isinstance(part, dict)
        else call | ({"thoughtSignature": part} if part is not None else {})
        for part in parts
    ]


def test_executed_code_goes_back() -> None:
    (_, answer) = contents(
        user("q"), Message("assistant", [ExecutedCode("python", "print(1)", "1\n"), Text("done")])
    )
    assert answer["parts"] == [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
        {"text": "done"},
    ]


@pytest.mark.parametrize(
    ("model", "reasoning", "max_tokens", "config"),
    [
        ("gemini-3-pro-preview", Reasoning(effort="high"), None, {"thinkingLevel": "high"}),
        ("gemini-3-pro-preview", Reasoning(effort="medium"), None, {"thinkingLevel": "low"}),
        ("gemini-3-pro-preview", Reasoning(effort="none"), None, None),
        ("gemini-3-flash-preview", None, None, {"thinkingLevel": "medium"}),
        ("models/gemini-3.1-pro-preview", None, None, {"thinkingLevel": "low"}),
        ("gemini-2.5-pro", None, None, {"thinkingBudget": 128}),
        ("gemini-2.5-pro", Reasoning(budget_tokens=3000), None, {"thinkingBudget": 3000}),
        ("gemini-2.5-pro", Reasoning(effort="none"), None, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", None, None, None),
        ("gemini-2.5-flash", Reasoning(effort="low"), None, {"thinkingBudget": 8192}),
        ("gemini-2.5-flash", Reasoning(budget_tokens=9999), 5000, {"thinkingBudget": 4000}),
        ("gemini-2.5-flash", Reasoning(budget_tokens=1), 500, {"thinkingBudget": 1024}),
        ("gemini-9-ultra", None, None, None),
        ("gemini-9-ultra", Reasoning(effort="low"), None, {"thinkingLevel": "low"}),
        ("gemini-9-ultra", Reasoning(budget_tokens=77), None, {"thinkingBudget": 77}),
        ("gemini-2.0-flash", Reasoning(budget_tokens=77), None, None),
    ],
)
def test_thinking(
    model: str, reasoning: Reasoning | None, max_tokens: int | None, config: dict[str, Any] | None
) -> None:
    made = body(model=model, reasoning=reasoning, max_tokens=max_tokens)
    expected = config and config | {"includeThoughts": True}
    assert made.get("generationConfig", {}).get("thinkingConfig") == expected


def test_a_whole_answer_goes_without_the_default_of_thinking() -> None:
    request = ChatRequest(model="gemini-2.5-pro", messages=[user("x")])
    assert "generationConfig" not in GEMINI.body(request, stream=False)
    request.reasoning = Reasoning(budget_tokens=500)
    asked = GEMINI.body(request, stream=False)["generationConfig"]
    assert asked == {"thinkingConfig": {"thinkingBudget": 500, "includeThoughts": True}}


def test_thinking_turned_off() -> None:
    for asked in (Reasoning(effort="none"), Reasoning(budget_tokens=0)):
        made = body(model="gemini-2.5-flash", reasoning=asked)
        assert made["generationConfig"]["thinkingConfig"] == {"thinkingBudget": 0}


def test_a_bare_prompt() -> None:
    request = CompletionRequest(prompt="Once", model="gemini-2.5-pro", max_tokens=9)
    assert GEMINI.body(request, stream=False) == {
        "contents": [{"role": "user", "parts": [{"text": "Once"}]}],
        "generationConfig": {"maxOutputTokens": 9},
    }
    request.reasoning = Reasoning(budget_tokens=200)
    thinking = GEMINI.body(request, stream=True)["generationConfig"]
    assert thinking["thinkingConfig"]["thinkingBudget"] == 128  # type: ignore[index]
    request.suffix = "end"
    with pytest.raises(Unsupported, match="suffix"):
        GEMINI.body(request, stream=True)


def test_safety_settings() -> None:
    settings = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    dialect = Gemini(GeminiProfile(safety_settings=settings))
    assert dialect.body(CompletionRequest(prompt="x"), stream=True)["safetySettings"] == settings


VERTEX = GeminiProfile(api_version="v1beta1", project="p-1", location="eu-west1")
IN_VERTEX = "/v1beta1/projects/p-1/locations/eu-west1/publishers"


@pytest.mark.parametrize(
    ("profile", "model", "stream", "path"),
    [
        (GeminiProfile(), "m", True, "/v1beta/models/m:streamGenerateContent?alt=sse"),
        (GeminiProfile(stream="json"), "m", True, "/v1beta/models/m:streamGenerateContent"),
        (GeminiProfile(api_version="v1"), "m", False, "/v1/models/m:generateContent"),
        (GeminiProfile(), "tunedModels/t 1", False, "/v1beta/tunedModels/t%201:generateContent"),
        (VERTEX, "m", False, f"{IN_VERTEX}/google/models/m:generateContent"),
        (VERTEX, "m:thinking", False, f"{IN_VERTEX}/google/models/m:generateContent"),
        (VERTEX, "meta/llama", False, f"{IN_VERTEX}/meta/models/llama:generateContent"),
        (VERTEX, "publishers/x/models/y", False, f"{IN_VERTEX}/x/models/y:generateContent"),
        (
            VERTEX,
            "projects/q/locations/l/endpoints/7",
            True,
            "/v1beta1/projects/q/locations/l/endpoints/7:streamGenerateContent?alt=sse",
        ),
    ],
)
def test_paths(profile: GeminiProfile, model: str, stream: bool, path: str) -> None:
    request = CompletionRequest(prompt="x", model=model)
    assert Gemini(profile).path(request, stream=stream) == path
