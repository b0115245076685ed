"""JSON nested deeper than anybody reads it: said so, on every Python.

How deep msgspec goes is the interpreter's business (1,000 on 3.11, what the stack holds from 3.14
on), and is deeper than what walks in Python. Here nothing but a `ProviderError` may come out.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from providers.dialects.base import Dialect
from providers.errors import ProviderError, Unsupported
from providers.manager import ProviderManager
from providers.settings import ProvidersConfig
from providers.types import ChatRequest, JsonSchema, Message, Text, ToolDefinition
from providers.vendors.base import HttpProvider
from tests.vendors.test_any_request import PROVIDERS

LEVELS = (700, 5_000, 100_000)

EVENTS = (
    b'{"type":"x","error":%b}',
    b'{"type":"content_block_start","index":0,'
    b'"content_block":{"type":"tool_use","id":"a","name":"f","input":{"a":%b}}}',
    b'{"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","x":%b}}',
    b'{"choices":[{"index":0,"delta":{"content":"x","reasoning_details":[{"a":%b}]}}]}',
    b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":%b}}}]}}]}',
    b'{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":%b}}}]},"done":false}',
    b'{"type":"message-end","delta":{"usage":{"a":%b}}}',
    b'{"metrics":{"latencyMs":1},"usage":{"a":%b}}',
)
NAMES = ("", "error", "content_block_delta", "metadata", "contentBlockStart", "chunk")


def dialects() -> Iterator[tuple[HttpProvider, Dialect, ChatRequest]]:
    for kind, more, model in PROVIDERS:
        table = {"kind": kind, "baseUrl": "http://127.0.0.1:1", "apiKey": "k", **more}
        config = msgspec.convert({"providers": {"p": table}}, ProvidersConfig)
        provider = ProviderManager(config, environ={})._registry.get("p")
        assert isinstance(provider, HttpProvider)
        request = ChatRequest(messages=[Message("user", [Text("hi")])], model=model)
        yield provider, provider.dialect_for(request), request


@pytest.mark.parametrize("levels", LEVELS)
def test_an_answer(levels: int) -> None:
    nested = b'{"a":[' * (levels // 2) + b"1" + b"]}" * (levels // 2)
    for dialect in {type(each): each for _, each, _ in dialects()}.values():
        for event in EVENTS:
            read(dialect, event % nested)


def read(dialect: Dialect, data: bytes) -> None:
    for name in NAMES:
        try:
            dialect.reader().read(name, data, [])
        except ProviderError as error:
            assert len(str(error)) < 5_000
    with contextlib.suppress(ProviderError):
        dialect.read_unary(data)
    assert isinstance(dialect.read_error(500, {}, data), ProviderError)


SCHEMAS: dict[str, tuple[dict[str, Any], str]] = {
    "items": ({"type": "array"}, "items"),
    "properties": ({"type": "object"}, "properties"),
    "anyOf": ({}, "anyOf"),
}


def schema(kind: str, levels: int) -> dict[str, Any]:
    shell, name = SCHEMAS[kind]
    made: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        inner: Any = {"properties": {"a": made}, "anyOf": [made], "items": made}[name]
        made = {**shell, name: inner}
    return made


@pytest.mark.parametrize("levels", [700, 5_000])
@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema(kind: str, levels: int) -> None:
    refused = 0
    for provider, dialect, request in dialects():
        deep = schema(kind, levels)
        tools = msgspec.structs.replace(request, tools=[ToolDefinition("f", deep)])
        formed = msgspec.structs.replace(request, response_format=JsonSchema("n", deep))
        for each in (tools, formed):
            try:
                provider._payload(dialect, each, stream=True)
            except Unsupported as error:
                refused += "nested too deeply" in str(error)
            except ProviderError:
                pass
    assert refused or levels < 1_000
