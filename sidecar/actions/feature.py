"""Code actions and `aiSidecar.rewrite`, in LSP's types.

Everything is taken from the document when the request arrives: the next message may change it. What
is offered where is `menu`'s business, what a model is asked `prompt`'s, and when `engine`'s.
"""

from typing import Any, NamedTuple

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from providers.errors import Unsupported
from sidecar.actions.answer import code
from sidecar.actions.engine import ActionEngine, Job
from sidecar.actions.positions import offset_of, range_of
from sidecar.actions.prompt import Question
from sidecar.actions.region import Edit, Region, edit, selected
from sidecar.actions.work import ActionWork, Token
from sidecar.actions.workspace_edit import EditForm
from sidecar.envelope import InvalidParams
from sidecar.handshake import at
from sidecar.inline.feature import name_of, path_of, root_of
from sidecar.inline.ignore import is_ignored
from sidecar.session import Session

REWRITE = "aiSidecar.rewrite"


class _Asked(NamedTuple):
    """A request as it arrived."""

    document: TextDocument
    version: int | None
    job: Job
    token: Token | None


class ActionFeature:
    """What the functions below share; one per server, as `ls.actions`."""

    def __init__(self, server: LanguageServer, session: Session, params: dict[str, Any]) -> None:
        self._server = server
        self._session = session
        self._root = root_of(params)
        self.form = EditForm.of(params)
        self.may_create = at(params, "capabilities", "window", "workDoneProgress") is True
        self.engine = ActionEngine(session)
        self.tokens: dict[Token, Any] = {}

    def rewrite_asked(self, params: types.ExecuteCommandParams) -> _Asked:
        """Return `aiSidecar.rewrite {uri, range, instruction}` as it arrived.

        Raises `InvalidParams`, and `Unsupported` where nothing of the file may be sent.
        """
        arguments = params.arguments or []
        given = arguments[0] if arguments else None
        uri, instruction = at(given, "uri"), at(given, "instruction")
        if not isinstance(uri, str):
            raise InvalidParams("arguments[0].uri", "expected a document's URI")
        if not isinstance(instruction, str) or not instruction.strip():
            raise InvalidParams("arguments[0].instruction", "expected what is to be done")
        document = self._document(uri, "arguments[0].uri")
        place = _range(at(given, "range"), "arguments[0].range")
        start, end = offset_of(document, place.start), offset_of(document, place.end)
        region = selected(document.source, start, end)
        self._require_allowed(document)
        task = f"Do this to that part:\n{instruction.strip()}"
        if not region.text.strip():
            task = f"Write what belongs between the marks:\n{instruction.strip()}"
        job = self._job(document, region, Question("replacement", task))
        return _Asked(document, document.version, job, params.work_done_token)

    async def edited(self, asked: _Asked) -> types.WorkspaceEdit:
        """Return the edit that a request comes to. Raises `ProviderError`, `ContentModified`."""
        work = ActionWork(self._session, self.tokens, asked.token, may_create=self.may_create)
        async with work:
            text = await self.engine.run(asked.job, work)
        made = edit(asked.job.region, text)
        if made is None:
            return self.form.nothing()
        return self._changed(asked, made)

    def allowed(self, document: TextDocument) -> bool:
        """Say whether the file may be sent and edited at all."""
        config = self._session.config
        if not config.actions.enabled:
            return False
        return not is_ignored(path_of(document.uri), self._root, config.inline.ignore)

    # --- small pieces ---------------------------------------------------------------------------

    def _document(self, uri: str, field: str) -> TextDocument:
        document = self._server.workspace.text_documents.get(uri)
        if document is None:
            raise InvalidParams(field, "expected a document that is open")
        return document

    def _require_allowed(self, document: TextDocument) -> None:
        if not self._session.config.actions.enabled:
            raise Unsupported("edits are switched off (actions.enabled)")
        if not self.allowed(document):
            raise Unsupported("this file is ignored or may hold secrets: nothing of it is sent")

    def _job(self, document: TextDocument, region: Region, question: Question) -> Job:
        uri, source = document.uri, document.source
        language = document.language_id or ""

        def is_current() -> bool:
            now = self._server.workspace.text_documents.get(uri)
            return now is not None and (now.source is source or now.source == source)

        return Job(
            uri=uri,
            path=name_of(path_of(uri), self._root),
            language=language,
            region=region,
            question=question,
            read=lambda said: code(said, region, language),
            is_current=is_current,
        )

    def _changed(self, asked: _Asked, made: Edit) -> types.WorkspaceEdit:
        place = range_of(asked.document, made)
        edits = [types.TextEdit(place, made.text)]
        return self.form.changed(asked.document.uri, asked.version, edits)


async def rewrite(ls: Any, asked: _Asked) -> types.WorkspaceEdit:
    """Answer `aiSidecar.rewrite`."""
    actions: ActionFeature = ls.actions
    return await actions.edited(asked)


def _range(given: Any, field: str) -> types.Range:
    """Read a range that no type was known for."""
    numbers = [at(given, end, unit) for end in ("start", "end") for unit in ("line", "character")]
    if not all(type(n) is int and n >= 0 for n in numbers):
        raise InvalidParams(field, "expected {start: {line, character}, end: {line, character}}")
    a, b, c, d = numbers
    return types.Range(types.Position(a, b), types.Position(c, d))
