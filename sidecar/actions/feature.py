"""Code actions and `aiSidecar.rewrite`, in LSP's types.

Everything is taken from the document when the request arrives: the next message may change it. What
is offered where is `menu`'s business, what is asked and made of the answer `plans`', when
`engine`'s.
"""

import asyncio
from typing import Any, NamedTuple

import attrs
import msgspec
from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.workspace import TextDocument

from providers.errors import ProviderError, Unsupported
from providers.estimate import BYTES_PER_TOKEN
from sidecar.actions import file_of_tests
from sidecar.actions.client import Client
from sidecar.actions.engine import ActionEngine, Job
from sidecar.actions.file_of_tests import FileOfTests
from sidecar.actions.menu import ACTIONS, KINDS, Offer, offers
from sidecar.actions.plans import InTests, Plan, Scene, by_instruction
from sidecar.actions.positions import (
    offset_of,
    plain_diagnostic,
    plain_range,
    range_of,
    read_problem,
    read_range,
)
from sidecar.actions.region import lines_around, selected
from sidecar.actions.work import ActionWork, Token
from sidecar.documents import document_at
from sidecar.envelope import ContentModified, InvalidParams, RpcError
from sidecar.handshake import at
from sidecar.inline.feature import name_of, path_of
from sidecar.inline.ignored_files import IgnoredFiles
from sidecar.session import Session

REWRITE = "aiSidecar.rewrite"
APPLY = "aiSidecar.applyAction"

OPTIONS = types.CodeActionOptions(
    code_action_kinds=[*KINDS], resolve_provider=True, work_done_progress=True
)


MOST_FIXES = 10
"""Diagnostics of one request that a fix is listed for; a longer menu is none."""


class Chosen(msgspec.Struct):
    """What stands in an action's `data`, or is the argument of `APPLY`: enough to make it again.

    Positions are the client's, so that they mean the same in the document of that version.
    """

    action: str
    uri: str
    version: int | None
    range: Any
    diagnostic: Any = None


class Asked(NamedTuple):
    """A request as it arrived."""

    document: TextDocument
    plan: Plan
    token: Token | None
    tests: FileOfTests | None = None


