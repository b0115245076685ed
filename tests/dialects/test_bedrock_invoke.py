"""Bedrock's InvokeModel: each family's payload, asked and read; the chunks around it."""

import base64
import json
from typing import Any

import pytest

from providers.accumulate import Accumulator
from providers.dialects.bedrock_invoke import BedrockInvoke, BedrockProfile
from providers.errors import Malformed, Truncated, Unsupported
from providers.types import (
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Finish,
    Image,
    JsonSchema,
    Message,
    ReasoningState,
    Text,
    ToolCall,
    ToolDefinition,
    Usage,
)
from tests.dialects.feeding import answer_of
from tests.dialects.test_bedrock_converse import frame, thrown

Json = dict[str, Any]
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-lite-v1:0"
TITAN = "amazon.titan-text-express-v1"
LLAMA2 = "meta.llama2-13b-chat-v1"
LLAMA3 = "us.meta.llama3-1-8b-instruct-v1:0"
LLAMA4 = "us.meta.llama4-scout-17b-instruct-v1:0"
MISTRAL = "mistral.mistral-7b-instruct-v0:2"
PIXTRAL = "eu.mistral.pixtral-large-2502-v1:0"
COMMAND = "cohere.command-text-v14"
COMMAND_R = "cohere.command-r-plus-v1:0"
JURASSIC = "ai21.j2-mid-v1"
JAMBA = "ai21.jamba-1-5-mini-v1:0"
GPT = "openai.gpt-oss-20b-1:0"
TEXT_MODELS = [TITAN, LLAMA2, LLAMA3, LLAMA4, MISTRAL, COMMAND, COMMAND_R, JURASSIC]

CONVERSATION = [
    Message("user", [Text("a")]),
    Message("user", [Text("b")]),
    Message("assistant", [Text("c"), ReasoningState("hidden", "c2ln")]),
    Message("user", [Text("d")]),
]


def body(model: str, *, stream: bool = False, **given: Any) -> Json:
    given.setdefault("messages", list(CONVERSATION))
    request = ChatRequest(**{"model": model, "cache": False, **given})
    sent = BedrockInvoke(model).body(request, stream=stream)
    return json.loads(json.dumps(sent))


SAMPLING: Json = {"max_tokens": 9, "temperature": 0.5, "top_p": 0.25, "stop": ["X"]}


# --- Requests --------------------------------------------------------------------------------


def test_paths() -> None:
    request = ChatRequest(model=CLAUDE, messages=[])
    path = f"/model/{CLAUDE.replace(':', '%3A')}/"
    dialect = BedrockInvoke(CLAUDE)
    assert dialect.path(request, stream=True) == f"{path}invoke-with-response-stream"
    assert dialect.path(request, stream=False) == f"{path}invoke"


def test_claude() -> None:
    sent = body(CLAUDE, stream=True, system="s", **SAMPLING)
    assert sent["anthropic_version"] == "bedrock-2023-05-31"
    assert sent["anthropic_beta"] == ["fine-grained-tool-streaming-2025-05-14"]
    assert (sent["max_tokens"], sent["stop_sequences"]) == (9, ["X"])
    assert sent["messages"][2] == {
        "role": "assistant",
        "content": [
            {"type": "text", "text": "c"},
            {"type": "thinking", "thinking": "hidden", "signature": "c2ln"},
        ],
    }
    assert not {"model", "stream"} & set(sent)
    assert "anthropic_beta" not in body(CLAUDE)


def test_nova() -> None:
    sent = body(NOVA, system="s", cache=True, **SAMPLING)
    assert sent["schemaVersion"] == "messages-v1"
    assert sent["system"] == [{"text": "s"}, {"cachePoint": {"type": "default"}}]
    assert sent["messages"][0] == {"role": "user", "content": [{"text": "a"}, {"text": "b"}]}
    config = {"maxTokens": 9, "temperature": 0.5, "topP": 0.25, "stopSequences": ["X"]}
    assert sent["inferenceConfig"] == config


