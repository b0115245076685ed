"""JSON-RPC over frames: every request answered exactly once, nothing sent after its answer.

`ai/*` goes from bytes to a handler and back through msgspec. Everything else goes to the LSP side
(pygls), which may be attached later than the first message comes. It knows no provider and no
editor feature; the handlers do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, cast

import msgspec
from msgspec import UNSET, Raw, UnsetType

from protocol.ai import Envelope
from protocol.methods import METHODS
from sidecar.call import Call, Calls
from sidecar.envelope import (
    IN_PIECES,
    INTERNAL_ERROR,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Id,
    RpcError,
    any_decoder,
    decode,
    decode_params,
)
from sidecar.framing import FrameDecoder, FrameError, frame
from sidecar.handshake import at, error_body, open_item
from sidecar.log import trace
from sidecar.outbox import Outbox
from sidecar.to_wire import encode, rpc_error
from sidecar.unknown_fields import UnknownFields

logger = logging.getLogger(__name__)

FOR_SESSION = ("initialized", "workspace/didChangeConfiguration", "ai/lm/delta", "ai/lm/end")
"""Notifications that are the session's: pygls would log what is in them, keys included."""

SESSION_COMMANDS = ("aiSidecar.selectModel",)
"""Commands that go before what `ai/*` asks after them: pygls may be there only later."""

NO_REQUESTS = ("exit", "$/cancelRequest", "window/workDoneProgress/cancel", *FOR_SESSION)
"""Notifications, and not to be had as requests: nothing would say what was answered."""

CANCEL_GRACE = 1.0
"""Seconds after which a cancel is answered even if the work has not stopped: a bug, but not the
client's."""


Handler = Callable[[Any, Any, Call], Awaitable[msgspec.Struct]]
"""`(session, params, call) -> result`. Raises what `to_wire.rpc_error` knows, or a bug."""


class Listener(Protocol):
    """What handlers are given as their session; here it only hears what is `FOR_SESSION`."""

    def notified(self, method: str, params: Any, /) -> None: ...


class LspSide(Protocol):
    """What serves the standard methods. Every request is answered through `Connection.answer`."""

    def request(self, message_id: Id, method: str, params: object) -> None: ...
    def notification(self, method: str, params: object) -> None: ...
    def response(self, message_id: Id, result: object, error: object) -> None: ...


