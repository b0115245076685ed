"""Between a client's positions, ranges and diagnostics, and offsets in a document's text.

A client counts in UTF-16 units, or in what was negotiated; pygls' documents convert one position,
and cut the lines. What lies outside the document means its nearest end (LSP says so).
"""

from typing import Any

from lsprotocol import types
from pygls.workspace import TextDocument

from sidecar.actions.plans import Problem
from sidecar.actions.region import Edit
from sidecar.envelope import InvalidParams
from sidecar.handshake import at

_SEVERITIES = {1: "error", 2: "warning", 3: "remark", 4: "hint"}


def offset_of(document: TextDocument, position: types.Position) -> int:
    """Return the position's offset in characters of `document.source`."""
    return min(document.offset_at_position(position), len(document.source))


def range_of(document: TextDocument, edit: Edit) -> types.Range:
    """Return the range of an edit."""
    return types.Range(_position(document, edit.start), _position(document, edit.end))


def end_of(document: TextDocument) -> types.Range:
    """Return the empty range at a document's end."""
    end = _position(document, len(document.source))
    return types.Range(end, end)


def _position(document: TextDocument, offset: int) -> types.Position:
    line = 0
    for text in document.lines:
        if offset < len(text) or (offset == len(text) and not text.endswith(("\n", "\r"))):
            return types.Position(line, document.position_codec.client_num_units(text[:offset]))
        offset -= len(text)
        line += 1
    return types.Position(line, 0)


# --- as plain data, for what goes to the client and comes back --------------------------------


def plain_range(place: types.Range) -> dict[str, dict[str, int]]:
    """Return a range as it is on the wire."""
    return {
        "start": {"line": place.start.line, "character": place.start.character},
        "end": {"line": place.end.line, "character": place.end.character},
    }


def read_range(given: Any, field: str) -> types.Range:
    """Read a range for which there was no type. Raises `InvalidParams`."""
    numbers = [at(given, end, unit) for end in ("start", "end") for unit in ("line", "character")]
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise InvalidParams(field, "expected {start: {line, character}, end: {line, character}}")
    a, b, c, d = numbers
    return types.Range(types.Position(a, b), types.Position(c, d))


def plain_diagnostic(diagnostic: types.Diagnostic) -> dict[str, Any]:
    """Return what an action needs of a diagnostic."""
    message: Any = diagnostic.message
    return {
        "range": plain_range(diagnostic.range),
        "message": str(getattr(message, "value", message)),  # LSP 3.18 has marked-up ones
        "severity": int(diagnostic.severity or 1),
        "source": diagnostic.source or "",
        "code": "" if diagnostic.code is None else str(diagnostic.code),
    }


def read_problem(document: TextDocument, given: Any, field: str) -> Problem:
    """Read what `plain_diagnostic` made. Raises `InvalidParams`."""
    place = read_range(at(given, "range"), f"{field}.range")
    start, end = sorted((offset_of(document, place.start), offset_of(document, place.end)))
    message = at(given, "message")
    if not isinstance(message, str):
        raise InvalidParams(f"{field}.message", "expected a diagnostic's message")
    severity = _SEVERITIES.get(at(given, "severity"), "error")
    source, code = at(given, "source"), at(given, "code")
    return Problem(start, end, message, severity, str(source or ""), str(code or ""))
