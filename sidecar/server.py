"""The LSP side: pygls with its features in one list, and the protocol class that makes it answer.

What pygls would do to a message is done here only where it answers wrongly or not at all: nested
objects taken for messages, bad params and unknown methods left unanswered, tracebacks sent to the
client. Bytes, ids and the states of the session are `sidecar.rpc`'s.
"""

import asyncio
import contextvars
import logging
import re
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, cast

from cattrs import ClassValidationError, transform_error
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import (
    JsonRPCNotification,
    JsonRPCRequestMessage,
    LanguageServerProtocol,
    default_converter,
)

from sidecar.about import NAME, VERSION
from sidecar.actions import feature as actions
from sidecar.actions.feature import ActionFeature
from sidecar.documents import use_in
from sidecar.envelope import (
    INTERNAL_ERROR,
    METHOD_NOT_FOUND,
    REQUEST_CANCELLED,
    Id,
    InvalidParams,
    RpcError,
)
from sidecar.handlers.select_model import select_model
from sidecar.handshake import at, position_encoding
from sidecar.inline import feature as inline
from sidecar.inline.feature import InlineFeature
from sidecar.inline.ignored_files import IgnoredFiles
from sidecar.rpc import Connection
from sidecar.session import Session
from sidecar.to_wire import rpc_error

logger = logging.getLogger(__name__)


class SidecarServer(LanguageServer):
    """The language server of one editor. `session` is there before the first message is."""

    session: Session
    inline: InlineFeature
    actions: ActionFeature

    on_arrival: dict[str, Callable[[Any, Any], Any]]
    """By method, or by the name of a command: makes what a handler gets in place of the params, of
    these and of what they were on the wire, when the request arrives. A handler begins a loop turn
    later, and the next message may have changed the document by then."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Say nothing to the user: requests are answered, and everything is logged."""


def make_server(connection: Connection, session: Session) -> "LspBridge":
    """Return the LSP side, pygls initialized with the params that were answered already."""
    server = SidecarServer(
        NAME, VERSION, protocol_cls=BridgedProtocol, converter_factory=default_converter
    )
    server.session = session
    server.on_arrival = {}
    root = inline.root_of(session.params)
    ignored = IgnoredFiles(root, session.environ, asyncio.get_running_loop().time)
    server.inline = InlineFeature(server, session, ignored, root)
    server.actions = ActionFeature(server, session, ignored, root)
    register(server)
    bridge = LspBridge(server, connection)
    bridge.replay(session.params)
    connection.attach_lsp(bridge)
    return bridge


def register(server: SidecarServer) -> None:
    """Every feature, in one list. What is added here is announced in `handshake.py` as well."""
    server.command("aiSidecar.selectModel")(select_model)
    server.command(inline.ACCEPTED)(inline.accepted)
    server.command(actions.REWRITE)(actions.rewrite)
    server.command(actions.APPLY)(actions.apply)
    server.on_arrival[actions.REWRITE] = server.actions.rewrite_asked
    server.on_arrival[actions.APPLY] = server.actions.apply_asked
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions.OPTIONS)(actions.listed)
    server.feature(types.CODE_ACTION_RESOLVE)(actions.resolve)
    server.on_arrival[types.CODE_ACTION_RESOLVE] = server.actions.resolve_asked
    server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION)(inline.complete)
    # pygls announces nothing without options, and would only take an object for them.
    features: Any = server.protocol.fm
    features.feature_options[types.TEXT_DOCUMENT_INLINE_COMPLETION] = True
    server.on_arrival[types.TEXT_DOCUMENT_INLINE_COMPLETION] = server.inline.snapshot
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
    server.feature(inline.DID_SHOW)(inline.did_show)
    server.feature(inline.DID_PARTLY)(inline.did_partly_accept)


def did_change(ls: SidecarServer, params: types.DidChangeTextDocumentParams) -> None:
    """What is under way was asked for another text."""
    ls.inline.engine.stop(params.text_document.uri)
    ls.actions.engine.changed(params.text_document.uri)


