"""One recorded answer through a whole provider: manager, vendor, client, a socket of this machine.

The server says the recorded status, content type and the headers that an answer is read by. `whole`
is one write, `random` many, cut as `replay.chunks` does, each in a turn of the loop of its own;
`bytes` gives the connection every byte by itself.
"""

import asyncio
import gzip
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import msgspec

from providers.errors import ProviderError
from providers.http.connection import Connection
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import (
    Finish,
    Outcome,
    ReasoningDelta,
    RetryNotice,
    Started,
    StreamStart,
    TextDelta,
    ToolCallDelta,
    UsageReport,
)
from tests.corpus.formats import Row
from tests.corpus.replay import Answer, add_up, chunks
from tests.corpus.services import Service, service_of
from tests.http.server import CLOSE, END, RawServer, Recorded, Step, chunk, head

KEPT_HEADERS = ("content-type", "retry-after", "x-request-id", "x-amzn-requestid", "request-id")
KEPT_PREFIXES = ("x-amzn-errortype",)
UNTOLD = "**REDACTED**"
WAYS = ("whole", "random", "bytes")


class Served:
    """A server that gives one recorded answer after the other. Close it."""

    def __init__(self, server: RawServer) -> None:
        self._server = server

    @classmethod
    async def start(cls) -> "Served":
        self = cls(await RawServer.start(handler=lambda request: self._script(request)))
        return self

    async def aclose(self) -> None:
        await self._server.aclose()

    def _script(self, _: Recorded) -> list[Step]:
        return self._steps

    async def replay(self, row: Row, body: bytes, way: str = "whole") -> Answer:
        """Return what the provider makes of a recorded body that arrives in this way."""
        return await self.answered(row, list(answer_of(row, body, way)), way)

    async def answered(self, row: Row, steps: list[Step], way: str = "whole") -> Answer:
        """Return what the provider makes of what the server does."""
        self._steps = steps
        self._server.requests.clear()
        self._server.connections.clear()
        made = service_of(row)
        table = made.table | {"kind": made.kind, "baseUrl": self._server.origin + _path(made)}
        config = {"providers": {"p": table}, "retry": {"attempts": 1}}
        manager = ProviderManager(msgspec.convert(config, ProvidersConfig), environ={})
        answer = Answer()
        try:
            with bytewise() if way == "bytes" else nullcontext():
                await ask(manager, made, answer, unary=row["kind"] == "unary")
        except ProviderError as error:
            answer.error = error
        finally:
            await manager.aclose()
        return answer


def _path(made: Service) -> str:
    """Return the path that this provider's `baseUrl` has at its service, where it matters."""
    return "/openai/deployments/d" if made.kind == "azure" else ""


async def ask(manager: ProviderManager, made: Service, answer: Answer, *, unary: bool) -> None:
    """Have the provider answer, and put what came into `answer`. Raises its error."""
    target = Target("p", made.request.model or None)
    if unary:
        take_whole((await manager.complete(made.request, target)), answer)
        return
    run = manager.stream(made.request, target)
    try:
        async for tokens in run:
            assert tokens, "an empty batch"
            for token in tokens:
                if isinstance(token, RetryNotice):
                    assert token.wait == 0, token.error  # something was learned from a 400
                    continue
                if isinstance(token, Started):
                    token = StreamStart(token.id, token.model)
                answer.tokens.append(token)
    finally:
        add_up(answer)
    sum_is_told(answer, run.outcome)


def sum_is_told(answer: Answer, outcome: Outcome) -> None:
    """The result of a stream is what its tokens add up to."""
    whole = outcome.response
    assert whole.text == answer.text
    assert "".join(part.text for part in whole.reasoning) == answer.reasoning
    assert whole.finish_reason == answer.finish
    assert [call.arguments for call in whole.tool_calls] == [
        call["arguments"] for call in answer.tool_calls
    ]
    assert whole.id and outcome.model


