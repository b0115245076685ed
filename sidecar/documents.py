"""Documents whose lines are LSP's: they end with `\\n`, `\\r\\n` or `\\r`, and with nothing else.

pygls cuts where Python does, at form feeds and Unicode's separators too; in a file that has one,
every position after it would be another line's, and every change would go to the wrong place.
"""

import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import unquote

from pygls.workspace import TextDocument, Workspace

_PYTHONS_ONLY = re.compile("[\\x0b\\x0c\\x1c-\\x1e\\x85\\u2028\\u2029]")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


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
    if _PYTHONS_ONLY.search(text):
        return tuple(_LINE.findall(text))
    return tuple(text.splitlines(keepends=True))


def document_at(workspace: Workspace, uri: str) -> TextDocument | None:
    """Return the open document of a URI as the client writes it, None if it is not open.

    pygls files documents under what is left of a URI without its percent-encoding.
    """
    return workspace.text_documents.get(unquote(uri))


def use_in(workspace: Workspace) -> None:
    """Let `workspace` make documents of this kind from now on."""
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