def did_close(ls: SidecarServer, params: types.DidCloseTextDocumentParams) -> None:
    """Forget the document."""
    ls.inline.engine.closed(params.text_document.uri)
    ls.actions.engine.changed(params.text_document.uri)


class BridgedProtocol(LanguageServerProtocol):
    """pygls' protocol with its way out replaced: messages leave through the bridge."""

    bridge: "LspBridge"

    def _send_data(self, data: Any) -> None:
        self.bridge.send(self._converter.unstructure(data))

    def answer_of(self, future: "Future[Any] | asyncio.Future[Any]") -> object:
        """Return what to answer: a result as plain data, or an `RpcError`."""
        if future.cancelled():
            return RpcError(REQUEST_CANCELLED, "cancelled")
        error = future.exception()
        if error is None:
            return self._converter.unstructure(future.result())
        if isinstance(error, JsonRpcException):
            return RpcError(error.code, error.message)
        answer = rpc_error(error)
        if answer.code == INTERNAL_ERROR:
            logger.error("a request failed", exc_info=error)
        return answer

    def log_failure(self, future: "Future[Any] | asyncio.Future[Any]") -> None:
        """Log what became of a notification's handler, if it failed."""
        if not future.cancelled() and (error := future.exception()) is not None:
            logger.error("a notification could not be handled", exc_info=error)