def take_whole(outcome: Outcome, answer: Answer) -> None:
    """Put a whole answer into `answer`, as tokens as a stream would have."""
    whole = outcome.response
    answer.tokens.append(StreamStart(whole.id, outcome.model))
    answer.tokens += [ReasoningDelta(part.text, part.opaque or "") for part in whole.reasoning]
    if whole.text:
        answer.tokens.append(TextDelta(whole.text))
    answer.tokens += [
        ToolCallDelta(at, call.id, call.name, call.arguments)
        for at, call in enumerate(whole.tool_calls)
    ]
    if whole.usage is not None:
        answer.tokens.append(UsageReport(whole.usage, whole.cost_usd))
    answer.tokens.append(Finish(whole.finish_reason, whole.raw_finish_reason))
    add_up(answer)
    assert whole.id and outcome.model


# --- The server's and the connection's side -----------------------------------------------------


def answer_of(row: Row, body: bytes, way: str) -> Iterator[Step]:
    """Yield what the server sends."""
    fields = {
        name.lower(): value
        for name, value in (row["headers"] or {}).items()
        if name.lower() in KEPT_HEADERS or name.lower().startswith(KEPT_PREFIXES)
    }
    if row["content_type"]:
        fields["content-type"] = row["content_type"]
    told = {name: value for name, value in fields.items() if value != UNTOLD}
    if way == "random":
        told["transfer-encoding"] = "chunked"
        yield _head(row["status"], told)
        for piece in chunks(body, way, row["id"]):
            yield chunk(piece)
            yield 0
        yield END
        return
    told["content-length"] = str(len(body))
    yield _head(row["status"], told) + body


def unusual_answers(row: Row, body: bytes) -> Iterator[tuple[str, list[Step]]]:
    """Yield other ways in which HTTP may bring the same body, by name."""
    told = row["content_type"]
    kind = {"content-type": told if told and told != UNTOLD else "application/json"}

    def sized(content: bytes, **fields: str) -> list[Step]:
        head = {**fields, "content-length": str(len(content))}
        return [_head(row["status"], {n.replace("_", "-"): v for n, v in head.items()}) + content]

    packed = gzip.compress(body)
    yield "gzip", sized(packed, content_encoding="gzip", content_type=kind["content-type"])
    yield "deflate", sized(zlib.compress(body), content_encoding="deflate")
    yield "another type", sized(body, content_type="text/plain; charset=UTF-8")
    yield "no type", sized(body)
    pieces = [chunk(packed[at : at + 7]) for at in range(0, len(packed), 7)]
    chunked = {**kind, "content-encoding": "gzip", "transfer-encoding": "chunked"}
    yield "gzip in pieces", [_head(row["status"], chunked), *pieces, END]
    yield "until it closes", [_head(row["status"], {**kind, "connection": "close"}) + body, CLOSE]


def _head(status: int, fields: dict[str, str]) -> bytes:
    """Return a head that has these fields and no other."""
    plain = head(status, fields, chunked=False)
    return plain if "content-type" in fields else plain.replace(_DEFAULT_TYPE, b"")


_DEFAULT_TYPE = b"Content-Type: text/event-stream\r\n"


class Bytewise(Connection):
    """A connection to which every byte of an answer's body comes alone, in a turn of its own."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self._bytes: deque[bytes] = deque()
        self._feeding: asyncio.Task[None] | None = None
        self._lost: list[Exception | None] = []

    def data_received(self, data: bytes) -> None:
        at = data.find(b"\r\n\r\n") + 4 if data.startswith(b"HTTP/1.1") else 0
        self._bytes += filter(None, [data[:at], *(data[i : i + 1] for i in range(at, len(data)))])
        if self._feeding is None:
            self._feeding = asyncio.get_running_loop().create_task(self._feed())

    async def _feed(self) -> None:
        while self._bytes and self._exchange is not None:
            super().data_received(self._bytes.popleft())
            await asyncio.sleep(0)
        self._bytes.clear()
        self._feeding = None
        for lost in self._lost:
            super().connection_lost(lost)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._feeding is None:
            super().connection_lost(exc)
        else:
            self._lost.append(exc)


def bytewise() -> AbstractContextManager[object]:
    """While this is open, every new connection is a `Bytewise`."""
    return mock.patch("providers.http.pool.Connection", Bytewise)
