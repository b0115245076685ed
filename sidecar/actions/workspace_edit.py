"""From an edit to LSP's `WorkspaceEdit`, in the form that the client announced.

`documentChanges` carries the version that the edit was made for; where it was not announced,
`changes` does as well, as every client knows it. A file is created only by a client that can.
"""

from typing import Any, NamedTuple

from lsprotocol import types

from sidecar.handshake import at


class EditForm(NamedTuple):
    """What the client understands."""

    versioned: bool
    creates: bool

    @classmethod
    def of(cls, params: Any) -> "EditForm":
        """Read it from the params of `initialize`."""
        can = at(params, "capabilities", "workspace", "workspaceEdit")
        operations = at(can, "resourceOperations")
        creates = isinstance(operations, list) and "create" in operations
        return cls(at(can, "documentChanges") is True, creates)

    def nothing(self) -> types.WorkspaceEdit:
        """Return an edit that changes nothing."""
        return types.WorkspaceEdit(changes={})

    def changed(
        self, uri: str, version: int | None, edits: list[types.TextEdit]
    ) -> types.WorkspaceEdit:
        """Return the edit of one document."""
        if not self.versioned:
            return types.WorkspaceEdit(changes={uri: edits})
        document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [*edits])])

    def created(self, uri: str, text: str) -> types.WorkspaceEdit:
        """Return the edit that makes a new file; one that is there meanwhile is left alone."""
        start = types.Position(0, 0)
        edit = types.TextEdit(types.Range(start, start), text)
        document = types.OptionalVersionedTextDocumentIdentifier(uri, None)
        make = types.CreateFile(uri, options=types.CreateFileOptions(ignore_if_exists=False))
        return types.WorkspaceEdit(
            document_changes=[make, types.TextDocumentEdit(document, [edit])]
        )
