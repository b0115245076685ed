"""`Run`: one request on its way through its candidates, until one answers or none is left.

Retry and failover happen here and only before the first content; after it the request fails with
what had arrived. Two generators lie between socket and editor: the provider's and this one.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol

import msgspec

from providers.accumulate import Accumulator
from providers.base import AiProvider
from providers.errors import Attempt, ProviderError, RefusedLocally, ResponseError
from providers.policy.retry import RetryPolicy, may_fail_over
from providers.policy.router import Candidate
from providers.settings import RetrySettings
from providers.types import (
    CallTrace,
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Cost,
    ManagerToken,
    Outcome,
    RetryNotice,
    Started,
    StreamStart,
    StreamToken,
    Timing,
    Usage,
)

Request = ChatRequest | CompletionRequest

MOST_RECOVERIES = 4
"""Requests sent again at once because a parameter was found unknown or a key old: a bound on what
an endpoint that complains about something new every time can cost."""


class Desk(Protocol):
    """What a run asks of the manager: providers, prices, and to be told what happened."""

    def provider(self, name: str) -> AiProvider:
        """Return the provider. Raises `RefusedLocally`."""
        ...

    def model_of(self, candidate: Candidate) -> str:
        """Return the model's name where the candidate gives none."""
        ...

    def window_of(self, candidate: Candidate) -> int | None:
        """Return the context window in tokens, None if unknown."""
        ...

    def cost_of(self, candidate: Candidate, response: CompletionResponse) -> Cost | None:
        """Return what the answer cost, None if unknown."""
        ...

    def masked(self, error: ProviderError) -> ProviderError:
        """Return the error with every known secret out of its message."""
        ...

    def refusal(self, candidate: Candidate) -> RefusedLocally | None:
        """Return why the provider should not be asked now (its circuit is open), None if it may."""
        ...

    def attempt_began(self, candidate: Candidate) -> bool:
        """Count the attempt as in flight. Returns whether it is the probe of an open circuit."""
        ...

    def attempt_failed(
        self, candidate: Candidate, error: ProviderError, *, probe: bool
    ) -> None: ...
    def attempt_answered(self, candidate: Candidate, *, probe: bool) -> None: ...
    def attempt_ended(self, candidate: Candidate) -> None: ...
    def retried(self, candidate: Candidate) -> None: ...
    def failed_over(self, candidate: Candidate) -> None: ...
    def answered(self, outcome: Outcome) -> None: ...
    def cut_short(self, candidate: Candidate, request: Request, answer: Accumulator) -> None:
        """The answer was cancelled or broke after something had arrived: book what it cost."""
        ...

    def cancelled(self, candidate: Candidate, *, probe: bool) -> None: ...


