"""The editor's own models, asked with `ai/lm/request`: the port `EditorModels` over JSON-RPC.

The request is answered at once with null; the answer comes in `ai/lm/delta` notifications and ends
with `ai/lm/end`. Whatever comes for an answer that nobody waits for any more is dropped here, and
only here. Types are converted in `to_wire` and `from_wire`.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import msgspec

from protocol.ai import LmDelta, LmEnd
from providers.errors import Malformed, NotConfigured, ProviderError, ResponseError
from providers.types import ChatRequest, Finish, StreamStart, StreamToken, UsageReport
from providers.wire.json_text import SurrogateJoiner
from sidecar import from_wire, to_wire
from sidecar.envelope import METHOD_NOT_FOUND, RpcError
from sidecar.handshake import at
from sidecar.rpc import Connection

logger = logging.getLogger(__name__)

REQUEST = "ai/lm/request"
DELTA = "ai/lm/delta"
END = "ai/lm/end"


class _Answer:
    """One answer on its way: what has come and was not read yet."""

    __slots__ = ("_calls", "_joiner", "ended", "failure", "news", "tokens")

    def __init__(self, id: str, model: str) -> None:
        self.tokens: list[StreamToken] = [StreamStart(id, model)]
        self.ended = False
        self.failure: ProviderError | None = None
        self.news = asyncio.Event()
        self._calls: dict[str, int] = {}
        self._joiner = SurrogateJoiner()  # an editor may cut between the halves of a character

    def add(self, delta: LmDelta) -> None:
        call = delta.tool_call
        index = self._calls.setdefault(call.id, len(self._calls)) if call is not None else 0
        if tokens := self._joiner.join(from_wire.lm_tokens(delta, index)):
            self.tokens += tokens
            self.news.set()

    def end(self, said: LmEnd) -> None:
        if said.error is not None:
            self.fail(from_wire.lm_error(said.error))
            return
        if said.usage is not None:
            self.tokens.append(UsageReport(from_wire.lm_usage(said.usage)))
        self.tokens += self._joiner.join([Finish("toolCalls" if self._calls else "stop")])
        self.ended = True
        self.news.set()

    def fail(self, error: ProviderError) -> None:
        self.failure, self.ended = error, True
        self.news.set()


class RpcEditorModels:
    """Made once per connection, where the client announced `experimental.aiSidecar.lm`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._answers: dict[str, _Answer] = {}
        self._requests: set[asyncio.Task[None]] = set()

    async def ask(self, request: ChatRequest) -> AsyncGenerator[list[StreamToken], None]:
        """Return the editor's answer; see `EditorModels.ask`."""
        message_id = self._connection.new_id()
        answer = self._answers[message_id] = _Answer(message_id, request.model)
        task = asyncio.get_running_loop().create_task(self._send(message_id, request, answer))
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        try:
            await answer.news.wait()
            while True:
                if tokens := answer.tokens:
                    answer.tokens = []
                    yield tokens
                elif answer.failure is not None:
                    raise answer.failure
                elif answer.ended:
                    return
                else:
                    answer.news.clear()
                    await answer.news.wait()
        finally:
            del self._answers[message_id]
            if not answer.ended:
                self._connection.notify("$/cancelRequest", {"id": message_id})

    async def _send(self, message_id: str, request: ChatRequest, answer: _Answer) -> None:
        """Send the request. Its own answer says nothing but that it was refused.

        It is waited for even after a cancel: the client may still answer.
        """
        params = to_wire.lm_request(message_id, request)
        try:
            await self._connection.request(REQUEST, params, message_id=message_id)
        except RpcError as error:
            if not answer.ended:
                answer.fail(_refusal(error))

    def notified(self, method: str, params: Any) -> None:
        """Take the client's `ai/lm/delta` or `ai/lm/end`. Never raises."""
        message_id = at(params, "id")
        answer = self._answers.get(message_id) if isinstance(message_id, str) else None
        if answer is None or answer.ended:
            logger.debug("%s for %r came too late", method, message_id)
            return
        try:
            if method == DELTA:
                answer.add(msgspec.convert(params, LmDelta))
            else:
                answer.end(msgspec.convert(params, LmEnd))
        except msgspec.ValidationError as error:
            answer.fail(Malformed(f"the editor's {method} is not what it should be: {error}"))

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        for task in list(self._requests):
            task.cancel()
        await asyncio.gather(*self._requests, return_exceptions=True)


def _refusal(error: RpcError) -> ProviderError:
    if error.code == METHOD_NOT_FOUND:
        return NotConfigured(f"the editor announced models and knows no {REQUEST}")
    return ResponseError(f"the editor refused {REQUEST}: {error.message}", kind="server")