def test_titan() -> None:
    sent = body(TITAN, system="s", **SAMPLING)
    assert sent == {
        "inputText": "s\nUser: a\n\nb\nBot: c\nUser: d\nBot:",
        "textGenerationConfig": {
            "maxTokenCount": 9,
            "temperature": 0.5,
            "topP": 0.25,
            "stopSequences": ["X"],
        },
    }
    assert body(TITAN, messages=CONVERSATION[:3]) == {"inputText": "User: a\n\nb\nBot: c"}


@pytest.mark.parametrize(
    ("model", "prompt"),
    [
        (
            LLAMA3,
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\ns<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\na\n\nb<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nc<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nd<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n",
        ),
        (
            LLAMA4,
            "<|begin_of_text|><|header_start|>system<|header_end|>\n\ns<|eot|>"
            "<|header_start|>user<|header_end|>\n\na\n\nb<|eot|>"
            "<|header_start|>assistant<|header_end|>\n\nc<|eot|>"
            "<|header_start|>user<|header_end|>\n\nd<|eot|>"
            "<|header_start|>assistant<|header_end|>\n\n",
        ),
        (
            LLAMA2,
            "<s>[INST] <<SYS>>\ns\n<</SYS>>\n\na\n\nb [/INST] c </s><s>[INST] d [/INST]",
        ),
    ],
)
def test_llama(model: str, prompt: str) -> None:
    sampling = {name: value for name, value in SAMPLING.items() if name != "stop"}
    sent = body(model, system="s", **sampling)
    assert sent == {"prompt": prompt, "max_gen_len": 9, "temperature": 0.5, "top_p": 0.25}
    with pytest.raises(Unsupported, match="stop"):
        body(model, stop=["X"])


def test_llama_goes_on_from_the_assistants_words() -> None:
    assert body(LLAMA3, messages=CONVERSATION[:3])["prompt"].endswith("<|end_header_id|>\n\nc")


@pytest.mark.parametrize("model", [MISTRAL, "mistral.mixtral-8x7b-instruct-v0:1"])
def test_mistral(model: str) -> None:
    sent = body(model, system="s", **SAMPLING)
    assert sent == {
        "prompt": "<s>[INST] s\n\na\n\nb [/INST] c</s>[INST] d [/INST]",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.25,
        "stop": ["X"],
    }


@pytest.mark.parametrize("model", [PIXTRAL, JAMBA, GPT])
def test_chat_completions(model: str) -> None:
    tools = [ToolDefinition("f", {"type": "object", "properties": {}}, "does f")]
    sent = body(model, stream=True, system="s", tools=tools, **SAMPLING)
    assert sent["messages"][0] == {"role": "system", "content": "s"}
    assert sent["messages"][-1] == {"role": "user", "content": "d"}
    assert sent["tools"][0]["function"]["name"] == "f"
    assert (sent["max_tokens"], sent["stop"]) == (9, ["X"])
    assert not {"model", "stream", "stream_options"} & set(sent)


def test_cohere() -> None:
    sent = body(COMMAND_R, system="s", seed=3, **SAMPLING)
    assert sent == {
        "message": "d",
        "chat_history": [
            {"role": "USER", "message": "a\n\nb"},
            {"role": "CHATBOT", "message": "c"},
        ],
        "preamble": "s",
        "max_tokens": 9,
        "temperature": 0.5,
        "p": 0.25,
        "stop_sequences": ["X"],
        "seed": 3,
    }
    plain = {"prompt": "s\n\na\n\nb\n\nc\n\nd"}
    assert body(COMMAND, system="s") == plain
    assert body(COMMAND, system="s", stream=True) == {**plain, "stream": True}


def test_jurassic() -> None:
    sent = body(JURASSIC, **SAMPLING)
    assert sent == {
        "prompt": "a\n\nb\n\nc\n\nd",
        "maxTokens": 9,
        "temperature": 0.5,
        "topP": 0.25,
        "stopSequences": ["X"],
    }
    with pytest.raises(Unsupported, match="stream"):
        body(JURASSIC, stream=True)


