"""Answers as services give them, written by hand: what the dialects' inputs are made of by edits.

Per dialect: the events of streams, whole answers, and error documents. They name as many of the
fields that a reader looks at as they can.
"""

from typing import Any

Json = Any

_CHAT_USAGE = {
    "prompt_tokens": 9,
    "completion_tokens": 5,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 2},
    "cost": 0.001,
    "cost_details": {"upstream_inference_cost": 0.002},
}


def _chat(delta: Json, finish: str | None = None, **more: Json) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {"id": "c", "model": "m", "object": "chat.completion.chunk", "choices": [choice], **more}


_CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
_CHAT_STREAMS: list[list[Json]] = [
    [
        _chat({"role": "assistant", "content": ""}),
        _chat({"content": "Hi \ud83d"}),
        _chat({"content": "\ude00 <think>a</think>b"}),
        _chat({"reasoning_content": "why"}),
        _chat({"reasoning": "so", "reasoning_details": [{"type": "reasoning.text", "text": "s"}]}),
        _chat({}, "stop", usage=_CHAT_USAGE, citations=["http://h"]),
    ],
    [
        _chat({"content": None, "tool_calls": [_CALL]}),
        _chat({"tool_calls": [{"index": 0, "function": {"arguments": '{"x":'}}]}),
        _chat({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g"}}]}),
        _chat({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        _chat({"annotations": [{"type": "url_citation", "url_citation": {"url": "u"}}]}),
        _chat({"refusal": "no"}, "tool_calls", x_groq={"usage": _CHAT_USAGE}),
        {"id": "c", "choices": [], "usage": _CHAT_USAGE},
    ],
    [{"error": {"message": "slow down", "type": "rate_limit_error", "code": 429}}],
]
_CHAT_WHOLE = {
    "id": "c",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": [{"type": "text", "text": "Hi"}],
                "reasoning_content": "r",
                "refusal": None,
                "tool_calls": [{**_CALL, "function": {"name": "f", "arguments": '{"x":1}'}}],
                "annotations": [
                    {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}
                ],
            },
        }
    ],
    "usage": _CHAT_USAGE,
    "citations": ["http://h"],
    "search_results": [{"url": "u", "title": "t"}],
}
_OPENAI_ERRORS: list[Json] = [
    {"error": {"message": "m", "type": "invalid_request_error", "code": "context_length_exceeded"}},
    {"error": {"message": "m", "type": "insufficient_quota", "code": None, "param": "model"}},
    {"error": "plain"},
    {"detail": [{"loc": ["body"], "msg": "m", "type": "t"}]},
    {"message": "m", "code": 3},
    [{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}],
]


def _response(kind: str, **fields: Json) -> Json:
    return {"type": f"response.{kind}", "sequence_number": 1, **fields}


_RESPONSE = {
    "id": "r",
    "model": "m",
    "status": "completed",
    "output": [
        {
            "type": "reasoning",
            "id": "rs",
            "summary": [{"type": "summary_text", "text": "s"}],
            "encrypted_content": "e",
        },
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hi",
                    "annotations": [{"type": "url_citation", "url": "u", "title": "t"}],
                },
                {"type": "refusal", "refusal": "no"},
            ],
        },
        {"type": "function_call", "id": "fc", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "id": "ct", "call_id": "b", "name": "g", "input": "raw"},
        {
            "type": "code_interpreter_call",
            "id": "ci",
            "code": "1",
            "outputs": [{"type": "logs", "logs": "1"}],
        },
    ],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 14,
    },
    "error": None,
    "incomplete_details": None,
}
_RESPONSES_STREAMS: list[list[Json]] = [
    [
        _response("created", response={"id": "r", "model": "m", "status": "in_progress"}),
        _response(
            "output_item.added", output_index=0, item=_RESPONSE["output"][1] | {"content": []}
        ),
        _response("output_text.delta", output_index=0, content_index=0, delta="H\ud83d"),
        _response("output_text.delta", output_index=0, content_index=0, delta="\ude00i"),
        _response("output_text.done", output_index=0, content_index=0, text="Hi"),
        _response("output_item.done", output_index=0, item=_RESPONSE["output"][1]),
        _response("completed", response=_RESPONSE),
    ],
    [
        _response("created", response={"id": "r", "model": "m"}),
        _response("output_item.added", output_index=1, item=_RESPONSE["output"][2]),
        _response("function_call_arguments.delta", output_index=1, item_id="fc", delta='{"x":'),
        _response(
            "function_call_arguments.done", output_index=1, item_id="fc", arguments='{"x":1}'
        ),
        _response("reasoning_summary_text.delta", output_index=2, item_id="rs", delta="why"),
        _response("reasoning_text.delta", output_index=2, item_id="rs", delta="why"),
        _response("output_item.done", output_index=2, item=_RESPONSE["output"][0]),
        _response("refusal.delta", output_index=0, content_index=0, delta="no"),
        _response("code_interpreter_call_code.done", output_index=4, item_id="ci", code="1"),
        _response("output_item.done", output_index=4, item=_RESPONSE["output"][4]),
        _response("output_text.annotation.added", annotation={"type": "url_citation", "url": "u"}),
        _response(
            "incomplete",
            response=_RESPONSE
            | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
        ),
    ],
    [
        _response("failed", response={"error": {"code": "rate_limit_exceeded", "message": "m"}}),
        {"type": "error", "code": "server_error", "message": "m", "param": None},
        {"type": "error", "error": {"type": "invalid_request_error", "message": "m"}},
    ],
]
_COMPLETIONS_STREAMS: list[list[Json]] = [
    [
        {"id": "c", "model": "m", "choices": [{"index": 0, "text": "a\ud83d", "logprobs": None}]},
        {"id": "c", "choices": [{"index": 0, "text": "\ude00", "finish_reason": "length"}]},
        {"id": "c", "choices": [], "usage": _CHAT_USAGE},
    ],
    [
        {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]},
        {"content": "y", "stop": True, "tokens_evaluated": 3, "tokens_predicted": 4},
        {"error": {"message": "m", "code": 500}},
    ],
]
_BLOCKS: list[Json] = [
    {"type": "text", "text": "Hi", "citations": [{"type": "web", "url": "u", "title": "t"}]},
    {"type": "thinking", "thinking": "why", "signature": "sig"},
    {"type": "redacted_thinking", "data": "AAAA"},
    {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
    {"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {"code": "1"}},
    {
        "type": "code_execution_tool_result",
        "tool_use_id": "s",
        "content": {"type": "code_execution_result", "stdout": "1", "stderr": "", "return_code": 0},
    },
]
_ANTHROPIC_USAGE = {
    "input_tokens": 9,
    "output_tokens": 5,
    "cache_creation_input_tokens": 1,
    "cache_read_input_tokens": 2,
    "output_tokens_details": {"thinking_tokens": 1},
}
_ANTHROPIC_STREAMS: list[list[Json]] = [
    [
        {
            "type": "message_start",
            "message": {
                "id": "m",
                "model": "c",
                "role": "assistant",
                "content": [],
                "usage": _ANTHROPIC_USAGE,
            },
        },
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "\ud83d"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": "\ude00"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "citations_delta", "citation": {"url": "u"}},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": _BLOCKS[3] | {"input": {}}},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"x":1}'},
        },
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": _ANTHROPIC_USAGE,
        },
        {"type": "message_stop"},
    ],
    [
        {"type": "message_start", "message": {"id": "m", "model": "c", "usage": _ANTHROPIC_USAGE}},
        *(
            {"type": "content_block_start", "index": i, "content_block": block}
            for i, block in enumerate(_BLOCKS)
        ),
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "thinking_delta", "thinking": "t"},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "signature_delta", "signature": "s"},
        },
        *({"type": "content_block_stop", "index": i} for i in range(len(_BLOCKS))),
        {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {}},
        {"type": "message_stop"},
    ],
    [{"type": "error", "error": {"type": "overloaded_error", "message": "m"}, "request_id": "r"}],
]
_ANTHROPIC_WHOLE = {
    "id": "m",
    "model": "c",
    "type": "message",
    "role": "assistant",
    "content": _BLOCKS,
    "stop_reason": "end_turn",
    "usage": _ANTHROPIC_USAGE,
}
_ANTHROPIC_ERRORS: list[Json] = [
    {"type": "error", "error": {"type": "authentication_error", "message": "m"}},
    {"type": "error", "error": {"type": "rate_limit_error", "message": "m"}, "request_id": "q"},
]
_GEMINI_USAGE = {
    "promptTokenCount": 9,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "cachedContentTokenCount": 1,
    "toolUsePromptTokenCount": 1,
    "totalTokenCount": 16,
}


