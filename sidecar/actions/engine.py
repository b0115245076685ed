"""From an action to the text it makes: asks the model, watches the document, reads the answer.

One answer, asked for once: the document must be the same when it comes, or it is refused. It knows
no LSP types; what a client does with the edit is `feature`'s business.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from providers.base import Model
from providers.errors import ContentFiltered, Malformed, ProviderError, Truncated
from providers.manager import ProviderManager, Target
from providers.run import Run
from providers.types import ChatRequest, Outcome, RetryNotice, TextDelta
from sidecar.actions.answer import Unusable
from sidecar.actions.plans import Made, Plan
from sidecar.actions.prompt import ask
from sidecar.config.model import ActionSettings, InlineSettings
from sidecar.envelope import ContentModified
from sidecar.status import Status

WINDOW_SHARE = 0.4
"""Of a model's window, at most: for the context, and for the answer. The rest is for the prompt's
own words and for what the estimate of tokens is wrong by."""


class ActionConfig(Protocol):
    """The configuration, as far as actions need it."""

    @property
    def actions(self) -> ActionSettings: ...
    @property
    def inline(self) -> InlineSettings: ...


class Host(Protocol):
    """What the engine needs of a session."""

    manager: ProviderManager
    status: Status

    @property
    def config(self) -> ActionConfig: ...
    def aim(self, target: Target) -> None: ...


class Progress(Protocol):
    """Where is told how it goes on."""

    def begin(self, provider: str, model: str) -> None: ...
    def received(self, chars: int) -> None: ...
    def report(self, message: str) -> None: ...


class Job(msgspec.Struct, frozen=True):
    """One action on one document, as it was when it was asked for.

    `is_current` says whether the document is still that of the plan.
    """

    uri: str
    path: str
    language: str
    plan: Plan
    is_current: Callable[[], bool]


class ActionEngine:
    """One per session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running: dict[asyncio.Task[Made], Job] = {}
        self._outdated: set[asyncio.Task[Made]] = set()

    async def run(self, job: Job, progress: Progress) -> Made:
        """Return what the answer comes to.

        Raises `ProviderError`, and `ContentModified` once the document is another: at once where
        `changed` is told of it. A cancel closes the connection to the service.
        """
        if not job.is_current():
            raise ContentModified
        work = asyncio.get_running_loop().create_task(self._work(job, progress))
        self._running[work] = job
        try:
            made = await work
        except asyncio.CancelledError:
            if work in self._outdated:
                raise ContentModified from None
            raise
        finally:
            del self._running[work]
            self._outdated.discard(work)
        if not job.is_current():
            raise ContentModified
        return made

    def changed(self, uri: str) -> None:
        """End what is under way for a document that is another now."""
        for work, job in self._running.items():
            if job.uri == uri and not job.is_current():
                self._outdated.add(work)
                work.cancel()

    async def _work(self, job: Job, progress: Progress) -> Made:
        with self._host.status.busy:
            run = await self._prepare(job)
            progress.begin(run.provider, run.model)
            await _read(run, progress)
            self._host.status.answered(run.outcome)
            return _usable(job, run.outcome)

    async def _prepare(self, job: Job) -> Run:
        """Return the run, not yet begun. Raises `ProviderError`."""
        settings, manager = self._host.config.actions, self._host.manager
        target = Target(settings.provider, settings.model)
        self._host.aim(target)
        context, most = settings.context_tokens, settings.max_tokens
        run = manager.stream(self._ask(job, context, most), target)
        model = await _listed(manager, run)
        if model is None:
            return run
        if model.max_output_tokens is not None:
            most = min(most, model.max_output_tokens)
        if model.context_window is not None:
            share = int(model.context_window * WINDOW_SHARE)
            context, most = min(context, share), min(most, share)
        if (context, most) == (settings.context_tokens, settings.max_tokens):
            return run
        return manager.stream(self._ask(job, context, most), target)

    def _ask(self, job: Job, context_tokens: int, max_tokens: int) -> ChatRequest:
        return ask(
            job.plan.question,
            job.plan.region,
            language=job.language,
            path=job.path,
            context_tokens=context_tokens,
            max_tokens=max_tokens,
        )


async def _read(run: Run, progress: Progress) -> None:
    """Read the whole answer. Closes the connection if it is ended before."""
    try:
        async for tokens in run:
            for token in tokens:
                if isinstance(token, RetryNotice):
                    wait = f"next try in {token.wait:.1f} s"
                    progress.report(f"{token.provider}: {token.error.kind}, {wait}")
            progress.received(sum(len(t.text) for t in tokens if isinstance(t, TextDelta)))
    finally:
        await run.aclose()


async def _listed(manager: ProviderManager, run: Run) -> Model | None:
    """Return what the provider's list says of the model that is asked first, if anything."""
    try:
        listed = await manager.models(run.provider)
    except ProviderError:
        return None  # the request itself will say why
    return next((model for model in listed if model.id == run.model or not run.model), None)


def _usable(job: Job, outcome: Outcome) -> Made:
    """Return what is read in a whole answer. Raises `ProviderError` for any other."""
    error: ProviderError
    reason = outcome.response.finish_reason
    if reason == "contentFilter":
        error = ContentFiltered("the service refused to answer")
    elif reason == "length":
        error = Truncated(
            "the answer was cut off: it is longer than actions.maxTokens, or than the model can"
        )
    else:
        try:
            return job.plan.read(outcome.response.text)
        except Unusable as unusable:
            error = Malformed(str(unusable))
    error.provider, error.model = outcome.provider, outcome.model
    raise error
