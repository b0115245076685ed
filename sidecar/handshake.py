"""Answers `initialize` before anything heavy is imported: msgspec and `protocol`'s types only.

The answer is a function of a few client capabilities, so it needs neither pygls nor a provider;
`sidecar.server` replays the request into pygls afterwards, and a test compares the two answers.
Reads and writes block: there is nothing else to do yet.
"""

from typing import Any, NamedTuple

import msgspec

from protocol.ai import PROGRESS_KINDS, Envelope
from protocol.methods import METHODS
from sidecar.about import NAME, VERSION
from sidecar.descriptors import read, write_all
from sidecar.envelope import (
    INVALID_REQUEST,
    NOT_INITIALIZED,
    InvalidParams,
    RpcError,
    any_decoder,
    decode_params,
    id_in_head,
    open_envelope,
)
from sidecar.framing import FrameDecoder, FrameError, frame

COMMANDS = [
    "aiSidecar.selectModel",
    "aiSidecar.accepted",
    "aiSidecar.rewrite",
    "aiSidecar.applyAction",
]
"""What `workspace/executeCommand` knows. Neovim runs a command only if it is listed."""

ACTION_KINDS = ["quickfix", "refactor.rewrite", "refactor.test"]
"""Of the code actions that there are (`sidecar.actions.menu`)."""

_ENCODINGS = ("utf-8", "utf-16", "utf-32")
_INCREMENTAL = 2  # LSP TextDocumentSyncKind


class Opening(NamedTuple):
    """A session whose `initialize` has been answered. `frames` came in the same read, unhandled."""

    params: dict[str, Any]
    decoder: FrameDecoder
    frames: list[bytes | FrameError]


def shake_hands(fd_in: int, fd_out: int) -> Opening | int:
    """Return the opened session, or the exit code if the input ended before there was one."""
    decoder = FrameDecoder()
    while data := read(fd_in):
        frames = decoder.feed(data)
        for index, item in enumerate(frames):
            try:
                params = _handle(item, fd_out)
            except RpcError as error:
                _send(fd_out, error_body(error))
                continue
            except (SystemExit, BrokenPipeError):
                return 1
            if params is not None:
                return Opening(params, decoder, frames[index + 1 :])
    return 0


def _handle(item: bytes | FrameError, fd_out: int) -> dict[str, Any] | None:
    """Return the params of `initialize` once it is answered, None for anything else.

    Raises `RpcError` for what must be answered so, and `SystemExit` on `exit`.
    """
    message = open_item(item)
    if message is None:
        return None
    if message.id is msgspec.UNSET or message.method is msgspec.UNSET:
        if message.method == "exit":
            raise SystemExit
        return None
    message_id = message.id
    if message_id is None:
        return None
    try:
        if message.method != "initialize":
            raise RpcError(NOT_INITIALIZED, "the first request must be initialize")
        params = decode_params(any_decoder, message.params)
        result = initialize_result(params)
    except RpcError as error:
        error.id = message_id
        raise
    _send(fd_out, result_body(message_id, result))
    return params


def open_item(item: bytes | FrameError) -> Envelope | None:
    """Return a frame's message, None for garbage between frames. Raises `RpcError`."""
    if not isinstance(item, FrameError):
        return open_envelope(item)
    if item.head:
        raise RpcError(INVALID_REQUEST, item.message, id=id_in_head(item.head))
    return None


def initialize_result(params: Any) -> dict[str, Any]:
    """Return the InitializeResult. Raises `InvalidParams`."""
    if not isinstance(params, dict):
        raise InvalidParams("", "expected an object")
    capabilities = at(params, "capabilities")
    if capabilities is not None and not isinstance(capabilities, dict):
        raise InvalidParams("capabilities", "expected an object")
    return {
        "capabilities": server_capabilities(params),
        "serverInfo": {"name": NAME, "version": VERSION},
    }


def server_capabilities(params: Any) -> dict[str, Any]:
    """Return the ServerCapabilities: static, but for the position encoding.

    Only what lsp-types 0.95 knows how to read: Lapce ends the session over anything else.
    """
    return {
        "positionEncoding": position_encoding(params),
        "textDocumentSync": _text_document_sync(params),
        "inlineCompletionProvider": True,
        "codeActionProvider": {
            "codeActionKinds": ACTION_KINDS,
            "resolveProvider": True,
            "workDoneProgress": True,
        },
        "executeCommandProvider": {"commands": COMMANDS},
        "workspace": {
            "workspaceFolders": {"supported": True, "changeNotifications": True},
            "fileOperations": {},
        },
        "experimental": {"aiSidecar": our_capability()},
    }


def _text_document_sync(params: Any) -> dict[str, Any]:
    """Return the sync options. To a client that can tell of a save before it, we say no to that."""
    can = at(params, "capabilities", "textDocument", "synchronization")
    options: dict[str, Any] = {"openClose": True, "change": _INCREMENTAL, "save": False}
    for name in ("willSave", "willSaveWaitUntil"):
        if at(can, name) is not None:
            options[name] = False
    return options


def our_capability() -> dict[str, Any]:
    """Return what is promised under `experimental.aiSidecar` (docs/protocol.md, "Starting it")."""
    return {
        "version": VERSION,
        "methods": list(METHODS),
        "progressKinds": list(PROGRESS_KINDS),
    }


def position_encoding(params: Any) -> str:
    """Return the first of the client's encodings that we know; UTF-16 is LSP's default."""
    offered = at(params, "capabilities", "general", "positionEncodings")
    if isinstance(offered, list):
        for encoding in offered:  # type: ignore[reportUnknownVariableType]  # checked by `in`
            if encoding in _ENCODINGS:
                return str(encoding)  # type: ignore[reportUnknownArgumentType]
    return "utf-16"


def at(value: Any, *path: str) -> Any:
    """Return what stands at `path`, None where there is nothing."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)  # type: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return value  # type: ignore[reportUnknownVariableType]


def result_body(message_id: int | str, result: object) -> bytes:
    """Return a response, unframed."""
    return msgspec.json.encode({"jsonrpc": "2.0", "id": message_id, "result": result})


def error_body(error: RpcError) -> bytes:
    """Return an error response, unframed."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.data is not None:
        body["data"] = error.data
    return msgspec.json.encode({"jsonrpc": "2.0", "id": error.id, "error": body})


def _send(fd_out: int, body: bytes) -> None:
    write_all(fd_out, frame(body))
