"""A scripted service on loopback, and the configuration that points the program at it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.contract import chat
from tests.http.server import RawServer


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RawServer]:
    """Answers every request with `ok`, until a test scripts it."""
    server = await RawServer.start(chat.streamed(["ok"]))
    yield server
    await server.aclose()


def options(server: RawServer, **more: Any) -> dict[str, Any]:
    """Configure one OpenAI-compatible provider, called `up`."""
    up = {
        "kind": "openai-compatible",
        "baseUrl": f"{server.origin}/v1",
        "apiKey": "sk-contract-test-0123456789",
        "model": "m",
    }
    return {"default": "up", "providers": {"up": up}, **more}