@pytest.mark.parametrize("model", TEXT_MODELS)
def test_text_models_refuse_what_they_cannot_be_told(model: str) -> None:
    with pytest.raises(Unsupported, match="tools"):
        body(model, tools=[ToolDefinition("f", {})])
    with pytest.raises(Unsupported, match="tools"):
        body(model, messages=[Message("assistant", [], [ToolCall("a", "f", "{}")])])
    with pytest.raises(Unsupported, match="images"):
        body(model, messages=[Message("user", [Image("image/png", "AA")])])
    with pytest.raises(Unsupported, match="responseFormat"):
        body(model, response_format=JsonSchema("x", {}))
    if model != COMMAND_R:
        with pytest.raises(Unsupported, match="seed"):
            body(model, seed=1)


def test_prompts_and_unknown_models() -> None:
    prompt = CompletionRequest(prompt="p", model=MISTRAL)
    sent = BedrockInvoke(MISTRAL).body(prompt, stream=False)
    assert sent == {"prompt": "<s>[INST] p [/INST]"}
    with pytest.raises(Unsupported, match="suffix"):
        BedrockInvoke(MISTRAL).body(CompletionRequest(prompt="a", suffix="b"), stream=False)
    known = BedrockInvoke(TITAN, BedrockProfile(max_output_tokens=4096, context_window=8000))
    config = known.body(CompletionRequest(prompt="p", model=TITAN), stream=False)
    assert config["textGenerationConfig"] == {"maxTokenCount": 1600}
    unknown = BedrockInvoke("arn:aws:bedrock:us-east-1:1:provisioned-model/x")
    with pytest.raises(Unsupported, match="converse"):
        unknown.body(prompt, stream=False)


# --- Streams -------------------------------------------------------------------------------------


def chunk(said: Json, counts: tuple[int, int] | None = None) -> bytes:
    if counts is not None:
        metrics = {"inputTokenCount": counts[0], "outputTokenCount": counts[1], "latency": 1}
        said = {**said, "amazon-bedrock-invocationMetrics": metrics}
    packed = base64.b64encode(json.dumps(said).encode()).decode()
    payload = json.dumps({"bytes": packed, "p": "abc"}).encode()
    return frame(payload, event_type="chunk", message_type="event")


def whole(model: str, *events: bytes) -> CompletionResponse:
    answer, error, tokens = answer_of(BedrockInvoke(model), b"".join(events))
    assert error is None
    assert isinstance(tokens[-1], Finish)
    return answer


def test_claudes_stream() -> None:
    text = {"type": "content_block_delta", "index": 0}
    answer = whole(
        CLAUDE,
        chunk({"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 3}}}),
        chunk({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
        chunk({**text, "delta": {"type": "text_delta", "text": "é👍"}}),
        chunk({"type": "content_block_stop", "index": 0}),
        chunk(
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 4},
            }
        ),
        chunk({"type": "message_stop"}, (99, 99)),
    )
    assert (answer.text, answer.finish_reason) == ("é👍", "stop")
    assert answer.usage == Usage(3, 4, 0, 0, 0, 7)  # the model's own, not the metrics


def test_an_old_claudes_stream() -> None:
    answer = whole(
        "anthropic.claude-v2:1",
        chunk({"type": "completion", "completion": " The", "stop_reason": None}),
        chunk({"type": "completion", "completion": " end", "stop_reason": None}),
        chunk({"completion": "", "stop_reason": "stop_sequence"}, (16, 11)),
    )
    assert (answer.text, answer.finish_reason) == (" The end", "stop")
    assert answer.usage == Usage(16, 11, 0, 0, 0, 27)


def test_novas_stream() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "f"}}
    answer = whole(
        NOVA,
        chunk({"messageStart": {"role": "assistant"}}),
        chunk({"contentBlockDelta": {"delta": {"text": "x"}, "contentBlockIndex": 0}}),
        chunk({"contentBlockStop": {"contentBlockIndex": 0}}),
        chunk({"contentBlockStart": {"start": use, "contentBlockIndex": 1}}),
        chunk(
            {
                "contentBlockDelta": {
                    "delta": {"toolUse": {"input": '{"a":1}'}},
                    "contentBlockIndex": 1,
                }
            }
        ),
        chunk({"contentBlockStop": {"contentBlockIndex": 1}}),
        chunk({"messageStop": {"stopReason": "tool_use"}}),
        chunk(
            {
                "metadata": {
                    "usage": {
                        "inputTokens": 5,
                        "outputTokens": 2,
                        "cacheReadInputTokenCount": 7,
                        "cacheWriteInputTokenCount": 0,
                    }
                }
            },
            (99, 99),
        ),
    )
    assert answer.text == "x"
    assert answer.tool_calls == [ToolCall("t", "f", '{"a":1}')]
    assert answer.finish_reason == "toolCalls"
    assert answer.usage == Usage(12, 2, 7, 0, 0, 14)


