"""`Run`: one request on its way through its candidates, until one answers or none is left.

Retry and failover happen here and only before the first content; after it the request fails with
what had arrived. Two generators lie between socket and editor: the provider's and this one.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any, Literal

import msgspec

from providers.accumulate import Accumulator
from providers.base import AiProvider
from providers.desk import Admission, Desk, Request
from providers.errors import (
    Attempt,
    Authentication,
    CircuitOpen,
    Disconnected,
    ErrorKind,
    ProviderError,
    ProviderNotFound,
    RefusedLocally,
    ResponseError,
    TimedOut,
)
from providers.policy.retry import FAILOVER_RETRY_WAIT, RetryPolicy, may_fail_over
from providers.policy.router import Candidate
from providers.settings import RetrySettings
from providers.types import (
    NO_OPTIONS,
    CallTrace,
    CompletionRequest,
    ManagerToken,
    Outcome,
    RetryNotice,
    Started,
    StreamStart,
    StreamToken,
    Timing,
    Usage,
)

MOST_RECOVERIES = 4
"""Requests sent again at once because a parameter was found unknown or a key old: a bound on what
an endpoint that complains about something new every time can cost."""


class _Try:
    """One attempt: when it began, what happened on the wire, whether it holds a place."""

    __slots__ = ("admitted", "began", "candidate", "ended_as", "trace")

    def __init__(
        self, candidate: Candidate, now: float, deadline: float | None, *, fresh: bool
    ) -> None:
        self.candidate = candidate
        self.began = now
        self.trace = CallTrace(deadline, fresh=fresh)
        self.ended_as: ErrorKind | Literal["", "cancelled"] = "cancelled"
        self.admitted: Admission | None = None


def chance() -> float:
    """Return a number in [0, 1). `random` is imported when first asked: most sessions never do."""
    import random

    return random.random()


class Run:
    """Iterate it once: each step gives the tokens of one read, as a list that is never empty.

    Raises `ProviderError` with `attempts`, and `partial` if text had been given before. `outcome`
    is there after a normal end. To cancel, cancel the task that iterates, or call `aclose`.
    """

    __slots__ = (
        "_accepted",
        "_answer",
        "_at",
        "_attempts",
        "_candidates",
        "_clock",
        "_deadline",
        "_desk",
        "_dispatched",
        "_first_token",
        "_fresh",
        "_known",
        "_recoveries",
        "_renewals",
        "_request",
        "_retry",
        "_retrying",
        "_tokens",
        "_tries",
        "_unary",
        "_waited",
        "model",
        "outcome",
        "provider",
    )

    outcome: Outcome

    def __init__(
        self,
        desk: Desk,
        request: Request,
        candidates: list[Candidate],
        *,
        retry: RetrySettings,
        timeout: float | None,
        unary: bool = False,
    ) -> None:
        self._desk = desk
        self._request = request
        self._candidates = candidates
        self._known = desk.known(candidates)
        self._retrying = retry
        self._retry: RetryPolicy | None = None  # made with the first failure
        self._unary = unary
        self._clock = asyncio.get_running_loop().time
        self._accepted = self._clock()
        self._deadline = self._accepted + timeout if timeout is not None else None
        self._attempts: list[Attempt] = []
        self._at = self._tries = self._recoveries = self._renewals = 0
        self._waited = 0.0
        self._fresh = False  # whether the next attempt takes a connection of its own
        self._dispatched: float | None = None
        self._first_token: float | None = None
        self._answer = Accumulator()
        self._tokens = self._iterate()
        self.provider = candidates[0].provider
        self.model = desk.model_of(candidates[0])

    def __aiter__(self) -> AsyncIterator[list[ManagerToken]]:
        return self._tokens

    async def aclose(self) -> None:
        """Stop: the upstream socket is closed, nothing further is sent anywhere."""
        await self._tokens.aclose()

    @property
    def text(self) -> str:
        """The text that has arrived so far."""
        return self._answer.text

    async def _iterate(self) -> AsyncGenerator[list[ManagerToken], None]:
        while True:
            this = _Try(
                self._candidates[self._at], self._clock(), self._deadline, fresh=self._fresh
            )
            self._fresh = False
            if self._attempts:
                self._answer = Accumulator()
            source = None
            try:
                await self._admit(this)
                source = self._open(this)
                async for tokens in source:
                    yield self._take(this, tokens)
                    del tokens  # nothing is kept while the next is awaited
                self._succeed(this)
                return
            except ProviderError as error:
                failure = self._fail(this, error)
            except (asyncio.CancelledError, GeneratorExit):
                self._cancel(this)
                raise
            finally:
                if this.admitted is not None:
                    self._desk.leave(this.candidate, this.trace, this.admitted.place)
                    self._tell(this)
                if source is not None:
                    await source.aclose()
            try:
                wait = await self._plan(this, failure)
                model = self._desk.model_of(this.candidate)
                tried = len(self._attempts)
                yield [RetryNotice(this.candidate.provider, model, tried, wait, failure)]
                if wait:
                    self._waited += wait
                    await asyncio.sleep(wait)
            except (asyncio.CancelledError, GeneratorExit):
                self._desk.cancelled(this.candidate, None)
                raise

    # --- one attempt -------------------------------------------------------------------

    async def _admit(self, this: _Try) -> None:
        """Pass the circuit breaker and wait for a turn. Raises `RefusedLocally`.

        A provider that is the only candidate is tried, whatever its circuit says; so is one that
        was admitted before and is only asked again.
        """
        if len(self._known) > 1 and not (self._tries or self._recoveries):
            self._desk.check_circuit(this.candidate)
        patience = FAILOVER_RETRY_WAIT if self._more else self._retrying.max_wait_ms / 1000
        entering = self._desk.enter(this.candidate, self._request, patience)
        if self._deadline is None:
            this.admitted = await entering
        else:
            this.admitted = await self._until_deadline(entering)
        this.trace.key = this.admitted.place.key
        now = self._clock()
        self._waited += now - this.began  # a queue is not dispatch
        this.began = now

    async def _until_deadline(self, entering: Coroutine[Any, Any, Admission]) -> Admission:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await entering
        except TimeoutError as error:
            raise TimedOut("the request's time was over in the queue", phase="total") from error

    def _open(self, this: _Try) -> AsyncGenerator[list[StreamToken], None]:
        provider = self._desk.provider(this.candidate.provider)
        request = msgspec.structs.replace(
            self._request,
            model=self._desk.model_of(this.candidate),
            provider_options=self._request.provider_options.get(
                this.candidate.provider, NO_OPTIONS
            ),
            trace=this.trace,
        )
        if self._unary:
            return self._whole(provider, request)
        if isinstance(request, CompletionRequest):
            return provider.complete_stream(request)
        return provider.chat_stream(request)

    async def _whole(
        self, provider: AiProvider, request: Request
    ) -> AsyncGenerator[list[StreamToken], None]:
        """A unary answer, as a stream of nothing: the response is taken over whole."""
        if isinstance(request, CompletionRequest):
            response = await provider.complete(request)
        else:
            response = await provider.chat(request)
        self._answer.take(response)
        for nothing in ():
            yield nothing

    def _take(self, this: _Try, tokens: list[StreamToken]) -> list[ManagerToken]:
        self._answer.add(tokens)
        if this.trace.headers and this.admitted is not None:
            self._desk.learn(this.candidate, this.trace, this.admitted.place)
        if self._first_token is None and self._answer.has_content:
            self._first_token = self._clock()
        batch: list[ManagerToken] = tokens  # type: ignore[assignment]  # a list is invariant
        first = tokens[0]
        if type(first) is StreamStart:
            model = first.model or self._desk.model_of(this.candidate)
            batch[0] = Started(first.id, this.candidate.provider, model)
        return batch

    def _succeed(self, this: _Try) -> None:
        assert this.admitted is not None
        now = self._clock()
        this.ended_as = ""
        self._note_dispatch(this)
        candidate = this.candidate
        model = self._desk.model_of(candidate)
        self._attempts.append(Attempt(candidate.provider, model, (now - this.began) * 1000))
        response = self._answer.response()
        first = self._first_token if self._first_token is not None else now
        dispatched = self._dispatched if self._dispatched is not None else self._accepted
        self.outcome = Outcome(
            provider=candidate.provider,
            model=response.model or model,
            response=response,
            usage=response.usage or Usage(),
            cost=self._desk.cost_of(candidate, response),
            timing=Timing(
                dispatch_ms=max(0.0, dispatched - self._accepted) * 1000,
                first_token_ms=(first - self._accepted) * 1000,
                total_ms=(now - self._accepted) * 1000,
            ),
            attempts=self._attempts,
        )
        self._desk.answered(candidate, self._request, self.outcome, this.admitted)

    def _tell(self, this: _Try) -> None:
        """Tell whoever watches, if anybody does."""
        if self._desk.telemetry.is_on:
            seconds = self._clock() - this.began
            self._desk.tell(
                this.candidate, self._request, self._answer, this.trace, this.ended_as, seconds
            )

    def _note_dispatch(self, this: _Try) -> None:
        if self._dispatched is None:
            sent = this.trace.sent_at if this.trace.sent_at is not None else this.began
            self._dispatched = sent - self._waited

    # --- after it ----------------------------------------------------------------------------

    def _fail(self, this: _Try, error: ProviderError) -> ProviderError:
        if this.trace.sent_at is not None:
            self._note_dispatch(this)
        error = self._desk.masked(error)
        this.ended_as = error.kind
        error.provider = error.provider or this.candidate.provider
        error.model = error.model or self._desk.model_of(this.candidate)
        ms = (self._clock() - this.began) * 1000
        self._attempts.append(Attempt(error.provider, error.model, ms, error))
        if this.admitted is not None:
            self._desk.failed(this.candidate, error, this.admitted)
        self._desk.cut_short(this.candidate, self._request, self._answer, "broken", this.trace)
        return error

    def _cancel(self, this: _Try) -> None:
        self._desk.cancelled(this.candidate, this.admitted)
        self._desk.cut_short(this.candidate, self._request, self._answer, "cancelled", this.trace)

    async def _plan(self, this: _Try, failure: ProviderError) -> float:
        """Return the seconds to wait before the next attempt, and set which one that is.

        Raises the error the request ends with, if there is no next attempt.
        """
        if self._answer.has_content:
            raise self._final(failure)
        if self._recoveries < MOST_RECOVERIES and await self._recover(this, failure):
            self._recoveries += 1
            return 0.0
        self._tries += 1
        if isinstance(failure, Disconnected) and failure.stale:
            # Closed between two requests, as far as anybody can tell: no fault, so no wait.
            self._fresh = True
            self._desk.retried(this.candidate)
            return 0.0
        if self._retry is None:
            self._retry = RetryPolicy(self._retrying, chance)
        wait = self._retry.wait_before_retry(failure, self._tries, more_candidates=self._more)
        if wait is not None and self._fits(wait):
            self._desk.retried(this.candidate)
            self._retry.waited(wait)
            return wait
        if self._at + 1 == len(self._candidates) or not self._may_fail_over(failure):
            raise self._final(failure)
        self._desk.failed_over(this.candidate)
        self._at, self._tries, self._recoveries, self._renewals = self._at + 1, 0, 0, 0
        return 0.0

    @property
    def _more(self) -> bool:
        """Whether somebody is left; a name that is no provider's is nobody."""
        return bool(self._known) and self._at < self._known[-1]

    async def _recover(self, this: _Try, error: ProviderError) -> bool:
        if not isinstance(error, ResponseError):
            return False
        try:
            provider = self._desk.provider(this.candidate.provider)
            if isinstance(error, Authentication):
                # A program that makes a new token each time would else be asked again and again.
                if self._renewals >= provider.key_count:
                    return False
                self._renewals += 1
            return await provider.recover(error)
        except ProviderError:
            return False  # the first error tells more than why its cure failed

    def _may_fail_over(self, error: ProviderError) -> bool:
        if isinstance(error, ProviderNotFound):
            return self._at > 0  # a wrong name in a chain is passed over; who asks for one is told
        here = self._desk.window_of(self._candidates[self._at])
        there = self._desk.window_of(self._candidates[self._at + 1])
        larger = here is not None and there is not None and there > here
        free = any(map(self._desk.is_free, self._candidates[self._at + 1 :]))
        return may_fail_over(error, larger_window=larger, free_left=free)

    def _fits(self, wait: float) -> bool:
        return self._deadline is None or self._clock() + wait < self._deadline

    def _final(self, error: ProviderError) -> ProviderError:
        """Return the error the request ends with.

        What a service said comes before what we refused, and an open circuit last: it is the
        outcome only where every circuit of the chain is open. A name in the chain that is no
        provider's is no outcome at all.
        """
        failed = [a.error for a in self._attempts if a.error]
        said = [e for e in failed if not _is_refusal(e)]
        there = [e for e in failed if not isinstance(e, ProviderNotFound)]
        refused = [e for e in there if not isinstance(e, CircuitOpen)]
        final = (said or refused or there or [error])[-1] if _is_refusal(error) else error
        final.attempts = self._attempts
        final.partial = self._answer.text if self._answer.has_content else None
        return final


def _is_refusal(error: ProviderError) -> bool:
    return isinstance(error, RefusedLocally)
