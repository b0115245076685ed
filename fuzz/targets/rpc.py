"""JSON-RPC over the real connection: every request is answered exactly once and with its own id,
nothing else is answered, whatever stands between; after `shutdown` nothing is left open."""

import asyncio
import atexit
import json  # noqa: TID251 - the other parser that ours is compared with
import logging
from collections import Counter
from typing import Any

from fuzz.material import Cursor, cut, edited, text_of, words_of
from protocol.ai import CountTokensResult
from sidecar.call import Call
from sidecar.framing import FrameDecoder, frame
from sidecar.outbox import Outbox
from sidecar.rpc import Connection


def _request(id: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def _note(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


MESSAGES: list[list[Any]] = [
    [
        _request(1, "ai/countTokens", text="x"),
        _request("a", "ai/stream", prompt="x", partialResultToken=1),
        _request(2, "ai/complete", prompt="wait"),
        _request(2, "ai/complete", prompt="wait"),
        _note("$/cancelRequest", id=2),
        _request(3, "textDocument/inlineCompletion", textDocument={"uri": "file:///x"}),
        {"jsonrpc": "2.0", "id": "sidecar-1", "result": None},
        _note("window/workDoneProgress/cancel", token="w"),
    ],
    [
        _note("initialized"),
        _note("workspace/didChangeConfiguration", settings={"aiSidecar": {}}),
        _note("ai/lm/delta", id="x", text="t"),
        _request("", "ai/models"),
        _request(-1, "ai/metrics"),
        _request(2**53, "ai/nothing"),
        _request(0, "shutdown"),
        _request(7, "ai/providers"),
    ],
    [
        {"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "m"}},
        {"jsonrpc": "1.0", "id": 1, "method": "ai/models"},
        {"jsonrpc": "2.0", "id": None, "method": "ai/models"},
        {"jsonrpc": "2.0", "id": 1.0, "method": "ai/models"},
        {"jsonrpc": "2.0", "id": 3, "method": "initialize", "params": {}},
        [_request(1, "ai/models")],
        "x",
        _request(True, "x"),
    ],
]
_names = [*words_of(MESSAGES), "exit"]
WORDS = tuple(b'"%b"' % w.encode() for w in _names if len(w) > 2)
SEEDS = (
    *(b"%c%c" % (kind, how) for kind in (64, 65, 66) for how in (0, 1, 9)),
    b"\x40\5\0\3\2\0\7\1\1\4\0\x10\0\x13",
    b"\0\0" + b"".join(frame(text_of(m)) for m in MESSAGES[0]),
    b"\0\0" + frame(b"[" * 5000) + frame(b'{"jsonrpc":"2.0","id":1,"method":"x","params":[1e999]}'),
    b"\0\7" + frame(b'{"jsonrpc":"2.0","id":1,"method":"ai/models","params":{"\xff":1}}'),
)
_loop = asyncio.new_event_loop()
atexit.register(_loop.close)


class Editor:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written = bytearray()

    def write(self, data: bytes, done: Any) -> bool:
        self.written += data
        return True


class Lsp:
    """Answers every request but those for `wait`, which it answers when they are cancelled."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def request(self, message_id: Any, method: str, params: Any) -> None:
        self._connection.answer(message_id, {"method": method})

    def notification(self, method: str, params: Any) -> None:
        pass

    def response(self, message_id: Any, result: Any, error: Any) -> None:
        pass


class Session:
    """Is told things."""

    def notified(self, method: str, params: Any) -> None:
        pass


async def count(session: Any, params: Any, call: Call) -> CountTokensResult:
    """Stands for every method: waits to be cancelled where the prompt says so."""
    if getattr(params, "prompt", None) == "wait":
        await asyncio.get_running_loop().create_future()
    call.notify("$/progress", {"token": 1, "value": {}})
    return CountTokensResult(1, "estimate")


HANDLERS = dict.fromkeys(
    ("ai/complete", "ai/stream", "ai/models", "ai/providers", "ai/health", "ai/countTokens"), count
)  # ai/metrics is missing: a bug, to be answered as one


def check(data: bytes) -> None:
    cursor = Cursor(data)
    kind, how = cursor.byte(), cursor.byte()
    if kind >= 64:
        documents = edited(MESSAGES[kind % len(MESSAGES)], cursor, _names)
        bodies = [text_of(each, kind >> 2) for each in documents]
        given = b"".join(map(frame, bodies))
    else:
        given = cursor.rest()
        bodies = [item for item in FrameDecoder().feed(given) if isinstance(item, bytes)]
    logging.disable(logging.CRITICAL)  # each refusal is a line
    try:
        answers, ended = _loop.run_until_complete(talk(cut(given, how), late=bool(kind & 1)))
    finally:
        logging.disable(logging.NOTSET)
    compare(bodies, answers, ended)


async def talk(pieces: list[bytes], *, late: bool) -> tuple[list[Any], bool]:
    """Return every response, and whether `exit` came."""
    editor, ended = Editor(), []
    outbox = Outbox(editor, on_lost=lambda: None)
    connection = Connection(outbox, on_exit=ended.append)
    if not late:
        plug(connection)
    for piece in pieces:
        if ended:
            break
        connection.receive(piece)
        await asyncio.sleep(0)
    if late:
        plug(connection)
    for _ in range(4):
        await asyncio.sleep(0)
    connection.cancel_all()
    await connection.idle()
    await asyncio.sleep(0)
    await outbox.flushed()
    assert not connection._calls.all() and not connection._lsp_pending
    items = FrameDecoder().feed(bytes(editor.written))
    assert all(isinstance(item, bytes) for item in items)
    sent = [json.loads(item) for item in items if isinstance(item, bytes)]
    return [each for each in sent if "method" not in each], bool(ended)


def plug(connection: Connection) -> None:
    connection.attach_session(Session(), HANDLERS)
    connection.attach_lsp(Lsp(connection))


def compare(bodies: list[bytes], answers: list[Any], ended: bool) -> None:
    for answer in answers:
        assert ("result" in answer) != ("error" in answer) and answer["jsonrpc"] == "2.0"
        assert "error" not in answer or answer["error"]["message"]
    wanted: Counter[Any] = Counter()
    for body in bodies:
        id = expected(body)
        if id == "exit":
            break
        if id is not None:
            wanted[id] += 1
    got: Counter[Any] = Counter((type(a["id"]).__name__, a["id"]) for a in answers)
    maybe = wanted.pop("maybe", 0)
    if not ended:
        assert 0 <= sum(got.values()) - sum(wanted.values()) <= maybe, (wanted, got)
    for id, times in wanted.items():
        if id != "any":
            assert got[id] >= times if not ended else got[id] <= times, (id, times, got)


def expected(body: bytes) -> Any:
    """Return (type, id) of the answer to a message, "any" where it is an error whose id may be
    null, None where there is no answer, "exit" at the end. "maybe": names and values that nobody
    reads are not looked at, so that a message with such bytes in it may pass for a notification."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError:
        return "maybe"
    except (ValueError, RecursionError):
        return "any"
    if not isinstance(value, dict):
        return "any"
    id, method = value.get("id", ()), value.get("method", ())
    if value.get("jsonrpc") != "2.0" or isinstance(id, bool):
        return "any"
    answers = method == () and ("result" in value or "error" in value)
    if id is None:
        return None if answers else "any"
    if not isinstance(id, int | str | tuple) or (isinstance(id, int) and abs(id) > 10**300):
        return "any"
    if answers:
        return None
    if not isinstance(method, str):
        return "any"
    if id == ():
        return "exit" if method == "exit" else None
    if isinstance(id, str):
        id = id.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return (type(id).__name__, id)


def _refuse(name: str) -> None:
    raise ValueError(name)
