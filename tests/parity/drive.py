"""Runs one recorded case through the whole of ours: manager, provider, client, a real socket.

The client keeps the address that the provider asked for and goes to a server on this machine
instead, which answers as recorded. Waits between attempts are written down and not waited for.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import msgspec

from providers import run as run_module
from providers.base import AiProvider
from providers.errors import ProviderError
from providers.http.client import HttpClient, HttpRequest, HttpResponse
from providers.manager import ProviderManager
from providers.policy.router import Target
from providers.settings import ProvidersConfig
from providers.types import ChatRequest, CompletionRequest, Outcome
from tests.http.server import CLOSE, RESET, RawServer, Step, chunk, head

Json = dict[str, Any]
FROZEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
"""The recorder's clock; dates in recorded headers are moved by what has passed since."""


@dataclass
class Sent:
    """One request as it went out. `url` is the one that was asked for."""

    method: str
    url: str
    headers: dict[str, str]
    body: Json

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


@dataclass
class Observed:
    """What came of a case."""

    sent: list[Sent] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    outcome: Outcome | None = None
    error: ProviderError | None = None


class Rerouted(HttpClient):
    """Goes to `origin` whatever the address says."""

    origin = "http://127.0.0.1:1"

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.sent: list[Sent] = []

    async def send(self, request: HttpRequest, **bounds: Any) -> HttpResponse:
        body = json.loads(request.body) if request.body else {}
        self.sent.append(Sent(request.method, request.url, dict(request.headers), body))
        parts = urlsplit(request.url)
        query = f"?{parts.query}" if parts.query else ""
        here = msgspec.structs.replace(request, url=f"{self.origin}{parts.path}{query}")
        return await super().send(here, **bounds)


async def drive(
    case: Json,
    *,
    name: str,
    table: Json,
    request: ChatRequest | CompletionRequest,
    unary: bool,
    environ: dict[str, str] | None = None,
    prepare: Callable[[AiProvider], None] | None = None,
) -> Observed:
    """Return what ours sends and yields for `request`, answered as `case` says."""
    config = msgspec.convert({"providers": {name: table}}, ProvidersConfig)
    manager = ProviderManager(config, environ=environ or {})
    client = Rerouted(config.http, config.timeouts, environ={})
    manager._context.client_if_used = client
    server = await RawServer.start(*scripts(case)) if case["wire_responses"] else None
    if server is not None:
        client.origin = server.origin
    observed = Observed(sent=client.sent)
    try:
        with no_waiting(observed.waits):
            if prepare is not None:
                prepare(manager._registry.get(name))
            await _ask(
                manager,
                observed,
                request,
                Target(provider=name, model=request.model or None),
                unary=unary,
            )
    except ProviderError as error:
        observed.error = error
    finally:
        await manager.aclose()
        if server is not None:
            await server.aclose()
    return observed


async def _ask(
    manager: ProviderManager,
    observed: Observed,
    request: ChatRequest | CompletionRequest,
    target: Target,
    *,
    unary: bool,
) -> None:
    if unary:
        observed.outcome = await manager.complete(request, target)
        return
    run = manager.stream(request, target)
    async for _ in run:
        pass
    observed.outcome = run.outcome


@contextmanager
def no_waiting(waits: list[float]) -> Iterator[None]:
    """Write the waits between attempts down, with the recorder's chance of one half."""

    class Loop:
        def __getattr__(self, name: str) -> Any:
            return getattr(asyncio, name)

        async def sleep(self, delay: float) -> None:
            waits.append(delay)

    with (
        mock.patch.object(run_module, "asyncio", Loop()),
        mock.patch.object(run_module, "chance", lambda: 0.5),
    ):
        yield


def scripts(case: Json) -> list[list[Step]]:
    """Return what the server does, answer by answer."""
    return [_script(response) for response in case["wire_responses"]]


def _script(response: Json) -> list[Step]:
    if not response.get("status"):
        return [CLOSE]
    headers = {name: _moved(name, value) for name, value in response["headers"].items()}
    steps: list[Step] = [head(response["status"], headers)]
    # Chunks of no bytes would end the body.
    pieces = [base64.b64decode(piece) for piece in response.get("body_chunks_b64") or []]
    steps += [chunk(piece) for piece in pieces if piece]
    return [*steps, b"0\r\n\r\n" if response.get("end", "clean") == "clean" else RESET]


def _moved(name: str, value: str) -> str:
    if name.lower() != "retry-after" or value.replace(".", "").isdigit():
        return value
    try:
        passed = parsedate_to_datetime(value) - FROZEN
    except ValueError:
        return value
    return format_datetime(datetime.now(UTC) + passed, usegmt=True)
