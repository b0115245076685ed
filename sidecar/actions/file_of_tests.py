"""The file for the tests of a document: where it is, what it holds, the edit that adds to it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lsprotocol import types
from pygls.uris import from_fs_path, to_fs_path
from pygls.workspace import TextDocument, Workspace

from sidecar.actions.beside import name_of_tests
from sidecar.actions.client import Client
from sidecar.actions.plans import Beside, appended
from sidecar.actions.positions import end_of
from sidecar.documents import Document, document_at
from sidecar.envelope import ContentModified

LARGEST = 1 << 20
"""Bytes; to a larger file nothing is added."""


class FileOfTests(NamedTuple):
    """`beside.text` is what it held when it was looked at, None if there was none."""

    uri: str
    path: Path
    beside: Beside


def find(
    workspace: Workspace,
    document: TextDocument,
    client: Client,
    is_ignored: Callable[[str], bool],
    *,
    read: bool,
) -> FileOfTests | None:
    """Return the file for the tests of `document`, None where there can be none.

    It is one if its language has a custom for its name, and if it is there, or if the client can
    create it. Without `read`, `beside.text` is "" for any file that is there: to know whether an
    action is possible, nothing need be read.
    """
    own = to_fs_path(document.uri)
    name = name_of_tests(own, document.language_id or "") if own is not None else None
    if own is None or name is None:
        return None
    path = Path(own).with_name(name)
    uri = from_fs_path(str(path)) or ""
    if is_ignored(str(path)):
        return None
    if not read:
        there = document_at(workspace, uri) is not None or path.is_file()
        text = "" if there else None
    else:
        text = _text(workspace, uri, path)
    if text is None and (not client.creates or path.exists()):
        return None
    return FileOfTests(uri, path, Beside(name, text))


def edit(workspace: Workspace, file: FileOfTests, client: Client, text: str) -> types.WorkspaceEdit:
    """Return the edit that adds `text`. Raises `ContentModified` if the file is another now."""
    there = _text(workspace, file.uri, file.path)
    if there != file.beside.text or (there is None and file.path.exists()):
        raise ContentModified
    if there is None:
        return client.created(file.uri, text + "\n")
    document = document_at(workspace, file.uri)
    version = document.version if document is not None else None
    if document is None:
        document = Document(file.uri, source=there, position_codec=workspace.position_codec)
    return client.changed(file.uri, version, end_of(document), appended(there, text))


def _text(workspace: Workspace, uri: str, path: Path) -> str | None:
    """Return what the file holds, as the editor sees it; None if there is none to be read."""
    document = document_at(workspace, uri)
    if document is not None:
        return document.source
    try:
        if path.stat().st_size > LARGEST:
            return None
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
