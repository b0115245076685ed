"""What a `Run` asks of its manager: providers, prices, admission, and to be told what happened.

A port, so that a run can be tested with a desk of its own and the manager's file stays short.
"""

from typing import Protocol

from providers.accumulate import Accumulator
from providers.base import AiProvider
from providers.errors import ProviderError
from providers.policy.router import Candidate
from providers.types import (
    CallTrace,
    ChatRequest,
    CompletionRequest,
    CompletionResponse,
    Cost,
    Outcome,
)

Request = ChatRequest | CompletionRequest


class Desk(Protocol):
    """The manager, as one run sees it."""

    def provider(self, name: str) -> AiProvider:
        """Return the provider. Raises `RefusedLocally`."""
        ...

    def model_of(self, candidate: Candidate) -> str:
        """Return the model's name, the provider's default where the candidate gives none."""
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

    def check_circuit(self, candidate: Candidate) -> None:
        """Raise `CircuitOpen` if the provider should be passed over now."""
        ...

    async def enter(self, candidate: Candidate, request: Request, patience: float) -> bool:
        """Wait for the provider's turn. Returns whether the attempt probes an open circuit.

        `patience`: the longest known wait (seconds) that is worth it. Raises `RefusedLocally`.
        """
        ...

    def answered(
        self, candidate: Candidate, request: Request, outcome: Outcome, *, probe: bool
    ) -> None:
        """The answer came whole: book it."""
        ...

    def failed(self, candidate: Candidate, error: ProviderError, *, probe: bool) -> None:
        """The attempt failed."""
        ...

    def cancelled(self, candidate: Candidate, *, probe: bool) -> None:
        """The client took the request back."""
        ...

    def leave(self, candidate: Candidate, trace: CallTrace) -> None:
        """The attempt that had entered is over, however it ended."""
        ...

    def cut_short(self, candidate: Candidate, request: Request, answer: Accumulator) -> None:
        """The answer was cancelled or broke after something had arrived: book what it cost."""
        ...

    def retried(self, candidate: Candidate) -> None:
        """The same candidate is asked again."""
        ...

    def failed_over(self, candidate: Candidate) -> None:
        """The next candidate is asked after this one."""
        ...
