"""What the client can do with an action, and edits in the form that it announced.

`documentChanges` carries the version that an edit was made for; where it was not announced,
`changes` does as well, as every client knows it. A file is created only by a client that can.
"""

from typing import Any, NamedTuple

from lsprotocol import types

from sidecar.handshake import at

_SHOW_ERRORS = ("neovim", "eglot", "emacs")
"""Clients that tell their user of a failed `codeAction/resolve` themselves. The others drop it, or
write it into a log; there is no capability that says so."""


class Client(NamedTuple):
    """`resolves`: an action's edit may come later. `applies`: it takes `workspace/applyEdit`."""

    literals: bool = False
    resolves: bool = False
    applies: bool = False
    versioned: bool = False
    creates: bool = False
    makes_progress: bool = False
    shows_errors: bool = False

    @classmethod
    def of(cls, params: Any) -> "Client":
        """Read it from the params of `initialize`."""
        can = at(params, "capabilities")
        actions = at(can, "textDocument", "codeAction")
        literals = at(actions, "codeActionLiteralSupport") is not None
        later = at(actions, "resolveSupport", "properties")
        edits = at(can, "workspace", "workspaceEdit")
        operations = at(edits, "resourceOperations")
        name = at(params, "clientInfo", "name")
        return cls(
            literals=literals,
            resolves=literals and isinstance(later, list) and "edit" in later,
            applies=at(can, "workspace", "applyEdit") is True,
            versioned=at(edits, "documentChanges") is True,
            creates=isinstance(operations, list) and "create" in operations,
            makes_progress=at(can, "window", "workDoneProgress") is True,
            shows_errors=isinstance(name, str) and name.lower().startswith(_SHOW_ERRORS),
        )

    @property
    def can_act(self) -> bool:
        """Whether an action could ever become an edit there."""
        return self.resolves or self.applies

    def nothing(self) -> types.WorkspaceEdit:
        """Return an edit that changes nothing."""
        return types.WorkspaceEdit(changes={})

    def changed(
        self, uri: str, version: int | None, place: types.Range, text: str
    ) -> types.WorkspaceEdit:
        """Return the edit that puts `text` in the place of a document."""
        edit = types.TextEdit(place, text)
        if not self.versioned:
            return types.WorkspaceEdit(changes={uri: [edit]})
        document = types.OptionalVersionedTextDocumentIdentifier(uri, version)
        return types.WorkspaceEdit(document_changes=[types.TextDocumentEdit(document, [edit])])

    def created(self, uri: str, text: str) -> types.WorkspaceEdit:
        """Return the edit that makes a new file; it fails if there is one meanwhile."""
        start = types.Position(0, 0)
        edit = types.TextEdit(types.Range(start, start), text)
        document = types.OptionalVersionedTextDocumentIdentifier(uri, None)
        make = types.CreateFile(uri)
        return types.WorkspaceEdit(
            document_changes=[make, types.TextDocumentEdit(document, [edit])]
        )
