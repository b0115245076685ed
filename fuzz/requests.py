"""Params of the `ai/*` requests as clients write them: what inputs are made of by edits."""

from typing import Any

TOOL = {
    "name": "f",
    "description": "d",
    "parameters": {
        "type": "object",
        "properties": {
            "x": {"type": ["integer", "null"], "enum": [1, 2], "description": "é"},
            "y": {"$ref": "#/$defs/y", "anyOf": [{"type": "string"}, {"const": None}]},
        },
        "$defs": {"y": {"type": "array", "items": {"type": "string", "format": "date"}}},
        "required": ["x"],
        "additionalProperties": False,
    },
}

COMPLETION: list[dict[str, Any]] = [
    {
        "prompt": "say it",
        "system": "s",
        "provider": "up",
        "model": "m",
        "maxTokens": 5,
        "temperature": 0.5,
        "topP": 1,
        "stop": ["a", "b"],
        "seed": 7,
        "reasoning": {"effort": "low", "budgetTokens": 1024},
        "responseFormat": {"type": "jsonSchema", "name": "n", "schema": TOOL["parameters"]},
        "cache": True,
        "fallback": ["a/b"],
        "timeoutMs": 1000,
        "providerOptions": {"up": {"x": {"y": 1}}},
        "workDoneToken": "w",
        "partialResultToken": 1,
    },
    {
        "messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": "hi"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "mimeType": "image/png", "data": "AAAA"},
                    {"type": "image", "url": "https://h/x.png"},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "reasoning", "text": "r", "opaque": '{"id":"rs","summary":[]}'},
                    {"type": "code", "language": "python", "code": "1", "output": "1"},
                    {"type": "text", "text": "calling"},
                ],
                "toolCalls": [{"id": "c1", "name": "f", "arguments": '{"x":1}', "opaque": "sig"}],
            },
            {"role": "tool", "toolCallId": "c1", "content": "r", "isError": True},
            {"role": "tool", "toolCallId": "c2", "content": [{"type": "text", "text": "t"}]},
        ],
        "tools": [TOOL, {"name": "g", "parameters": {}}],
        "toolChoice": {"name": "f"},
        "responseFormat": {"type": "json"},
        "reasoning": {"effort": "high"},
        "model": "anthropic/claude-sonnet-4-5",
    },
]

OTHERS: dict[str, dict[str, Any]] = {
    "ai/models": {"provider": "up", "refresh": False},
    "ai/providers": {},
    "ai/health": {"provider": "up", "live": False},
    "ai/countTokens": {"text": "x", "provider": "up", "model": "m"},
    "ai/metrics": {},
}