class LspBridge:
    """Between our connection and pygls (`rpc.LspSide`): plain data here, objects there."""

    def __init__(self, server: SidecarServer, connection: Connection) -> None:
        self.server = server
        self.connection = connection
        self.initialize_result: Any = None  # pygls' own answer, kept for the test that compares it
        self._protocol = cast(BridgedProtocol, server.protocol)
        self._asked: set[Id] = set()
        self._protocol.bridge = self

    def replay(self, params: dict[str, Any]) -> None:
        """Give pygls the `initialize` that has been answered; its own answer is not sent."""
        # Initialization options are the session's, and may hold keys: pygls logs what it is given.
        given = {k: v for k, v in params.items() if k != "initializationOptions"}
        try:
            message = self._structure("initialize", given, message_id=0)
        except InvalidParams as error:
            logger.warning("initialize: %s; only the basics are used", error.message)
            message = self._structure("initialize", _basics(params), message_id=0)
        handler = self._handler("initialize")
        future = self._execute(0, handler, message.params)
        self.initialize_result = self._protocol._converter.unstructure(future.result())  # pyright: ignore[reportPrivateUsage]
        use_in(self.server.workspace)

    def request(self, message_id: Id, method: str, params: object) -> None:
        """Handle a request; it is answered here or when its handler is done."""
        try:
            handler = self._handler(method)
            given = self._structure(method, params, message_id=message_id).params
            arguments: list[Any] = [given]
            if method == types.WORKSPACE_EXECUTE_COMMAND:
                method, arguments = given.command, [*(given.arguments or ())]
                handler = self._command(method)
            take = self.server.on_arrival.get(method)
            if take is not None:
                arguments = [take(given, params)]
            self._execute(message_id, handler, *arguments)
        except RpcError as error:
            self.connection.answer(message_id, error)
        except Exception as error:
            answer = rpc_error(error)
            if answer.code == INTERNAL_ERROR:
                logger.exception("%s failed", method)
            self.connection.answer(message_id, answer)

    def notification(self, method: str, params: object) -> None:
        """Handle a notification; an unknown one is nobody's fault."""
        if method == "$/cancelRequest":
            future = self._protocol._request_futures.get(at(params, "id"))  # pyright: ignore[reportPrivateUsage]
            if future is not None:
                future.cancel()
            return
        if method == types.WINDOW_WORK_DONE_PROGRESS_CANCEL:
            task = self.server.actions.tokens.get(at(params, "token"))
            if task is not None:
                task.cancel()
            return
        try:
            handler = self._handler(method)
            message = self._structure(method, params)
            self._execute(None, handler, message.params)
        except RpcError as error:
            if error.code != METHOD_NOT_FOUND:
                logger.warning("notification %s was ignored: %s", method, error.message)
        except Exception:
            logger.exception("notification %s could not be handled", method)

    def response(self, message_id: Id, result: object, error: object) -> None:
        """Hand the client's answer to whoever asked through pygls."""
        if message_id not in self._asked:
            logger.warning("the client answered what nobody asked")
            return
        self._asked.discard(message_id)
        protocol = self._protocol
        if error is not None:
            code, message = at(error, "code"), at(error, "message")
            failure = types.ResponseError(code if isinstance(code, int) else 0, str(message))
            protocol._handle_response(message_id, None, failure)  # pyright: ignore[reportPrivateUsage]
            return
        kind = protocol._result_types.pop(message_id, None)  # pyright: ignore[reportPrivateUsage]
        if kind is not None:
            whole = {"jsonrpc": "2.0", "id": message_id, "result": result}
            result = protocol._converter.structure(whole, kind).result  # pyright: ignore[reportPrivateUsage]
        protocol._handle_response(message_id, result)  # pyright: ignore[reportPrivateUsage]

    def send(self, message: dict[str, Any]) -> None:
        """Send a request or notification of pygls'."""
        if "method" not in message:
            return  # an answer: those go through `answer_with`
        if message.get("params") is None:
            message["params"] = {}
        if "id" in message:
            self._asked.add(message["id"])
        self.connection.send(message)

    def _handler(self, method: str) -> Any:
        features: Any = self._protocol.fm
        handler = features.builtin_features.get(method) or features.features.get(method)
        if handler is None:
            raise RpcError(METHOD_NOT_FOUND, f"no such method: {method}")
        return handler

    def _command(self, name: str) -> Any:
        """Return a command's handler. pygls would run it beside the request, out of a cancel's
        reach."""
        known: Any = cast(Any, self._protocol.fm).commands
        if name not in known:
            raise InvalidParams("command", f"expected one of {', '.join(known)}")
        return known[name]

    def _structure(self, method: str, params: object, *, message_id: Id | None = None) -> Any:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
        if message_id is not None:
            message["id"] = message_id
        kind = self._protocol.get_message_type(method)
        if kind is None:
            generic = JsonRPCNotification if message_id is None else JsonRPCRequestMessage
            return generic(**message)
        try:
            return self._protocol._converter.structure(message, kind)  # pyright: ignore[reportPrivateUsage]
        except ClassValidationError as error:
            raise _invalid_params(error) from None

    def _execute(self, message_id: Id | None, handler: Any, *arguments: Any) -> "Future[Any]":
        protocol = self._protocol
        key: Any = object() if message_id is None else message_id
        done = Future[Any]()

        def finished(future: Any) -> None:
            protocol._request_futures.pop(key, None)  # pyright: ignore[reportPrivateUsage]
            if message_id is None:
                protocol.log_failure(future)
            else:
                self.connection.answer(message_id, protocol.answer_of(future))
            _copy(future, done)

        def run() -> None:
            protocol._ctx_msg_id.set(message_id)  # pyright: ignore[reportPrivateUsage]
            protocol._execute_handler(key, handler, finished, arguments)  # pyright: ignore[reportPrivateUsage]

        contextvars.copy_context().run(run)
        return done


def _copy(source: Any, target: "Future[Any]") -> None:
    if not source.cancelled() and source.exception() is None:
        target.set_result(source.result())
    else:
        target.cancel()


def _basics(params: dict[str, Any]) -> dict[str, Any]:
    """Return what an InitializeParams must have, and what we cannot do without."""
    return {
        "processId": None,
        "rootUri": None,
        "capabilities": {"general": {"positionEncodings": [position_encoding(params)]}},
    }


def _invalid_params(error: ClassValidationError) -> InvalidParams:
    """Name the first field that is wrong, as the client writes it."""
    expected, _, path = transform_error(error)[0].partition(" @ $")
    field = re.sub(r"_([a-z])", lambda m: m[1].upper(), path.removeprefix(".params").lstrip("."))
    return InvalidParams(field, expected)
