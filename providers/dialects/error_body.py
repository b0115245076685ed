"""What an error answer says, whichever of the services' shapes its body has.

Reads only; which error it is gets decided in `errors.py`. Bodies come from gateways too, so HTML
and plain text are summed up in one short line.
"""

import re
from typing import cast

import msgspec

from providers.errors import Malformed
from providers.types import Struct
from providers.wire import json_text

MESSAGE_LIMIT = 2000
"""Characters of a message; the longest useful ones (validation reports) are about 1500."""

_ANY: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)
# Whoever sends the page chooses its text: each of these takes one step per character at most.
_TITLE = re.compile(r"<(?:title|h1)\b[^<>]*+>([^<]*+)</(?:title|h1)", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*+>")
_PAGE_LIMIT = 64 * 1024  # characters of a page that are looked at
_MOST_NAMES = 32
_MOST_LEVELS = 8  # of lists and objects around a message


class ErrorDetails(Struct):
    """`names`: every code, type and status word the body gives, the most specific first."""

    message: str = ""
    code: str | None = None
    type: str | None = None
    status: int | None = None
    request_id: str | None = None
    names: list[str] = msgspec.field(default_factory=list[str])


def parse(body: bytes) -> object:
    """Return the JSON of an error body, or None if it is none."""
    if body.strip()[:1] not in (b"{", b"["):
        return None
    try:
        return json_text.decode(_ANY, body)
    except Malformed:
        return None


def details(value: object, body: bytes = b"", *, level: int = 0) -> ErrorDetails:
    """Return what `value`, a parsed error body or event, says; `body` where it could not be parsed.

    Known shapes: `{"error": {…}}` of OpenAI, Anthropic and Google (also inside an array),
    `{"error": "text", "code": …}` of xAI and Ollama, `{"message": …, "__type": …}` of AWS,
    `{"detail": …}` of FastAPI services, `{"errors": […]}` of Cloudflare, and OpenRouter's
    `error.metadata.raw`, which is the body of the service behind it.
    """
    if isinstance(value, list):
        items = cast("list[object]", value)
        value = items[0] if items else None
    if not isinstance(value, dict):
        text = value if isinstance(value, str) else body.decode("utf-8", "replace")
        return ErrorDetails(one_line(text))
    top = cast("dict[str, object]", value)
    inner = top.get("error") or _first(top.get("errors")) or top.get("response") or top
    if isinstance(inner, dict) and isinstance(cast("dict[str, object]", inner).get("error"), dict):
        inner = cast("dict[str, object]", inner)["error"]
    if isinstance(inner, str):
        # FastAPI-like bodies name the error here and explain it beside.
        text = _text(top.get("message")) or _text(top.get("detail"))
        found = ErrorDetails(f"{inner}: {text}" if text else inner)
        _add_names(found, top, ("code", "type", "__type", "error_code"))
    else:
        error = cast("dict[str, object]", inner) if isinstance(inner, dict) else top
        found = ErrorDetails(_message(error) or _message(top))
        _add_names(found, error, ("code", "type", "status", "__type", "error_code", "reason"))
        _add_nested(found, error)
        if level < _MOST_LEVELS:
            _add_upstream(found, error, level + 1)
    if found.request_id is None:
        found.request_id = _name(top.get("request_id")) or _name(top.get("requestId"))
    found.message = found.message.strip()[:MESSAGE_LIMIT]
    return found


def one_line(text: str) -> str:
    """Return a text that is no JSON as one short line: of an HTML page its title."""
    text = text[:_PAGE_LIMIT].strip()
    if text[:1] == "<":
        match = _TITLE.search(text)
        said = match.group(1) if match else _TAG.sub(" ", text)
        from html import unescape  # half a megabyte of entities, for pages of gateways only

        said = " ".join(unescape(_TAG.sub(" ", said)).split())[:200]
        return f"{said} (an HTML page)" if said else "an HTML page"
    return " ".join(text.split())[:500]


def _message(error: dict[str, object], level: int = 0) -> str:
    for name in ("message", "Message", "detail", "msg", "error_message", "error_msg", "title"):
        text = _text(error.get(name), level)
        if text:
            return text
    return ""


def _text(value: object, level: int = 0) -> str:
    """Return a message's text; validation reports are lists of `{loc, msg}`."""
    if isinstance(value, str):
        return value
    if level > _MOST_LEVELS:
        return ""
    if isinstance(value, list):
        texts = (_text(each, level + 1) for each in cast("list[object]", value))
        return "; ".join(filter(None, texts))
    if isinstance(value, dict):
        entry = cast("dict[str, object]", value)
        text = _message(entry, level + 1)
        where = entry.get("loc")
        if text and isinstance(where, list):
            return f"{'.'.join(map(str, cast('list[object]', where)))}: {text}"
        return text
    return ""


def _add_names(found: ErrorDetails, error: dict[str, object], keys: tuple[str, ...]) -> None:
    for key in keys:
        name = _name(error.get(key))
        if name is None:
            continue
        if len(name) == 3 and name.isdecimal() and 400 <= int(name) < 600:
            found.status = found.status or int(name)
        elif len(found.names) < _MOST_NAMES and name not in found.names:
            found.names.append(name)
        if key == "code":
            found.code = found.code or name
        elif key in ("type", "status", "__type"):
            found.type = found.type or name
    number = error.get("status_code") or error.get("http_code")
    if isinstance(number, int) and 400 <= number < 600:
        found.status = found.status or number


def _add_nested(found: ErrorDetails, error: dict[str, object]) -> None:
    """Add the names in Azure's `innererror` and Google's `details`."""
    inner = error.get("innererror")
    if isinstance(inner, dict):
        _add_names(found, cast("dict[str, object]", inner), ("code",))
    entries = error.get("details")
    for entry in cast("list[object]", entries) if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        detail = cast("dict[str, object]", entry)
        _add_names(found, detail, ("reason", "code"))
        violations = detail.get("violations")
        for item in cast("list[object]", violations) if isinstance(violations, list) else []:
            if isinstance(item, dict):
                _add_names(found, cast("dict[str, object]", item), ("quotaId",))


def _add_upstream(found: ErrorDetails, error: dict[str, object], level: int) -> None:
    """Add what OpenRouter passes on of the service behind it."""
    metadata = error.get("metadata")
    if not isinstance(metadata, dict):
        return
    upstream = cast("dict[str, object]", metadata)
    _add_names(found, upstream, ("error_type",))
    raw = upstream.get("raw")
    if isinstance(raw, str):
        data = raw.encode("utf-8", "replace")
        nested = details(parse(data), data, level=level)
    elif isinstance(raw, dict):
        nested = details(cast("object", raw), level=level)
    else:
        return
    name = _name(upstream.get("provider_name"))
    if nested.message and nested.message not in found.message:
        found.message = ": ".join(filter(None, (found.message, name, nested.message)))
    found.names += [each for each in nested.names if each not in found.names]


def _first(value: object) -> object:
    if isinstance(value, list):
        items = cast("list[object]", value)
        return items[0] if items else None
    return None


def _name(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value) or None