def test_titans_stream() -> None:
    answer = whole(
        TITAN,
        chunk({"outputText": "a", "completionReason": None, "inputTextTokenCount": 28.0}),
        chunk({"outputText": "b", "completionReason": "LENGTH", "totalOutputTextTokenCount": 8.0}),
    )
    assert (answer.text, answer.finish_reason) == ("ab", "length")
    assert answer.usage == Usage(28, 8, 0, 0, 0, 36)


def test_llamas_stream() -> None:
    answer = whole(
        LLAMA3,
        chunk({"generation": "a", "prompt_token_count": 3, "generation_token_count": 1}),
        chunk({"generation": "b", "prompt_token_count": None, "generation_token_count": 2}),
        chunk({"generation": "", "generation_token_count": 2, "stop_reason": "stop"}, (3, 2)),
    )
    assert (answer.text, answer.finish_reason) == ("ab", "stop")
    assert answer.usage == Usage(3, 2, 0, 0, 0, 5)


def test_mistrals_streams() -> None:
    answer = whole(
        MISTRAL,
        chunk({"outputs": [{"text": "a", "stop_reason": None}]}),
        chunk({"outputs": [{"text": "", "stop_reason": "length"}]}, (8, 9)),
    )
    assert (answer.text, answer.finish_reason) == ("a", "length")
    assert answer.usage == Usage(8, 9, 0, 0, 0, 17)
    answer = whole(
        PIXTRAL,
        chunk({"choices": [{"index": 0, "message": {"content": "a"}, "stop_reason": None}]}),
        chunk({"choices": [{"index": 0, "message": {"content": "b"}, "stop_reason": None}]}),
        chunk({"choices": [{"index": 0, "message": {}, "stop_reason": "stop"}]}, (8, 9)),
    )
    assert (answer.text, answer.finish_reason) == ("ab", "stop")
    assert answer.usage == Usage(8, 9, 0, 0, 0, 17)


