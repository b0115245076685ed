"""A scripted service on loopback, and what Neovim needs to ask it."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.contract import chat
from tests.contract.conftest import options
from tests.editors.neovim.nvim import Nvim, init
from tests.http.server import RawServer

Start = Callable[..., Nvim]


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RawServer]:
    """Answers every request with `ok`, until a test scripts it."""
    server = await RawServer.start(chat.streamed(["ok"]))
    yield server
    await server.aclose()


@pytest.fixture
def start(tmp_path: Path, service: RawServer) -> Start:
    """Return a function that makes a Neovim with the plugin, pointed at the service.

    `inline` and `settings` go to the program, `text` and `name` make the file that is open,
    `before` is Lua before everything, and all others are options of the plugin.
    """

    def begin(
        *,
        text: str = "",
        name: str = "app.py",
        inline: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        before: str = "",
        **more: Any,
    ) -> Nvim:
        (tmp_path / name).write_bytes(text.encode())
        inline = {"enabled": True, "debounceMs": 0, "mode": "chat", **(inline or {})}
        given = options(service, inline=inline, **(settings or {}))
        return Nvim(tmp_path, before + init(given, **more), name)

    return begin
