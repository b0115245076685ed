"""A service on loopback for the editor to be answered by: chat, filling in, a list of models."""

import json
from collections.abc import Sequence
from typing import Any

from tests.contract import chat
from tests.http.server import RawServer, Recorded, Step

MODELS = ["m-large", "m-small"]


class Service:
    """Answers chats with `chat`, completions while typing with `filling`."""

    def __init__(self) -> None:
        self.chat: Sequence[Step] = chat.streamed(["ok"])
        self.filling = ""
        self.server: RawServer
        self.asked: list[Recorded] = []

    async def start(self) -> None:
        self.server = await RawServer.start(handler=self._answer)
        self.server.bodies_first = True

    @property
    def options(self) -> dict[str, Any]:
        """One provider, `up`, whose models have a price of a dollar and more a word."""
        return {
            "aiSidecar.default": "up/m-large",
            "aiSidecar.providers": {
                "up": {
                    "kind": "openai-compatible",
                    "baseUrl": f"{self.server.origin}/v1",
                }
            },
            "aiSidecar.models": {
                "up/m-large": {"prices": {"inputPerMTok": 1000, "outputPerMTok": 2000}}
            },
            "aiSidecar.inline.mode": "fim",
            "aiSidecar.inline.model": "m-small",
            "aiSidecar.inline.debounceMs": 0,
            "aiSidecar.retry.attempts": 1,
        }

    def chats(self) -> list[Any]:
        """Return the bodies of the chats so far."""
        return [json.loads(r.body) for r in self.asked if r.path.endswith("/chat/completions")]

    def _answer(self, request: Recorded) -> Sequence[Step]:
        self.asked.append(request)
        if request.path.endswith("/models"):
            listed = [{"id": name, "object": "model"} for name in MODELS]
            return [chat.answer(200, json.dumps({"object": "list", "data": listed}).encode())]
        if request.path.endswith("/chat/completions"):
            return self.chat
        choice = {"index": 0, "text": self.filling, "finish_reason": "stop"}
        body = chat.event({"id": "f-1", "choices": [choice]}) + b"data: [DONE]\n\n"
        return [chat.HEAD, chat.chunk(body), chat.LAST_CHUNK]