def test_jambas_stream() -> None:
    answer = whole(
        JAMBA,
        chunk({"id": "j", "choices": [{"index": 0, "delta": {"content": "a"}}]}),
        chunk({"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}),
        chunk({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}),
    )
    assert (answer.id, answer.text, answer.finish_reason) == ("j", "a", "stop")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 2


def test_coheres_streams() -> None:
    answer = whole(
        COMMAND_R,
        chunk({"is_finished": False, "event_type": "stream-start"}),
        chunk({"is_finished": False, "event_type": "text-generation", "text": "a"}),
        chunk(
            {
                "is_finished": True,
                "event_type": "stream-end",
                "response": {
                    "text": "a",
                    "finish_reason": "COMPLETE",
                    "meta": {"billed_units": {"input_tokens": 5.0, "output_tokens": 1.0}},
                },
            },
            (99, 99),
        ),
    )
    assert (answer.text, answer.finish_reason) == ("a", "stop")
    assert answer.usage is not None
    assert answer.usage.output_tokens == 1
    answer = whole(
        COMMAND,
        chunk({"text": "a", "is_finished": False}),
        chunk({"is_finished": True, "finish_reason": "MAX_TOKENS"}, (5, 6)),
    )
    assert (answer.text, answer.finish_reason) == ("a", "length")
    assert answer.usage == Usage(5, 6, 0, 0, 0, 11)


def test_exceptions_and_broken_chunks() -> None:
    first = chunk({"generation": "par"})
    answer, error, _ = answer_of(
        BedrockInvoke(LLAMA3), first + thrown("throttlingException", message="Slow down")
    )
    assert answer.text == "par"
    assert error is not None
    assert (error.kind, error.message) == ("rateLimit", "Slow down")
    broken = frame(b'{"bytes":"*"}', event_type="chunk", message_type="event")
    _, error, _ = answer_of(BedrockInvoke(LLAMA3), first + broken)
    assert isinstance(error, Malformed)
    _, error, _ = answer_of(BedrockInvoke(LLAMA3), first + chunk({"generation": 1}))
    assert isinstance(error, Malformed)


@pytest.mark.parametrize("model", [CLAUDE, NOVA, JAMBA, *TEXT_MODELS])
def test_without_an_end_it_is_truncated(model: str) -> None:
    unknown = frame(b"{}", event_type="brandNew", message_type="event")
    _, error, _ = answer_of(BedrockInvoke(model), unknown)
    assert isinstance(error, Truncated)


# --- Unary answers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "said", "text", "reason", "usage"),
    [
        (
            CLAUDE,
            {
                "content": [{"type": "text", "text": "a"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 2},
            },
            "a",
            "stop",
            (1, 2),
        ),
        (
            "anthropic.claude-v2:1",
            {"completion": " a", "stop_reason": "max_tokens"},
            " a",
            "length",
            None,
        ),
        (
            NOVA,
            {
                "output": {"message": {"content": [{"text": "a"}]}},
                "stopReason": "end_turn",
                "usage": {"inputTokens": 1, "outputTokens": 2},
            },
            "a",
            "stop",
            (1, 2),
        ),
        (
            TITAN,
            {
                "inputTextTokenCount": 1,
                "results": [{"tokenCount": 2, "outputText": "a", "completionReason": "FINISH"}],
            },
            "a",
            "stop",
            (1, 2),
        ),
        (
            LLAMA3,
            {
                "generation": "a",
                "prompt_token_count": 1,
                "generation_token_count": 2,
                "stop_reason": "length",
            },
            "a",
            "length",
            (1, 2),
        ),
        (MISTRAL, {"outputs": [{"text": "a", "stop_reason": "stop"}]}, "a", "stop", None),
        (
            PIXTRAL,
            {"choices": [{"index": 0, "message": {"content": "a"}, "stop_reason": "length"}]},
            "a",
            "length",
            None,
        ),
        (
            JAMBA,
            {
                "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 2},
            },
            "a",
            "stop",
            (1, 2),
        ),
        (
            COMMAND,
            {"id": "c", "generations": [{"text": "a", "finish_reason": "COMPLETE"}]},
            "a",
            "stop",
            None,
        ),
        (COMMAND_R, {"text": "a", "finish_reason": "ERROR_TOXIC"}, "a", "contentFilter", None),
        (
            JURASSIC,
            {
                "id": 1234,
                "completions": [{"data": {"text": "a"}, "finishReason": {"reason": "endoftext"}}],
            },
            "a",
            "stop",
            None,
        ),
    ],
)
def test_unary(
    model: str, said: Json, text: str, reason: str, usage: tuple[int, int] | None
) -> None:
    total = Accumulator()
    total.add(BedrockInvoke(model).read_unary(json.dumps(said).encode()))
    answer = total.response()
    assert (answer.text, answer.finish_reason) == (text, reason)
    if usage is None:
        assert answer.usage is None
    else:
        assert answer.usage is not None
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == usage


@pytest.mark.parametrize("model", [CLAUDE, NOVA, PIXTRAL, JAMBA, *TEXT_MODELS])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "x"}'])
def test_an_unary_body_of_another_format_is_malformed(model: str, body: bytes) -> None:
    with pytest.raises(Malformed):
        BedrockInvoke(model).read_unary(body)


def test_error_answers() -> None:
    headers = {"x-amzn-errortype": "ThrottlingException:http://x"}
    error = BedrockInvoke("no-such-model").read_error(429, headers, b'{"message":"Slow down"}')
    assert (error.kind, error.status, error.message) == ("rateLimit", 429, "Slow down")