def _gemini(*parts: Json, **candidate: Json) -> Json:
    content = {"role": "model", "parts": list(parts)}
    return {
        "candidates": [{"index": 0, "content": content, **candidate}],
        "modelVersion": "g",
        "responseId": "r",
    }


_PARTIAL = {"jsonPath": "$.a.b[0]", "stringValue": "x", "willContinue": True}
_GEMINI_STREAMS: list[list[Json]] = [
    [
        _gemini({"text": "H\ud83d"}),
        _gemini({"text": "\ude00"}, {"text": "why", "thought": True, "thoughtSignature": "s"}),
        _gemini({"functionCall": {"id": "i", "name": "f", "args": {"x": 1}}}),
        _gemini({"executableCode": {"language": "PYTHON", "code": "1"}}),
        _gemini({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
        _gemini({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}),
        _gemini(
            finishReason="STOP",
            citationMetadata={"citationSources": [{"uri": "u"}], "citations": [{"uri": "v"}]},
            groundingMetadata={"groundingChunks": [{"web": {"uri": "u", "title": "t"}}]},
        )
        | {"usageMetadata": _GEMINI_USAGE},
    ],
    [
        _gemini({"functionCall": {"name": "f", "partialArgs": [_PARTIAL], "willContinue": True}}),
        _gemini({"functionCall": {"partialArgs": [{"jsonPath": "$.n", "numberValue": 1.5}]}}),
        _gemini({"functionCall": {"partialArgs": [{"jsonPath": "$['q']", "boolValue": True}]}}),
        _gemini({"functionCall": {}}, finishReason="MALFORMED_FUNCTION_CALL", finishMessage="m"),
        {"promptFeedback": {"blockReason": "SAFETY", "blockReasonMessage": "m"}},
        {
            "error": {
                "code": 429,
                "message": "m",
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "3s"}
                ],
            }
        },
    ],
]
_GEMINI_ERRORS: list[Json] = [
    _GEMINI_STREAMS[1][-1],
    {"error": {"code": 400, "message": "API key not valid", "status": "INVALID_ARGUMENT"}},
]
_CONVERSE_USAGE = {
    "inputTokens": 9,
    "outputTokens": 5,
    "totalTokens": 14,
    "cacheReadInputTokens": 1,
    "cacheWriteInputTokens": 1,
}
_CONVERSE_STREAMS: list[list[Json]] = [
    [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "H\ud83d"}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "\ude00"}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {
            "contentBlockStart": {
                "contentBlockIndex": 1,
                "start": {"toolUse": {"toolUseId": "a", "name": "f"}},
            }
        },
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"x":1}'}}}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {
            "contentBlockDelta": {
                "contentBlockIndex": 2,
                "delta": {"reasoningContent": {"text": "why"}},
            }
        },
        {
            "contentBlockDelta": {
                "contentBlockIndex": 2,
                "delta": {"reasoningContent": {"signature": "s", "redactedContent": "AAAA"}},
            }
        },
        {
            "contentBlockDelta": {
                "contentBlockIndex": 0,
                "delta": {"citation": {"title": "t", "location": {"web": {"url": "u"}}}},
            }
        },
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": _CONVERSE_USAGE, "metrics": {"latencyMs": 3}}},
    ],
    [
        {"messageStart": {"role": "assistant"}},
        {"!throttlingException": {"message": "m"}},
        {"!modelStreamErrorException": {"message": "m", "originalStatusCode": 500}},
    ],
]
_CONVERSE_WHOLE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"text": "Hi"},
                {"toolUse": {"toolUseId": "a", "name": "f", "input": {"x": 1}}},
                {"reasoningContent": {"reasoningText": {"text": "w", "signature": "s"}}},
                {"reasoningContent": {"redactedContent": "AAAA"}},
                {
                    "citationsContent": {
                        "content": [{"text": "c"}],
                        "citations": [{"title": "t", "location": {"web": {"url": "u"}}}],
                    }
                },
            ],
        }
    },
    "stopReason": "end_turn",
    "usage": _CONVERSE_USAGE,
}
_AWS_ERRORS: list[Json] = [
    {"message": "m", "__type": "com.amazon#ThrottlingException"},
    {"Message": "The security token is expired"},
]
_METRICS = {"inputTokenCount": 3, "outputTokenCount": 4, "invocationLatency": 5}
_INVOKE: dict[str, list[Json]] = {
    "anthropic.claude-3-haiku-v1:0": _ANTHROPIC_STREAMS[0],
    "anthropic.claude-v2": [
        {"completion": "Hi", "stop_reason": None, "stop": None},
        {
            "completion": "",
            "stop_reason": "stop_sequence",
            "amazon-bedrock-invocationMetrics": _METRICS,
        },
    ],
    "amazon.nova-lite-v1:0": _CONVERSE_STREAMS[0],
    "amazon.titan-text-express-v1": [
        {"outputText": "Hi", "index": 0, "completionReason": None, "inputTextTokenCount": 3},
        {"outputText": "!", "completionReason": "FINISH", "totalOutputTextTokenCount": 2},
        {
            "inputTextTokenCount": 3,
            "results": [{"tokenCount": 2, "outputText": "Hi", "completionReason": "LENGTH"}],
        },
    ],
    "meta.llama3-8b-instruct-v1:0": [
        {"generation": "Hi", "prompt_token_count": 3, "generation_token_count": 1},
        {"generation": "", "stop_reason": "length", "amazon-bedrock-invocationMetrics": _METRICS},
    ],
    "mistral.mistral-7b-v0:2": [
        {"outputs": [{"text": "Hi", "stop_reason": None}]},
        {
            "outputs": [{"text": "", "stop_reason": "stop"}],
            "amazon-bedrock-invocationMetrics": _METRICS,
        },
    ],
    "mistral.mistral-large-2402-v1:0": _CHAT_STREAMS[1],
    "cohere.command-text-v14": [
        {"text": "Hi", "is_finished": False},
        {"is_finished": True, "finish_reason": "COMPLETE", "generations": [{"text": "a"}]},
    ],
    "cohere.command-r-v1:0": [
        {"event_type": "stream-start", "generation_id": "g"},
        {"event_type": "text-generation", "text": "Hi"},
        {"event_type": "tool-calls-generation", "tool_calls": [{"name": "f", "parameters": {}}]},
        {
            "event_type": "stream-end",
            "finish_reason": "COMPLETE",
            "response": {
                "text": "Hi",
                "meta": {"billed_units": {"input_tokens": 3, "output_tokens": 2}},
            },
        },
    ],
    "ai21.j2-ultra-v1": [
        {"id": 1, "completions": [{"data": {"text": "a"}, "finishReason": {"reason": "length"}}]},
    ],
    "ai21.jamba-1-5-mini-v1:0": _CHAT_STREAMS[0],
    "openai.gpt-oss-20b-1:0": _CHAT_STREAMS[0],
}
_OLLAMA_STREAMS: list[list[Json]] = [
    [
        {"model": "m", "message": {"role": "assistant", "content": "H\ud83d", "thinking": "why"}},
        {
            "model": "m",
            "message": {
                "content": "\ude00",
                "tool_calls": [
                    {"function": {"name": "f", "arguments": {"x": 1}, "index": 0}, "id": "a"}
                ],
            },
        },
        {
            "model": "m",
            "message": {"content": ""},
            "done": True,
            "done_reason": "stop",
            "prompt_eval_count": 3,
            "eval_count": 4,
        },
    ],
    [{"response": "a"}, {"response": "", "done": True}, {"error": "no such model"}],
]
_COHERE_USAGE = {
    "billed_units": {"input_tokens": 1, "output_tokens": 2},
    "tokens": {"input_tokens": 3, "output_tokens": 4, "reasoning_tokens": 1},
    "cached_tokens": 2,
}
_COHERE_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
_COHERE_CITATION = {
    "start": 0,
    "end": 1,
    "sources": [
        {"type": "document", "id": "d", "document": {"url": "https://a.example", "title": "t"}},
        {"type": "tool", "id": "http://b.example", "tool_output": {"content": "c"}},
    ],
}


