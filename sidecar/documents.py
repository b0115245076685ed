"""Documents whose lines are LSP's: they end with `\\n`, `\\r\\n` or `\\r`, and with nothing else.

pygls cuts where Python does, at form feeds and Unicode's separators too; in a file that has one,
every position after it would be another line's, and every change would go to the wrong place.
"""

import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import unquote

from lsprotocol import types
from pygls.workspace import PositionCodec, ServerTextPosition, TextDocument, Workspace

_PYTHONS_ONLY = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
_WITHIN = bytes(range(0x80, 0xC0))
"""Bytes of UTF-8 that begin no character."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


class Codec(PositionCodec):
    """Counts as pygls does, but not one by one: a minified file is a line of millions of them.

    A position within a character means its end, one behind the line the line's last unit.
    """

    def client_num_units(self, string: str) -> int:
        """Return the length of `string` in the client's units."""
        if self.encoding == types.PositionEncodingKind.Utf32 or string.isascii():
            return len(string)
        return len(self._encoded(string)) // self._unit

    def position_from_client_units(
        self, lines: Sequence[str], position: types.Position
    ) -> ServerTextPosition:
        """Return the position in characters."""
        number = position.line
        if not lines:
            return ServerTextPosition(0, 0)
        if number >= len(lines):
            return ServerTextPosition(len(lines) - 1, self.client_num_units(lines[-1]))
        line = lines[number]
        if line.endswith("\r\n"):
            line = line[:-2] + "\n"
        length = self.client_num_units(line)
        units = position.character
        if length and units > length:
            units = position.character = length - 1  # which pygls' callers may see, too
        if not length or units <= 0:
            return ServerTextPosition(number, 0)
        if length == len(line):
            return ServerTextPosition(number, units)
        head = self._encoded(line)[: units * self._unit]
        if self._unit == 1:  # bytes that begin a character
            return ServerTextPosition(number, len(head.translate(None, _WITHIN)))
        return ServerTextPosition(number, len(head.decode("utf-16-le", "surrogatepass")))

    def position_to_client_units(
        self, lines: Sequence[str], position: ServerTextPosition | types.Position
    ) -> types.Position:
        """Return the position in the client's units."""
        if position.line >= len(lines):
            return types.Position(len(lines), 0)
        head = lines[position.line][: position.character]
        return types.Position(position.line, self.client_num_units(head))

    @property
    def _unit(self) -> int:
        """Bytes of a unit, but for UTF-32's."""
        return 1 if self.encoding == types.PositionEncodingKind.Utf8 else 2

    def _encoded(self, text: str) -> bytes:
        return text.encode("utf-8" if self._unit == 1 else "utf-16-le", "surrogatepass")


class Document(TextDocument):
    """Keeps its lines until the text is another: a request reads them several times."""

    _cut: tuple[str, tuple[str, ...]] = ("", ())

    @property
    def lines(self) -> Sequence[str]:
        source = self.source
        if self._cut[0] is not source:
            self._cut = (source, lines_of(source))
        return self._cut[1]


def lines_of(text: str) -> tuple[str, ...]:
    """Return the lines of `text` with their ends."""
    if any(char in text for char in _PYTHONS_ONLY):
        return tuple(_LINE.findall(text))
    return tuple(text.splitlines(keepends=True))


def document_at(workspace: Workspace, uri: str) -> TextDocument | None:
    """Return the open document of a URI as the client writes it, None if it is not open.

    pygls files documents under what is left of a URI without its percent-encoding.
    """
    return workspace.text_documents.get(unquote(uri))


def use_in(workspace: Workspace) -> None:
    """Let `workspace` make documents of this kind from now on."""
    workspace._position_codec = Codec(workspace.position_codec.encoding)  # pyright: ignore[reportPrivateUsage]
    workspace._create_text_document = partial(_make, workspace)  # pyright: ignore[reportPrivateUsage,reportAttributeAccessIssue]


def _make(
    workspace: Workspace,
    doc_uri: str,
    source: str | None = None,
    version: int | None = None,
    language_id: str | None = None,
) -> Document:
    return Document(
        doc_uri,
        source=source,
        version=version,
        language_id=language_id,
        sync_kind=workspace._sync_kind,  # pyright: ignore[reportPrivateUsage]
        position_codec=workspace.position_codec,
    )