class ActionFeature:
    """What the functions below share; one per server, as `ls.actions`."""

    def __init__(
        self, server: LanguageServer, session: Session, ignored: IgnoredFiles, root: str
    ) -> None:
        self._server = server
        self._session = session
        self._ignored = ignored
        self._root = root
        self.client = Client.of(session.params)
        self.engine = ActionEngine(session)
        self.tokens: dict[Token, asyncio.Task[object]] = {}

    # --- what is offered ------------------------------------------------------------------------

    def listed(self, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
        """Return the actions for a range, not yet resolved. Asks nobody; sends nothing."""
        document = document_at(self._server.workspace, params.text_document.uri)
        if document is None or not self.client.can_act or not self._is_allowed(document):
            return []
        context = params.context
        unasked = context.trigger_kind == types.CodeActionTriggerKind.Automatic
        tests = None if unasked else self._tests(document, read=False)
        scene = self._scene(document, params.range, tests)
        if self._is_too_long(scene):
            return []
        found: list[types.CodeAction | types.Command] = []
        for diagnostic in context.diagnostics[:MOST_FIXES]:
            problem = read_problem(document, plain_diagnostic(diagnostic), "context.diagnostics")
            about = msgspec.structs.replace(scene, problem=problem)
            found += [
                self._item(offer, document, params.range, diagnostic)
                for offer in offers(about, context.only, unasked=True)
            ]
        return found + [
            self._item(offer, document, params.range, None)
            for offer in offers(scene, context.only, unasked=unasked)
        ]

    def _item(
        self,
        offer: Offer,
        document: TextDocument,
        place: types.Range,
        diagnostic: types.Diagnostic | None,
    ) -> types.CodeAction | types.Command:
        """Return an action in a form with which the client can do something."""
        about = None if diagnostic is None else plain_diagnostic(diagnostic)
        chosen = Chosen(offer.action, document.uri, document.version, plain_range(place), about)
        data = msgspec.to_builtins(chosen)
        command = types.Command(offer.title, APPLY, arguments=[data])
        if not self.client.literals:
            return command
        resolves = self.client.resolves
        return types.CodeAction(
            offer.title,
            kind=offer.kind,
            diagnostics=None if diagnostic is None else [diagnostic],
            data=data if resolves else None,
            command=None if resolves else command,
        )

    # --- what is asked for ----------------------------------------------------------------------

    def resolve_asked(self, params: types.CodeAction, raw: Any) -> "tuple[types.CodeAction, Asked]":
        """Return `codeAction/resolve` as it arrived. LSP knows no token there; some send one."""
        token = at(raw, "workDoneToken")
        given = token if isinstance(token, str | int) else None
        return params, self._action_asked(params.data, given, "data")

    def apply_asked(self, params: types.ExecuteCommandParams, raw: Any) -> Asked:
        """Return `aiSidecar.applyAction` as it arrived."""
        data = params.arguments[0] if params.arguments else None
        return self._action_asked(data, params.work_done_token, "arguments[0]")

    def rewrite_asked(self, params: types.ExecuteCommandParams, raw: Any) -> Asked:
        """Return `aiSidecar.rewrite {uri, range, instruction}` as it arrived.

        Raises `InvalidParams`, and `Unsupported` where nothing of the file may be sent.
        """
        given = params.arguments[0] if params.arguments else None
        uri, instruction = at(given, "uri"), at(given, "instruction")
        if not isinstance(uri, str):
            raise InvalidParams("arguments[0].uri", "expected a document's URI")
        if not isinstance(instruction, str) or not instruction.strip():
            raise InvalidParams("arguments[0].instruction", "expected what is to be done")
        document = document_at(self._server.workspace, uri)
        if document is None:
            raise InvalidParams("arguments[0].uri", "expected a document that is open")
        place = read_range(at(given, "range"), "arguments[0].range")
        self._require_allowed(document)
        start, end = offset_of(document, place.start), offset_of(document, place.end)
        region = selected(document.source, start, end)
        plan = by_instruction(region, document.language_id or "", instruction)
        return Asked(document, plan, params.work_done_token)

    def _action_asked(self, data: Any, token: Token | None, field: str) -> Asked:
        """Return an action of `listed` as it is asked for. `data` is its `Chosen`.

        Raises `InvalidParams`, `ContentModified`, and `Unsupported` where nothing may be sent.
        """
        try:
            chosen = msgspec.convert(data, Chosen)
        except msgspec.ValidationError:
            raise InvalidParams(field, "expected what textDocument/codeAction gave") from None
        action = ACTIONS.get(chosen.action)
        if action is None:
            raise InvalidParams(f"{field}.action", f"expected one of {', '.join(ACTIONS)}")
        document = document_at(self._server.workspace, chosen.uri)
        if document is None or document.version != chosen.version:
            raise self._told(ContentModified())
        self._require_allowed(document)
        tests = self._tests(document, read=True)
        scene = self._scene(document, read_range(chosen.range, f"{field}.range"), tests)
        if chosen.diagnostic is not None:
            problem = read_problem(document, chosen.diagnostic, f"{field}.diagnostic")
            scene = msgspec.structs.replace(scene, problem=problem)
        plan = action.plan(scene)
        if plan is None:
            raise InvalidParams(field, "the action is not possible here")
        return Asked(document, plan, token, tests)

    # --- what comes of it -----------------------------------------------------------------------

    async def edited(self, asked: Asked) -> types.WorkspaceEdit:
        """Return the edit that a request comes to. Raises `ProviderError`, `ContentModified`."""
        client, document = self.client, asked.document
        work = ActionWork(self._session, self.tokens, asked.token, may_create=client.makes_progress)
        async with work:
            made = await self.engine.run(self._job(asked), work)
        if made is None:
            self._session.inform("the model would change nothing here")
            return client.nothing()
        if isinstance(made, InTests):
            assert asked.tests is not None  # without a file for them, the action was not possible
            return file_of_tests.edit(self._server.workspace, asked.tests, client, made.text)
        # The text is still that of the request, but a save may have counted it as a new version.
        now = document_at(self._server.workspace, document.uri) or document
        return client.changed(now.uri, now.version, range_of(now, made), made.text)

    async def shown(self, asked: Asked) -> types.WorkspaceEdit:
        """Do the same for what was chosen in a menu, where many a client drops the error."""
        try:
            return await self.edited(asked)
        except (ProviderError, ContentModified) as error:
            raise self._told(error) from None

    async def apply(self, asked: Asked) -> None:
        """Have the client apply the edit. Raises what `edited` raises."""
        edit = await self.shown(asked)
        converter = self._server.protocol._converter  # pyright: ignore[reportPrivateUsage]
        params = {"label": "AI", "edit": converter.unstructure(edit)}
        try:
            answer = await self._session.connection.request("workspace/applyEdit", params)
        except RpcError as error:
            raise Unsupported(f"the editor did not apply the edit: {error.message}") from None
        if at(answer, "applied") is not True:
            reason = at(answer, "failureReason") or "it does not say why"
            raise Unsupported(f"the editor did not apply the edit: {reason}")

    # --- small pieces ---------------------------------------------------------------------------

    def _told(self, error: "ProviderError | ContentModified") -> "ProviderError | ContentModified":
        """Return the error, which the user has been told by us if by nobody else."""
        if not self.client.shows_errors:
            self._session.complain(error.message)
        return error

    def _is_ignored(self, path: str) -> bool:
        return self._ignored.has(path, self._session.config.inline.ignore)

    def _is_allowed(self, document: TextDocument) -> bool:
        enabled = self._session.config.actions.enabled
        return enabled and not self._is_ignored(path_of(document.uri))

    def _require_allowed(self, document: TextDocument) -> None:
        if not self._session.config.actions.enabled:
            raise Unsupported("edits are switched off (actions.enabled)")
        if not self._is_allowed(document):
            raise Unsupported("this file is ignored, or may hold secrets: nothing of it is sent")

    def _is_too_long(self, scene: Scene) -> bool:
        """Say whether the selection's lines are more than may be sent: no action could be done."""
        lines = lines_around(scene.source, scene.start, scene.end)
        most = self._session.config.actions.context_tokens * BYTES_PER_TOKEN
        return lines.end - lines.start > most

    def _tests(self, document: TextDocument, *, read: bool) -> FileOfTests | None:
        workspace = self._server.workspace
        return file_of_tests.find(workspace, document, self.client, self._is_ignored, read=read)

    def _scene(
        self, document: TextDocument, place: types.Range, tests: FileOfTests | None
    ) -> Scene:
        start, end = sorted((offset_of(document, place.start), offset_of(document, place.end)))
        return Scene(
            source=document.source,
            language=document.language_id or "",
            name=name_of(path_of(document.uri), self._root),
            start=start,
            end=end,
            tests=None if tests is None else tests.beside,
        )

    def _job(self, asked: Asked) -> Job:
        document, plan = asked.document, asked.plan
        uri, source = document.uri, plan.region.source

        def is_current() -> bool:
            now = document_at(self._server.workspace, uri)
            return now is not None and (now.source is source or now.source == source)

        return Job(
            uri=uri,
            path=name_of(path_of(uri), self._root),
            language=document.language_id or "",
            plan=plan,
            is_current=is_current,
        )


def listed(ls: Any, params: types.CodeActionParams) -> list[types.CodeAction | types.Command]:
    """Answer `textDocument/codeAction`. Never null: some clients cannot read that."""
    actions: ActionFeature = ls.actions
    return actions.listed(params)


async def resolve(ls: Any, given: "tuple[types.CodeAction, Asked]") -> types.CodeAction:
    """Answer `codeAction/resolve`: the same action, with its edit."""
    actions: ActionFeature = ls.actions
    action, asked = given
    return attrs.evolve(action, edit=await actions.shown(asked))


async def apply(ls: Any, asked: Asked) -> None:
    """Answer `aiSidecar.applyAction`, for clients that do not resolve."""
    actions: ActionFeature = ls.actions
    await actions.apply(asked)


async def rewrite(ls: Any, asked: Asked) -> types.WorkspaceEdit:
    """Answer `aiSidecar.rewrite`."""
    actions: ActionFeature = ls.actions
    return await actions.edited(asked)