class Connection:
    """One editor's connection, after `initialize` was answered.

    `on_exit` is called once, with the exit code, on `exit`; `on_lsp_wanted` at the first message
    that the LSP side has to see.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        decoder: FrameDecoder | None = None,
        on_exit: Callable[[int], None],
        on_lsp_wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self.outbox = outbox
        self._on_lsp_wanted = on_lsp_wanted
        self._loop = asyncio.get_running_loop()
        self._handlers: Mapping[str, Handler] = {}
        self._decoder = decoder or FrameDecoder()
        self._on_exit = on_exit
        self._shut_down = False
        self._calls = Calls()
        self._session: Listener | None = None
        self._early_notes: list[tuple[str, Any]] = []
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._lsp: LspSide | None = None
        self._early: list[Callable[[LspSide], None]] = []  # for the LSP side, before it is there
        self._lsp_pending: dict[Id, int] = {}
        self._asked: dict[Id, asyncio.Future[Any]] = {}
        self._asked_count = 0
        self._unknown_fields = UnknownFields()

    # --- what is plugged in ----------------------------------------------------------------

    def attach_session(self, session: Listener, handlers: Mapping[str, Handler]) -> None:
        """Let the calls that wait for a session go on with this one."""
        self._session, self._handlers = session, handlers
        self._ready.set_result(None)
        for method, params in self._early_notes:
            session.notified(method, params)
        self._early_notes.clear()

    def fail(self, error: Exception) -> None:
        """A part of the program is missing: what needs it is answered as the bug that this is."""
        if not self._ready.done():
            self._ready.set_exception(error)
            self._ready.exception()  # it may never be awaited
        if self._lsp is None:
            self.attach_lsp(_NoLsp(self))

    def attach_lsp(self, lsp: LspSide) -> None:
        """Hand over everything that came for it so far, in order."""
        early, self._early = self._early, []
        for hand_over in early:
            hand_over(lsp)
        self._lsp = lsp

    # --- in ----------------------------------------------------------------------------------

    def receive(self, data: bytes) -> int:
        """Take what was read from the client; return the bytes that a message under way lacks."""
        for item in self._decoder.feed(data):
            self.receive_frame(item)
        return self._decoder.lacking

    def receive_frame(self, item: bytes | FrameError) -> None:
        """Take one message. Never raises: a message is answered, or logged, or both."""
        try:
            message = open_item(item)
            if message is None:
                logger.warning("stdin: %s", cast(FrameError, item).message)
            elif message.method is UNSET:
                self._response(message)
            elif message.id is UNSET:
                self._notification(message.method, message.params)
            else:
                self._request(cast(Id, message.id), message.method, message.params)
        except RpcError as error:
            self._send(error_body(error))
        except Exception:
            logger.exception("a message could not be handled")

    def _request(self, message_id: Id, method: str, params: Raw) -> None:
        try:
            if self._shut_down:
                raise RpcError(INVALID_REQUEST, f"{method} after shutdown")
            if method == "initialize":
                raise RpcError(INVALID_REQUEST, "initialize may be sent only once")
            if method == "shutdown":
                self._shutdown(message_id)
            elif method in METHODS:
                self._start(message_id, method, params)
            elif method.startswith("ai/") or method in NO_REQUESTS:
                raise RpcError(METHOD_NOT_FOUND, f"no such method: {method}")
            else:
                self._standard_request(message_id, method, decode_params(any_decoder, params))
        except RpcError as error:
            error.id = message_id
            raise
        except Exception as error:
            logger.exception("%s could not be handled", method)
            if message_id in self._lsp_pending:
                self.answer(message_id, rpc_error(error))
            else:
                answer = rpc_error(error)
                answer.id = message_id
                self._send(error_body(answer))

    def _notification(self, method: str, raw: Raw) -> None:
        if method == "exit":
            self._on_exit(0 if self._shut_down else 1)
            return
        try:
            params = decode_params(any_decoder, raw, keep_halves=method == IN_PIECES)
        except RpcError as error:
            logger.warning("notification %s was ignored: %s", method, error.message)
            return
        if method == "$/cancelRequest":
            self._cancel_request(params)
        elif method == "window/workDoneProgress/cancel":
            self._cancel_work(params)
        elif method in FOR_SESSION:
            if self._session is None:
                self._early_notes.append((method, params))
            else:
                self._session.notified(method, params)
        else:
            self._to_lsp(lambda lsp: lsp.notification(method, params))

    # --- calls of ai/* ---------------------------------------------------------------------------

    def _start(self, message_id: Id, method: str, raw: Raw) -> None:
        params = self._unknown_fields.decode(method, raw)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %r begins", method, message_id)
            trace(logger, "←", raw)
        self._begin(Call(self, method, message_id), params)

    def _begin(self, call: Call, params: Any) -> None:
        self._calls.add(call)
        call.task = self._loop.create_task(self._run(call, params))

    async def _run(self, call: Call, params: Any) -> None:
        call.begun = True
        try:
            if self._session is None:
                await asyncio.shield(self._ready)
            if call.method in SESSION_COMMANDS:
                result = cast(Any, self._session).command(call.method, params)
            else:
                work = self._handlers[call.method](self._session, params, call)
                del params  # a stream may last for minutes, and a conversation be large
                result = await work
        except asyncio.CancelledError:
            self._finish(call, _cancelled())
            raise
        except Exception as error:
            answer = rpc_error(error)
            if answer.code == INTERNAL_ERROR:
                logger.exception("%s failed", call.method)
            self._finish(call, answer)
        else:
            self._finish(call, _cancelled() if call.cancelled else result)

    def _finish(self, call: Call, answer: "msgspec.Struct | RpcError | None") -> None:
        if not call.open:
            return
        call.open = False
        if call.grace is not None:
            call.grace.cancel()
        self._calls.remove(call)
        try:
            body = _body(call.id, answer)
        except Exception as error:  # a result that cannot be written is a bug, and answered so
            logger.exception("%s gave no answer", call.method)
            body = _body(call.id, rpc_error(error))
        self._send(body)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %r is answered", call.method, call.id)
            trace(logger, "→", body)

    def cancel(self, call: Call) -> None:
        """Stop a call's work; it is answered with the cancel's code once it has stopped."""
        if call.cancelled or call.task is None:
            return
        call.cancelled = True
        call.task.cancel()
        if call.begun:
            call.grace = self._loop.call_later(CANCEL_GRACE, self._finish, call, _cancelled())
        else:  # a task that is cancelled before its first step never runs at all
            self._finish(call, _cancelled())

    def cancel_all(self) -> None:
        """Stop all calls."""
        for call in self._calls.all():
            self.cancel(call)

    async def idle(self) -> None:
        """Return once no call is being worked on."""
        tasks = [call.task for call in self._calls.all() if call.task is not None]
        if tasks:
            await asyncio.wait(tasks)

    def _cancel_request(self, params: Any) -> None:
        message_id = at(params, "id")
        if not isinstance(message_id, int | str) or isinstance(message_id, bool):
            return  # in Python True is 1, and would cancel another request
        called = self._calls.of(message_id)
        for call in called:
            self.cancel(call)
        if self._lsp_pending and not called:
            self._to_lsp(lambda lsp: lsp.notification("$/cancelRequest", params))

    def _cancel_work(self, params: Any) -> None:
        token = at(params, "token")
        if not isinstance(token, int | str):
            return
        for call in self._calls.all():
            if call.work_done_token is not None and call.work_done_token == token:
                self.cancel(call)
        self._to_lsp(lambda lsp: lsp.notification("window/workDoneProgress/cancel", params))

    # --- the LSP side ------------------------------------------------------------------------

    def _to_lsp(self, hand_over: Callable[[LspSide], None]) -> None:
        if self._lsp is not None:
            hand_over(self._lsp)
            return
        if not self._early:
            self._on_lsp_wanted()
        self._early.append(hand_over)

    def _standard_request(self, message_id: Id, method: str, params: Any) -> None:
        if method == "workspace/executeCommand":
            command = at(params, "command")
            if isinstance(command, str) and command in SESSION_COMMANDS:
                self._begin(Call(self, command, message_id), at(params, "arguments"))
                return
        self._lsp_pending[message_id] = self._lsp_pending.get(message_id, 0) + 1
        self._to_lsp(lambda lsp: lsp.request(message_id, method, params))

    def answer(self, message_id: Id, answer: object) -> None:
        """Send the LSP side's answer: a result as plain data, or an `RpcError`.

        Dropped if no such request is waiting.
        """
        waiting = self._lsp_pending.pop(message_id, 0)
        if not waiting:
            return
        if waiting > 1:
            self._lsp_pending[message_id] = waiting - 1
        self._send(_body(message_id, answer))

    def _shutdown(self, message_id: Id) -> None:
        self._shut_down = True
        self.cancel_all()
        self._cancel_lsp()
        if self._lsp is not None:
            self._lsp.request(message_id, "shutdown", {})  # its answer is dropped: ours follows
        self._send(b'{"jsonrpc":"2.0","id":%b,"result":null}' % encode(message_id))

    def _cancel_lsp(self) -> None:
        """Answer what the LSP side has not; its own answers are dropped then."""
        for message_id, waiting in list(self._lsp_pending.items()):
            if self._lsp is not None:
                self._lsp.notification("$/cancelRequest", {"id": message_id})
            for _ in range(waiting):
                self.answer(message_id, _cancelled())

    # --- out -----------------------------------------------------------------------------------

    def notify(self, method: str, params: object) -> None:
        """Send a notification. `params` is an object, never null: some clients crash without."""
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def new_id(self) -> str:
        """Return an id for a request of ours."""
        self._asked_count += 1
        return f"sidecar-{self._asked_count}"

    async def request(self, method: str, params: object, *, message_id: str = "") -> Any:
        """Ask the client; return its result as plain data. Raises `RpcError` with its error.

        `message_id` is one of `new_id`, for params that name it.
        """
        message_id = message_id or self.new_id()
        answer = self._asked[message_id] = self._loop.create_future()
        self.send({"jsonrpc": "2.0", "id": message_id, "method": method, "params": params})
        try:
            return await answer
        finally:
            self._asked.pop(message_id, None)

    def _response(self, message: Envelope) -> None:
        message_id = message.id
        if not isinstance(message_id, int | str):
            logger.warning("the client could not read a message of ours")
            return
        result, error = _plain(message.result), _plain(message.error)
        asked = self._asked.get(message_id)
        if asked is None:
            self._to_lsp(lambda lsp: lsp.response(message_id, result, error))
        elif not asked.done():
            if error is not None:
                asked.set_exception(_client_error(error))
            else:
                asked.set_result(result)

    def send(self, message: dict[str, Any]) -> None:
        """Send a message given as plain data."""
        self._send(encode(message))

    def _send(self, body: bytes) -> None:
        self.outbox.send(frame(body))


class _NoLsp:
    """Stands in where pygls could not be loaded: answers every request so."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def request(self, message_id: Id, method: str, params: object) -> None:
        self._connection.answer(message_id, rpc_error(RuntimeError(method)))

    def notification(self, method: str, params: object) -> None:
        pass

    def response(self, message_id: Id, result: object, error: object) -> None:
        pass


def _body(message_id: Id, answer: object) -> bytes:
    """Return the response: of an `RpcError`, or of a result. Raises if it is not plain data."""
    if isinstance(answer, RpcError):
        answer.id = message_id
        return error_body(answer)
    return b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (encode(message_id), encode(answer))


def _cancelled() -> RpcError:
    return rpc_error(asyncio.CancelledError())


def _plain(raw: "Raw | UnsetType") -> Any:
    return None if isinstance(raw, UnsetType) else decode(any_decoder, raw)


def _client_error(value: Any) -> RpcError:
    code, message = at(value, "code"), at(value, "message")
    return RpcError(code if isinstance(code, int) else INTERNAL_ERROR, str(message))
