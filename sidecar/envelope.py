"""From the bytes of one message to its envelope, or to the error that must be answered.

Loaded before `initialize` is answered: msgspec and `protocol`'s types only.
"""

import re
from typing import Any, TypeVar, cast

import msgspec

from protocol.ai import Envelope

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
REQUEST_CANCELLED = -32800
CONTENT_MODIFIED = -32801
REQUEST_FAILED = -32803

IN_PIECES = "ai/lm/delta"
"""The one message whose texts are pieces of a longer one: a character may be cut between two."""

Id = int | str
T = TypeVar("T")


class RpcError(Exception):
    """An answer other than a result. `id` is None where it could not be read, or is not ours."""

    def __init__(
        self, code: int, message: str, *, data: msgspec.Struct | None = None, id: Id | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.id = id


class InvalidParams(RpcError):
    """`field` is the path of the field as the client wrote it, "" for the params as a whole."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(INVALID_PARAMS, f"{field or 'params'}: {expected}")


class ContentModified(RpcError):
    """The document is not the one that the answer was made for (LSP's ContentModified)."""

    def __init__(self) -> None:
        super().__init__(CONTENT_MODIFIED, "the document has changed meanwhile; nothing was edited")


class _OnlyId(msgspec.Struct):
    id: Id | None = None


# msgspec says which word is wrong, but not which ones would be right.
_WORDS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (re.compile(r"messages\[\d+\]\.role"), ("system", "user", "assistant", "tool")),
    (re.compile(r".*\.content\[\d+\]\.type"), ("text", "image", "reasoning", "code")),
    (re.compile(r"responseFormat\.type"), ("text", "json", "jsonSchema")),
    (re.compile(r"toolChoice"), ("auto", "none", "required", "{name}")),
    (re.compile(r"reasoning\.effort"), ("none", "minimal", "low", "medium", "high")),
)

_envelope = msgspec.json.Decoder(Envelope)
_only_id = msgspec.json.Decoder(_OnlyId)
_raw = msgspec.json.Decoder(msgspec.Raw)
_id_in_head = re.compile(
    rb'\A\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(-?\d+|"[^"\\]*")'
)
_surrogate = re.compile(rb"\\u[dD][89a-fA-F]")
_escape = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair, kept
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # a half without its other half
    rb"|.)",  # any other escape, kept: an escaped backslash must not start a new one
    re.DOTALL,
)


def decode(decoder: "msgspec.json.Decoder[T]", data: bytes | msgspec.Raw) -> T:
    """Return what `decoder` reads in `data`; a lone surrogate escape is read as U+FFFD.

    JSON allows `\\ud800` alone, Python's strings can hold it, UTF-8 cannot; msgspec refuses it. It
    is replaced only after msgspec refused the text, and the result is decoded as strictly.
    Raises `msgspec.ValidationError` (wrong types), `msgspec.DecodeError` or `UnicodeDecodeError`
    (not JSON) and `RecursionError` (nested too deeply).
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raw = bytes(data)
        if not _surrogate.search(raw):
            raise
        return decoder.decode(_escape.sub(_replace_half, raw))


def _params_with_halves(body: bytes) -> msgspec.Raw:
    """Return the params of a message that msgspec has read only with its half pairs replaced."""
    import json  # noqa: TID251 - msgspec cannot write lone surrogates; loaded only when one came

    return msgspec.Raw(json.dumps(_loads(body).get("params", {})).encode())


def _loads(data: bytes) -> Any:
    import json  # noqa: TID251 - msgspec cannot read lone surrogates; loaded only when one came

    return json.loads(data)


def _replace_half(match: "re.Match[bytes]") -> bytes:
    return b"\\ufffd" if match[1] else match[0]


def open_envelope(body: bytes) -> Envelope:
    """Return the message of one frame. Raises `RpcError`, with the id if one can be read."""
    try:
        message = decode(_envelope, body)
        if message.method == IN_PIECES and _surrogate.search(body):
            message.params = _params_with_halves(body)
    except msgspec.ValidationError as error:
        _refuse_other_than_json(body)
        raise RpcError(INVALID_REQUEST, f"not a request: {error}", id=_find_id(body)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}") from None
    except RecursionError:
        raise RpcError(INVALID_REQUEST, "not a request: nested too deeply") from None
    known = message.id if isinstance(message.id, int | str) else None
    if message.jsonrpc != "2.0":
        raise RpcError(INVALID_REQUEST, 'not a request: jsonrpc is not "2.0"', id=known)
    if message.method is not msgspec.UNSET:
        if message.id is None:
            raise RpcError(INVALID_REQUEST, "not a request: id is null")
    elif message.result is msgspec.UNSET and message.error is msgspec.UNSET:
        raise RpcError(INVALID_REQUEST, "not a request: no method", id=known)
    return message


def _refuse_other_than_json(body: bytes) -> None:
    """Raise where `body` is no JSON: a value of a wrong type may stand before what is no value."""
    try:
        decode(_raw, body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}") from None
    except RecursionError:
        pass


def _find_id(body: bytes) -> Id | None:
    try:
        return decode(_only_id, body).id
    except (ValueError, RecursionError):
        return None


def id_in_head(head: bytes) -> Id | None:
    """Return the id that a refused message begins with, if it does."""
    found = _id_in_head.match(head)
    if found is None:
        return None
    try:
        return msgspec.json.decode(found[1], type=int | str)
    except ValueError:
        return None


def decode_params(
    decoder: "msgspec.json.Decoder[T]", raw: msgspec.Raw, *, keep_halves: bool = False
) -> T:
    """Return the params; null stands for an empty object.

    `keep_halves`: half a surrogate pair stays what it is, for whoever is sent the other half later.
    Raises `InvalidParams` naming the field, and `RpcError` for what is not JSON.
    """
    data = bytes(raw)
    if data == b"null":
        data = b"{}"
    try:
        if keep_halves and _surrogate.search(data):
            return cast("T", _loads(data))
        return decode(decoder, data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RpcError(PARSE_ERROR, f"not JSON: {error}") from None
    except RecursionError:
        raise InvalidParams("", "nested too deeply") from None


def _invalid(message: str) -> InvalidParams:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into "a.b: expected int, got str"."""
    problem, _, path = message.rpartition(" - at `$")
    if not problem:
        return InvalidParams("", _lower_first(message))
    field = path.rstrip("`").lstrip(".")
    if problem.startswith("Invalid ") and (words := _words_for(field)):
        return InvalidParams(field, f"expected one of {', '.join(words)}")
    return InvalidParams(field, _lower_first(problem))


def _words_for(field: str) -> tuple[str, ...]:
    for pattern, words in _WORDS:
        if pattern.fullmatch(field):
            return words
    return ()


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].replace("`", "")


any_decoder: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()
