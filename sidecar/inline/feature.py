"""`textDocument/inlineCompletion` and what a client tells of its completions, in LSP's types.

Positions are the client's (UTF-16, or what was negotiated); pygls' documents convert them.
"""

import asyncio
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from sidecar.documents import document_at
from sidecar.handshake import at
from sidecar.inline.engine import Ask, Host, InlineEngine
from sidecar.inline.ignored_files import IgnoredFiles

ACCEPTED = "aiSidecar.accepted"
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTLY = "textDocument/didPartiallyAcceptCompletion"


class _Request(msgspec.Struct, frozen=True):
    """A request as it arrived. `ask` is None where nothing can be completed.

    `start` is where the text goes, `head` what it begins with: the item that is selected in the
    editor's own list, if there is one.
    """

    ask: Ask | None
    range: types.Range
    head: str = ""


class InlineFeature:
    """What the functions below share; one per server, as `ls.inline`."""

    def __init__(
        self, server: LanguageServer, host: Host, ignored: IgnoredFiles, root: str
    ) -> None:
        self._server = server
        self._root = root
        self.counts = host.inline_counts
        self.engine = InlineEngine(host, ignored)

    def snapshot(self, params: types.InlineCompletionParams, raw: Any) -> _Request:
        """Return the request with the document as it is now: the next message may change it."""
        position, uri = params.position, params.text_document.uri
        document = document_at(self._server.workspace, uri)
        place = types.Range(position, position)
        if document is None or position.line > len(document.lines):
            return _Request(None, place)  # a line that is not there: another text is meant
        arrived = asyncio.get_running_loop().time()
        source, head = document.source, ""
        offset = min(document.offset_at_position(position), len(source))
        selected = params.context.selected_completion_info
        if selected is not None:
            start = document.offset_at_position(selected.range.start)
            end = document.offset_at_position(selected.range.end)
            head, place = selected.text, selected.range
            shown = source[:start] + head + source[end:]
            offset = start + len(head)
        else:
            shown = source
        path = path_of(uri)

        def is_current() -> bool:
            now = document_at(self._server.workspace, uri)
            return now is not None and (now.source is source or now.source == source)

        ask = Ask(
            uri=uri,
            path=path,
            name=name_of(path, self._root),
            language=document.language_id or "",
            source=shown,
            offset=offset,
            arrived=arrived,
            is_current=is_current,
            invoked=params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked,
        )
        return _Request(ask, place, head)


async def complete(ls: Any, request: _Request) -> types.InlineCompletionList:
    """Return one item, or none. Never null: some clients cannot read that."""
    inline: InlineFeature = ls.inline
    text = await inline.engine.complete(request.ask) if request.ask is not None else ""
    if not text:
        return types.InlineCompletionList([])
    id = inline.counts.new_id()
    item = types.InlineCompletionItem(
        insert_text=request.head + text,
        range=request.range,
        command=types.Command("Accepted", ACCEPTED, arguments=[{"id": id}]),
    )
    return types.InlineCompletionList([item])


def did_show(ls: Any, params: Any) -> None:
    """Count a completion that was shown."""
    _tell(ls.inline.counts.note_shown, at(params, "item", "command", "arguments"))


def did_partly_accept(ls: Any, params: Any) -> None:
    """Count a completion of which a part was taken."""
    _tell(ls.inline.counts.note_partly_accepted, at(params, "item", "command", "arguments"))


def accepted(ls: Any, *arguments: Any) -> None:
    """Count a completion that was taken (`aiSidecar.accepted {id}`)."""
    _tell(ls.inline.counts.note_accepted, list(arguments))


def _tell(note: Any, arguments: Any) -> None:
    id = at(arguments[0], "id") if isinstance(arguments, list) and arguments else None
    if isinstance(id, str):
        note(id)


def path_of(uri: str) -> str:
    """Return a file's path, or what a URI of another kind has for one."""
    return to_fs_path(uri) or unquote(urlsplit(uri).path)


def root_of(params: dict[str, Any]) -> str:
    """Return the workspace's first folder as a path, "" if there is none."""
    folders = at(params, "workspaceFolders")
    uri = at(folders[0], "uri") if isinstance(folders, list) and folders else None
    uri = uri or at(params, "rootUri")
    return (to_fs_path(uri) or "") if isinstance(uri, str) else ""


def name_of(path: str, root: str) -> str:
    """Return the path as a model is told of it: below the workspace, else the name alone."""
    pure = PurePosixPath(path.replace("\\", "/"))
    try:
        return str(pure.relative_to(root.replace("\\", "/"))) if root else pure.name
    except ValueError:
        return pure.name