def _cohere(kind: str, index: int, **message: object) -> Json:
    return {"type": kind, "index": index, "delta": {"message": message}}


_COHERE_STREAMS: list[list[Json]] = [
    [
        {"type": "message-start", "id": "m", "delta": {"message": {"content": []}}},
        _cohere("content-start", 0, content={"type": "thinking", "thinking": ""}),
        _cohere("content-delta", 0, content={"thinking": "why"}),
        _cohere("content-delta", 1, content={"text": "H\ud83d"}),
        _cohere("content-delta", 1, content={"text": "\ude00"}),
        _cohere("citation-start", 0, citations=_COHERE_CITATION),
        {"type": "citation-end", "index": 0},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _COHERE_USAGE}},
    ],
    [
        {"type": "message-start", "id": "m"},
        _cohere("tool-plan-delta", 0, tool_plan="I will"),
        _cohere("tool-call-start", 0, tool_calls=_COHERE_CALL),
        _cohere("tool-call-delta", 0, tool_calls={"function": {"arguments": "1"}}),
        _cohere("tool-call-start", 1, tool_calls={"function": {"arguments": "{}"}}),
        {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL"}},
    ],
    [
        _cohere("content-delta", 0, content={"text": "a"}),
        {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "m"}},
        {"type": "error", "message": "m"},
    ],
]
_COHERE_WHOLE: Json = {
    "id": "m",
    "message": {
        "content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "Hi"}],
        "tool_plan": "I will",
        "tool_calls": [_COHERE_CALL],
        "citations": [_COHERE_CITATION],
    },
    "finish_reason": "TOOL_CALL",
    "usage": _COHERE_USAGE,
}
_CLAUDE_CODE: list[list[Json]] = [
    [
        {"type": "system", "subtype": "init", "session_id": "s", "model": "c"},
        *({"type": "stream_event", "event": e, "session_id": "s"} for e in _ANTHROPIC_STREAMS[0]),
        {"type": "assistant", "message": _ANTHROPIC_WHOLE, "session_id": "s"},
        {
            "type": "result",
            "subtype": "success",
            "is_error": False,
            "result": "Hi",
            "total_cost_usd": 0.1,
            "usage": _ANTHROPIC_USAGE,
            "stop_reason": "end_turn",
        },
    ],
    [
        {
            "type": "assistant",
            "error": "rate_limit",
            "message": {
                "model": "<synthetic>",
                "content": [{"type": "text", "text": "You've hit your limit"}],
            },
        },
        {
            "type": "result",
            "subtype": "error_during_execution",
            "is_error": True,
            "api_error_status": 429,
            "errors": ["m", {"message": "m"}],
            "result": "no",
        },
    ],
]

