"""`$/progress` of one stream: the hot path from a token to the bytes of its frame.

The part of the frame that is the same for every token is encoded once; a text token costs the
encoding of its string and four references in the outbox. Nothing here is kept per token.
"""

from typing import Protocol

import msgspec

from protocol.ai import ProgressToken
from providers.types import ManagerToken, ReasoningDelta, TextDelta
from sidecar.outbox import Outbox
from sidecar.to_wire import encode, progress_value

_TEXT = b'{"kind":"text","text":'
_TAIL = b"}}}"
_HEADERS = [b"Content-Length: %d\r\n\r\n" % size for size in range(1024)]
_encode_text = msgspec.json.Encoder().encode


class Liveness(Protocol):
    """Says whether anything may still be sent."""

    @property
    def live(self) -> bool: ...
    @property
    def open(self) -> bool: ...


class ProgressStream:
    """Sends values in order, as long as `call` is live."""

    __slots__ = ("_call", "_outbox", "_size", "_text_head")

    def __init__(self, call: Liveness, outbox: Outbox, token: ProgressToken) -> None:
        self._call = call
        self._outbox = outbox
        self._text_head = (
            b'{"jsonrpc":"2.0","method":"$/progress","params":{"token":%b,"value":%b'
            % (encode(token), _TEXT)
        )
        self._size = len(self._text_head) + len(_TAIL)

    def send(self, tokens: list[ManagerToken]) -> None:
        """Queue a frame for each token that the editor is told of."""
        if not self._call.live:
            return
        size = self._size
        parts: list[bytes] = []
        total = 0
        for token in tokens:
            if type(token) is TextDelta:
                try:
                    text = _encode_text(token.text)
                except UnicodeEncodeError:
                    text = encode(token.text)
                length = size + len(text)
                header = (
                    _HEADERS[length] if length < 1024 else b"Content-Length: %d\r\n\r\n" % length
                )
                parts += (header, self._text_head, text, _TAIL)
                total += len(header) + length
            elif (value := progress_value(token)) is not None:
                total += self._add(value, parts)
        if parts:
            self._outbox.send_parts(parts, total)

    def _add(self, value: object, parts: list[bytes]) -> int:
        """Append the frame of `value`; return its length."""
        body = encode(value)
        head = self._text_head[: -len(_TEXT)]
        length = len(head) + len(body) + 2
        header = b"Content-Length: %d\r\n\r\n" % length
        parts += (header, head, body, b"}}")
        return len(header) + length

    async def send_when_read(self, tokens: list[ManagerToken]) -> None:
        """Wait while the editor does not read, then send; text that waited is sent in one piece."""
        if self._outbox.congested:
            await self._outbox.drained()
            tokens = merged(tokens)
        self.send(tokens)

    def send_value(self, value: object) -> None:
        """Queue a value that is no token (work-done progress)."""
        if self._call.live:
            self._queue(value)

    def send_end(self, value: object) -> None:
        """Queue the value that ends what `send_value` began: also after a cancel, else the editor
        would show it for ever, but never after the answer."""
        if self._call.open:
            self._queue(value)

    def _queue(self, value: object) -> None:
        parts: list[bytes] = []
        size = self._add(value, parts)
        self._outbox.send_parts(parts, size)


def merged(tokens: list[ManagerToken]) -> list[ManagerToken]:
    """Return the same tokens, adjacent text (and adjacent reasoning without state) as one."""
    out: list[ManagerToken] = []
    texts: list[str] = []
    kind: type[TextDelta] | type[ReasoningDelta] | None = None
    for token in tokens:
        mergeable = (
            type(token)
            if isinstance(token, TextDelta)
            or (isinstance(token, ReasoningDelta) and token.opaque is None)
            else None
        )
        if mergeable is not kind and kind is not None:
            out.append(kind("".join(texts)))
            texts = []
        kind = mergeable
        if isinstance(token, TextDelta | ReasoningDelta) and mergeable is not None:
            texts.append(token.text)
        else:
            out.append(token)
    if kind is not None:
        out.append(kind("".join(texts)))
    return out
