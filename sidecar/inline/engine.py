"""The orchestrator of completion while typing: from a keystroke to the text that is shown.

One request of a document at a time: the newest. In this order: may it be completed at all, is the
answer known, is nobody to be asked for a while, has the writer paused; then the model is asked, and
its answer shown if the document is still the one it was made for. It knows no LSP types and answers
every failure with nothing.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

import msgspec

from providers.errors import ProviderError
from providers.manager import ProviderManager, Target
from providers.registry import starts_a_program
from providers.run import Run
from providers.settings import FallbackSettings, ProviderSettings
from providers.types import ChatRequest, CompletionRequest, RetryNotice
from sidecar.config.model import InlineSettings
from sidecar.inline import filters
from sidecar.inline.cache import LastAnswers
from sidecar.inline.context import CONTEXT_TOKENS, Context, cut
from sidecar.inline.counts import InlineCounts
from sidecar.inline.debounce import Debounce
from sidecar.inline.ignored_files import IgnoredFiles
from sidecar.inline.models import Able, Models
from sidecar.inline.prompt import chat_request, continued_request, fim_request, template_request
from sidecar.inline.silence import TOLD, Silence
from sidecar.status import Status

logger = logging.getLogger(__name__)

Request = ChatRequest | CompletionRequest

LONGEST = 30.0
"""Seconds for one answer. The embedded model may have to be loaded first."""

LONGEST_RETRY_WAIT = 0.5
"""Seconds. What is typed meanwhile makes a later answer one for another text."""

DOCUMENTS = 64
"""Whose rhythm is remembered."""


class Ask(msgspec.Struct, frozen=True):
    """One request, as things stood when it came. `offset` in characters of `source`.

    `is_current` says whether the document is still `source`. `arrived` in seconds of the loop.
    """

    uri: str
    path: str
    name: str
    language: str
    source: str
    offset: int
    arrived: float
    is_current: Callable[[], bool]
    invoked: bool = False


class InlineConfig(Protocol):
    """The configuration; another object where anything in it has changed."""

    @property
    def inline(self) -> InlineSettings: ...
    @property
    def fallback(self) -> FallbackSettings: ...
    @property
    def providers(self) -> dict[str, ProviderSettings]: ...


class Host(Protocol):
    """What the engine needs of a session."""

    manager: ProviderManager
    status: Status
    selected: tuple[str | None, str] | None
    inline_counts: InlineCounts

    @property
    def config(self) -> InlineConfig: ...
    def aim(self, target: Target) -> None: ...
    def inform(self, message: str) -> None: ...
    def warn(self, message: str) -> None: ...


class InlineEngine:
    """One per session."""

    def __init__(self, host: Host, ignored: IgnoredFiles) -> None:
        self._host = host
        self._ignored = ignored
        self._loop = asyncio.get_running_loop()
        self._answers = LastAnswers()
        self._silence = Silence()
        self._models = Models()
        self._rhythms: dict[str, Debounce] = {}
        self._running: dict[str, asyncio.Task[str]] = {}
        self._asked: tuple[InlineConfig | None, tuple[str | None, str] | None] = (None, None)
        self._told = False  # that nothing is asked, and why
        self._aim = 0  # counts changes of what is asked: answers of another aim are not served

    async def complete(self, ask: Ask) -> str:
        """Return the text for the cursor's place, "" for none.

        A newer request of the same document, or a change of it, ends this one with "". Raises
        `CancelledError` only where the client itself has cancelled.
        """
        self._host.inline_counts.requests += 1
        self.stop(ask.uri)
        work = self._loop.create_task(self._work(ask))
        self._running[ask.uri] = work
        try:
            text = await work
            # A change may have come between the end of the work and this turn of the loop.
            return text if ask.is_current() else ""
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if me is not None and me.cancelling():
                raise
            return ""
        finally:
            if self._running.get(ask.uri) is work:
                del self._running[ask.uri]

    def stop(self, uri: str) -> None:
        """End what is under way for a document: it has changed, or something newer is wanted."""
        former = self._running.pop(uri, None)
        if former is not None:
            former.cancel()

    def closed(self, uri: str) -> None:
        """Forget a document."""
        self.stop(uri)
        self._answers.forget(uri)
        self._rhythms.pop(uri, None)

    # --- one request ------------------------------------------------------------------------

    async def _work(self, ask: Ask) -> str:
        settings, aim = self._take_aim(), self._aim
        if not self._is_wanted(ask, settings):
            return ""
        known = self._answers.look_up(ask.uri, ask.source, ask.offset, aim)
        if known is not None and (known or not ask.invoked):
            return filters.apply_again(known, self._context(ask, CONTEXT_TOKENS))
        if self._silence.holds(self._loop.time()) and not ask.invoked:
            return ""
        rhythm = self._rhythm(ask.uri)
        wait = 0.0 if ask.invoked else rhythm.wait(settings.debounce_ms / 1000, ask.arrived)
        try:
            request, target = await self._prepare(ask, settings)
            if request is None:
                return ""
            await asyncio.sleep(ask.arrived + wait - self._loop.time())
            if not ask.is_current():
                return ""
            with self._host.status.busy:
                text = await self._ask(self._host.manager.stream(request, target), rhythm)
        except ProviderError as error:
            self._failed(error, ask.invoked)
            return ""
        self._silence.answered()
        rhythm.answered()
        shown = filters.apply(text, self._context(ask, CONTEXT_TOKENS))
        if "\r\n" in ask.source:
            shown = shown.replace("\n", "\r\n")
        self._answers.store(ask.uri, ask.source, ask.offset, shown, aim)
        return shown

    def _is_wanted(self, ask: Ask, settings: InlineSettings) -> bool:
        return (
            settings.enabled
            and settings.languages.get(ask.language, True)
            and not self._ignored.has(ask.path, settings.ignore)
        )

    async def _prepare(self, ask: Ask, settings: InlineSettings) -> tuple[Request | None, Target]:
        """Return what is to be asked, and of whom; made while the writer may go on typing.

        None where nobody is to be. Raises `ProviderError`.
        """
        target = Target(settings.provider, settings.model, timeout=LONGEST)
        self._host.aim(target)
        manager = self._host.manager
        if settings.mode == "fim":
            # Only this model was said to fill in; the next one of a chain would not.
            target.fallback = []
            able = Able(fim=True)
        else:
            chain = [] if target.provider is not None else self._host.config.fallback.chain
            first = manager.stream(ChatRequest(messages=[]), target)  # only to see whom it takes
            if settings.provider is None and settings.model is None:
                if self._starts_a_program(first.provider):
                    self._tell_why_nothing_comes(first.provider)
                    return None, target
                chain = [name for name in chain if not self._starts_a_program(name)]
            able = await self._models.able(manager, first.provider, first.model)
            if settings.mode == "chat":
                able = able._replace(fim=False, continues=False)
            elif settings.fim_template:
                able = able._replace(fim=True)
            if able.fim or able.continues:
                chain = []
            target = Target(first.provider, first.model or None, chain, LONGEST)
        context = self._context(ask, _budget(able, settings.max_tokens))
        return _request(context, settings, able), target

    async def _ask(self, run: Run, rhythm: Debounce) -> str:
        """Return the whole answer. Closes the connection if it is ended before."""
        try:
            async for tokens in run:
                for token in tokens:
                    if isinstance(token, RetryNotice) and token.wait > LONGEST_RETRY_WAIT:
                        raise token.error
        except asyncio.CancelledError:
            rhythm.abandoned()
            raise
        finally:
            await run.aclose()
        self._host.status.answered(run.outcome)
        return run.text

    # --- small pieces -------------------------------------------------------------------------

    def _starts_a_program(self, target: str) -> bool:
        """Say whether a provider, or "provider/model", is of a kind that does so per request.

        Nobody means that by a `default`, at every pause in typing; who does names it in `[inline]`.
        """
        name = target.partition("/")[0]
        settings = self._host.config.providers.get(name)
        kind = settings.kind if settings is not None and settings.kind else name
        return starts_a_program(kind)

    def _tell_why_nothing_comes(self, provider: str) -> None:
        if not self._told:
            self._told = True
            self._host.inform(
                f"{provider} starts a program for every request, so nothing is completed while "
                "typing; name another provider, or this one, as inline.provider"
            )

    def _context(self, ask: Ask, tokens: int) -> Context:
        prefix, suffix = cut(ask.source, ask.offset, tokens)
        return Context(prefix, suffix, ask.language, ask.name)

    def _take_aim(self) -> InlineSettings:
        """Return the settings; where anything is new, silence and what was learned are over."""
        config, selected = self._host.config, self._host.selected
        if config is not self._asked[0] or selected != self._asked[1]:
            self._asked = (config, selected)
            self._aim += 1
            self._silence = Silence()
            self._models = Models()
        return config.inline

    def _rhythm(self, uri: str) -> Debounce:
        rhythm = self._rhythms.pop(uri, None) or Debounce()
        self._rhythms[uri] = rhythm
        if len(self._rhythms) > DOCUMENTS:
            del self._rhythms[next(iter(self._rhythms))]
        return rhythm

    def _failed(self, error: ProviderError, invoked: bool) -> None:
        """Tell a failure: whoever invokes it each time, who only types once, and of what lasts."""
        news = self._silence.failed(error, self._loop.time())
        lasts = news and error.kind in TOLD
        seen = lasts and self._host.status.is_told
        if news:
            # What the user is told is nothing to be alarmed of in a log, which editors show, too.
            level = logging.INFO if invoked or lasts else logging.WARNING
            text = "completion while typing: %s: %s"
            logger.log(level, text, error.provider, error.message)
        if seen:
            self._host.status.failed(error)
        if invoked:
            self._host.warn(f"nothing is completed: {error.message}")
        elif lasts and not seen:
            self._host.warn(f"nothing is completed while typing: {error.message}")


def _request(context: Context, settings: InlineSettings, able: Able) -> Request:
    most = settings.max_tokens
    if able.fim and settings.fim_template:
        return template_request(context, settings.fim_template, most)
    if able.fim:
        return fim_request(context, most)
    if able.continues:
        return continued_request(context, most)
    return chat_request(context, most, reasons=able.reasons)


def _budget(able: Able, max_tokens: int) -> int:
    """Return the tokens of context: a small window is left room for prompt and answer."""
    if able.window is None:
        return CONTEXT_TOKENS
    return max(64, min(CONTEXT_TOKENS, (able.window - max_tokens) // 2))