STREAMS: dict[str, list[list[Json]]] = {
    "openai_chat": _CHAT_STREAMS,
    "openai_responses": [*_RESPONSES_STREAMS, _CHAT_STREAMS[0]],
    "openai_completions": _COMPLETIONS_STREAMS,
    "anthropic": _ANTHROPIC_STREAMS,
    "gemini": _GEMINI_STREAMS,
    "bedrock_converse": _CONVERSE_STREAMS,
    "bedrock_invoke": list(_INVOKE.values()),
    "ollama": _OLLAMA_STREAMS,
    "cohere": _COHERE_STREAMS,
    "claude_code": _CLAUDE_CODE,
}
WHOLE: dict[str, list[Json]] = {
    "openai_chat": [_CHAT_WHOLE, *_CHAT_STREAMS[2]],
    "openai_responses": [_RESPONSE, _CHAT_WHOLE],
    "openai_completions": [{**_COMPLETIONS_STREAMS[0][1], "usage": _CHAT_USAGE}, _CHAT_WHOLE],
    "anthropic": [_ANTHROPIC_WHOLE, _ANTHROPIC_STREAMS[2][0]],
    "gemini": [_GEMINI_STREAMS[0][-1], _gemini({"text": "Hi"}, finishReason="SAFETY")],
    "bedrock_converse": [_CONVERSE_WHOLE],
    "bedrock_invoke": [
        _ANTHROPIC_WHOLE,
        _CONVERSE_WHOLE,
        _CHAT_WHOLE,
        *(e for events in _INVOKE.values() for e in events),
    ],
    "ollama": [_OLLAMA_STREAMS[0][2], _OLLAMA_STREAMS[1][1], {"error": "m"}],
    "cohere": [_COHERE_WHOLE, {"id": "m", "message": "m"}],
    "claude_code": [],
}
ERRORS: dict[str, list[Json]] = {
    "anthropic": _ANTHROPIC_ERRORS,
    "gemini": _GEMINI_ERRORS,
    "bedrock_converse": _AWS_ERRORS,
    "bedrock_invoke": _AWS_ERRORS,
    "ollama": [{"error": "model not found"}],
    "cohere": [{"id": "m", "message": "too many tokens: size limit exceeded"}],
}
OPENAI_ERRORS = _OPENAI_ERRORS
INVOKE_MODELS = list(_INVOKE)
