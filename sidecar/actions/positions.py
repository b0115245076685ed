"""Between a client's positions and offsets in a document's text.

A client counts in UTF-16 units, or in what was negotiated; pygls' documents convert one position,
lines are theirs too. Whatever lies outside the document means its nearest end (LSP says so).
"""

from lsprotocol import types
from pygls.workspace import TextDocument

from sidecar.actions.region import Edit


def offset_of(document: TextDocument, position: types.Position) -> int:
    """Return the position's offset in characters of `document.source`."""
    return min(document.offset_at_position(position), len(document.source))


def range_of(document: TextDocument, edit: Edit) -> types.Range:
    """Return the range of an edit."""
    return types.Range(_position(document, edit.start), _position(document, edit.end))


def _position(document: TextDocument, offset: int) -> types.Position:
    line = 0
    for text in document.lines:
        if offset < len(text) or (offset == len(text) and not text.endswith(("\n", "\r"))):
            return types.Position(line, document.position_codec.client_num_units(text[:offset]))
        offset -= len(text)
        line += 1
    return types.Position(line, 0)
