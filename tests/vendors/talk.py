"""A provider of a kind, and a server on this machine that stands for its service."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import (
    ChatRequest,
    CompletionRequest,
    ManagerToken,
    Message,
    Outcome,
    RetryNotice,
    Text,
)
from tests.http.server import RawServer, Recorded, Script, Step, chunked, plain

Json = dict[str, Any]


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(text: str, **more: object) -> Json:
    choice = {"index": 0, "delta": {"content": text}}
    return {"id": "c1", "model": "m1", "choices": [choice], **more}


DONE = b"data: [DONE]\n\n"
FINISH: Json = {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
ANSWER = chunked(event(delta("Hello")), event(FINISH), DONE)
WHOLE: list[Step] = [
    plain(
        json.dumps(
            {
                "id": "c1",
                "model": "m1",
                "choices": [
                    {"message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
            }
        ).encode()
    )
]


def said_no(status: int, message: str, **more: object) -> list[Step]:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return [plain(body, status=status)]


def as_json(value: object) -> list[Step]:
    return [plain(json.dumps(value).encode())]


class Talk:
    """`server` is the service; `manager` has one provider, called after its kind."""

    def __init__(self, kind: str, server: RawServer, manager: ProviderManager) -> None:
        self.kind = kind
        self.server = server
        self.manager = manager

    async def stream(
        self, request: ChatRequest | CompletionRequest | str = "hi", **more: Any
    ) -> tuple[Outcome, list[ManagerToken]]:
        if isinstance(request, str):
            request = ask(request, **more)
        target = Target(provider=self.kind, model=request.model or None)
        run = self.manager.stream(request, target)
        tokens = [token async for tokens in run for token in tokens]
        return run.outcome, tokens

    async def complete(self, request: ChatRequest | CompletionRequest) -> Outcome:
        return await self.manager.complete(request, Target(self.kind, request.model or None))

    def body(self, index: int = -1) -> Json:
        return json.loads(self.server.requests[index].body)

    @property
    def last(self) -> Recorded:
        return self.server.requests[-1]


@asynccontextmanager
async def talk(
    kind: str,
    *scripts: Script | list[Step],
    handler: Callable[[Recorded], list[Step]] | None = None,
    path: str = "",
    name: str | None = None,
    key: str | None = "k-secret",
    http: Json | None = None,
    **table: Any,
) -> AsyncIterator[Talk]:
    """Have a provider of `kind` whose `baseUrl` is a server that answers with `scripts`."""
    server = await RawServer.start(*(scripts or (ANSWER,)), handler=handler)
    server.bodies_first = True
    made: Json = {"kind": kind, "baseUrl": server.origin + path, **table}
    if key is not None:
        made["apiKey"] = key
    config = {"providers": {name or kind: made}, "http": http or {}, "retry": {"attempts": 1}}
    manager = ProviderManager(msgspec.convert(config, ProvidersConfig), environ={})
    try:
        yield Talk(name or kind, server, manager)
    finally:
        await manager.aclose()
        await server.aclose()


def ask(text: str = "hi", **options: Any) -> ChatRequest:
    return ChatRequest(messages=[Message("user", [Text(text)])], **options)


def notices(tokens: list[ManagerToken]) -> list[RetryNotice]:
    return [token for token in tokens if isinstance(token, RetryNotice)]