class Run:
    """Iterate it once: each step gives the tokens of one read, as a list that is never empty.

    Raises `ProviderError` with `attempts`, and `partial` if text had been given before. `outcome`
    is there after a normal end. To cancel, cancel the task that iterates, or call `aclose`.
    """

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
        self._retry = RetryPolicy(retry, random.random)
        self._unary = unary
        self._clock = asyncio.get_running_loop().time
        self._accepted = self._clock()
        self._deadline = self._accepted + timeout if timeout is not None else None
        self._attempts: list[Attempt] = []
        self._waited = 0.0
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
        at, tries, recoveries = 0, 0, 0
        while True:
            candidate = self._candidates[at]
            if tries == recoveries == 0 and (refused := self._refusal(candidate)) is not None:
                if at + 1 == len(self._candidates):
                    raise self._final(refused)
                self._desk.failed_over(candidate)
                yield [self._notice(candidate, refused, 0.0)]
                at += 1
                continue
            began = self._clock()
            trace = CallTrace(self._deadline)
            self._answer = Accumulator()
            probe = self._desk.attempt_began(candidate)
            source = None
            try:
                source = self._open(candidate, trace)
                async for tokens in source:
                    yield self._take(candidate, tokens)
                self._desk.attempt_answered(candidate, probe=probe)
                self._succeed(candidate, began, trace)
                return
            except ProviderError as error:
                failure = self._note_failure(candidate, error, began, trace)
                self._desk.attempt_failed(candidate, failure, probe=probe)
            except (asyncio.CancelledError, GeneratorExit):
                self._desk.cancelled(candidate, probe=probe)
                self._desk.cut_short(candidate, self._request, self._answer)
                raise
            finally:
                self._desk.attempt_ended(candidate)
                if source is not None:
                    await source.aclose()

            if self._answer.has_content:
                raise self._final(failure)
            if recoveries < MOST_RECOVERIES and await self._recover(candidate, failure):
                recoveries += 1
                yield [self._notice(candidate, failure, 0.0)]
                continue
            tries += 1
            more = at + 1 < len(self._candidates)
            wait = self._retry.wait_before_retry(failure, tries, more_candidates=more)
            if wait is not None and self._fits(wait):
                self._desk.retried(candidate)
                yield [self._notice(candidate, failure, wait)]
                await self._sleep(wait)
                continue
            if not more or not self._may_fail_over(failure, at):
                raise self._final(failure)
            self._desk.failed_over(candidate)
            yield [self._notice(candidate, failure, 0.0)]
            at, tries, recoveries = at + 1, 0, 0

    # --- one attempt -------------------------------------------------------------------

    def _open(
        self, candidate: Candidate, trace: CallTrace
    ) -> AsyncGenerator[list[StreamToken], None]:
        provider = self._desk.provider(candidate.provider)
        request = msgspec.structs.replace(
            self._request,
            model=self._desk.model_of(candidate),
            provider_options=self._request.provider_options.get(candidate.provider, {}),
            trace=trace,
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

    def _take(self, candidate: Candidate, tokens: list[StreamToken]) -> list[ManagerToken]:
        self._answer.add(tokens)
        if self._first_token is None and self._answer.has_content:
            self._first_token = self._clock()
        batch: list[ManagerToken] = tokens  # type: ignore[assignment]  # a list is invariant
        first = tokens[0]
        if type(first) is StreamStart:
            model = first.model or self._desk.model_of(candidate)
            batch[0] = Started(first.id, candidate.provider, model)
        return batch

    def _succeed(self, candidate: Candidate, began: float, trace: CallTrace) -> None:
        now = self._clock()
        self._note_dispatch(began, trace)
        model = self._desk.model_of(candidate)
        self._attempts.append(Attempt(candidate.provider, model, (now - began) * 1000))
        response = self._answer.response()
        first = self._first_token if self._first_token is not None else now
        self.outcome = Outcome(
            provider=candidate.provider,
            model=response.model or model,
            response=response,
            usage=response.usage or Usage(),
            cost=self._desk.cost_of(candidate, response),
            timing=Timing(
                dispatch_ms=self._dispatch_ms(),
                first_token_ms=(first - self._accepted) * 1000,
                total_ms=(now - self._accepted) * 1000,
            ),
            attempts=self._attempts,
        )
        self._desk.answered(self.outcome)

    def _note_dispatch(self, began: float, trace: CallTrace) -> None:
        if self._dispatched is None:
            sent = trace.sent_at if trace.sent_at is not None else began
            self._dispatched = sent - self._waited

    def _dispatch_ms(self) -> float:
        dispatched = self._dispatched if self._dispatched is not None else self._accepted
        return max(0.0, dispatched - self._accepted) * 1000

    # --- after a failure ------------------------------------------------------------------

    def _note_failure(
        self, candidate: Candidate, error: ProviderError, began: float, trace: CallTrace
    ) -> ProviderError:
        if trace.sent_at is not None:
            self._note_dispatch(began, trace)
        error = self._desk.masked(error)
        error.provider = error.provider or candidate.provider
        error.model = error.model or self._desk.model_of(candidate)
        ms = (self._clock() - began) * 1000
        self._attempts.append(Attempt(error.provider, error.model, ms, error))
        if self._answer.has_content:
            self._desk.cut_short(candidate, self._request, self._answer)
        return error

    def _refusal(self, candidate: Candidate) -> ProviderError | None:
        """Why this candidate is passed over. One that is the only candidate is always tried."""
        if len(self._candidates) == 1:
            return None
        refused = self._desk.refusal(candidate)
        if refused is None:
            return None
        now = self._clock()
        return self._note_failure(candidate, refused, now, CallTrace())

    async def _recover(self, candidate: Candidate, error: ProviderError) -> bool:
        if not isinstance(error, ResponseError):
            return False
        try:
            return await self._desk.provider(candidate.provider).recover(error)
        except ProviderError:
            return False  # the first error tells more than why its cure failed

    def _may_fail_over(self, error: ProviderError, at: int) -> bool:
        here = self._desk.window_of(self._candidates[at])
        there = self._desk.window_of(self._candidates[at + 1])
        larger = here is not None and there is not None and there > here
        return may_fail_over(error, larger_window=larger)

    def _fits(self, wait: float) -> bool:
        return self._deadline is None or self._clock() + wait < self._deadline

    async def _sleep(self, wait: float) -> None:
        self._retry.waited(wait)
        self._waited += wait
        await asyncio.sleep(wait)

    def _notice(self, candidate: Candidate, error: ProviderError, wait: float) -> RetryNotice:
        model = self._desk.model_of(candidate)
        return RetryNotice(candidate.provider, model, len(self._attempts), wait, error)

    def _final(self, error: ProviderError) -> ProviderError:
        """Return the error the request ends with: what a service said before what we refused."""
        said = [a.error for a in self._attempts if a.error and not _is_refusal(a.error)]
        final = said[-1] if _is_refusal(error) and said else error
        final.attempts = self._attempts
        final.partial = self._answer.text if self._answer.has_content else None
        return final


def _is_refusal(error: ProviderError) -> bool:
    return isinstance(error, RefusedLocally)
