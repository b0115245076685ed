"""The error tree. Where an error is made, it is decided whether it may be retried and when.

    ProviderError        kind, retryable, retry_after, provider, model, status, request_id
      TransportError     ConnectFailed, TimedOut, Disconnected          (no answer)
      ResponseError      Authentication, Permission, Quota, RateLimited, Overloaded,
                         ServerFailed, RequestTimeout, InvalidRequest, ContextLength,
                         ContentFiltered, ModelUnknown                  (they said no)
      StreamError        Malformed, Truncated                           (they broke the format)
      RefusedLocally     NotConfigured, ProviderNotFound, ModelNotFound, CircuitOpen, CoolingDown,
                         LocalLimit, BudgetExceeded, Unsupported        (we said no)

Cancellation is not an error of this tree: CancelledError passes through untouched. `retryable` says
whether the same request may succeed later; whether it is in fact retried is the manager's decision.
"""

from typing import Literal, NamedTuple

ErrorKind = Literal[
    "authentication",
    "permission",
    "quota",
    "rateLimit",
    "overloaded",
    "contextLength",
    "contentFilter",
    "invalidRequest",
    "modelNotFound",
    "providerNotFound",
    "notConfigured",
    "network",
    "timeout",
    "malformedStream",
    "truncatedStream",
    "circuitOpen",
    "budgetExceeded",
    "server",
]


class Attempt(NamedTuple):
    """One upstream request: what was asked, how long it took and, if it failed, how."""

    provider: str
    model: str
    ms: float
    error: "ProviderError | None" = None


class ProviderError(Exception):
    """Base of everything a provider call raises, cancellation aside.

    `retry_after` is in seconds. `provider` and `model` are filled in by the manager where the place
    of origin does not know them. The message never contains a secret, nor half a character: it is
    written to logs and to terminals as UTF-8.
    """

    kind: ErrorKind = "server"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind | None = None,
        retryable: bool | None = None,
        retry_after: float | None = None,
        status: int | None = None,
        request_id: str | None = None,
        provider: str | None = None,
        model: str | None = None,
    ) -> None:
        if not message.isascii():
            message = message.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        super().__init__(message)
        self.message = message
        if kind is not None:
            self.kind = kind
        if retryable is not None:
            self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
        self.request_id = request_id
        self.provider = provider
        self.model = model
        self.partial: str | None = None  # text that had been yielded before a stream broke
        self.attempts: list[Attempt] = []


# --- No answer -------------------------------------------------------------------


class TransportError(ProviderError):
    kind: ErrorKind = "network"
    retryable = True


class ConnectFailed(TransportError):
    """Refused, unreachable, name not resolved, TLS handshake failed.

    `at_once`: whether trying again in a moment may help. It does where nobody listened yet; a name
    that is unknown or a certificate that is not trusted stays so for longer than a request lives.
    """

    def __init__(
        self,
        message: str,
        *,
        at_once: bool = True,
        retryable: bool | None = None,
        provider: str | None = None,
    ) -> None:
        super().__init__(message, retryable=retryable, provider=provider)
        self.at_once = at_once


class Disconnected(TransportError):
    """The connection went away before the answer's head was complete.

    `stale`: it had been kept from an earlier request, and may have been closed before this one.
    """

    def __init__(self, message: str, *, stale: bool = False) -> None:
        super().__init__(message)
        self.stale = stale


class TimedOut(TransportError):
    """`phase` says which bound was passed."""

    kind: ErrorKind = "timeout"

    def __init__(
        self, message: str, *, phase: Literal["connect", "firstByte", "idle", "total"]
    ) -> None:
        super().__init__(message)
        self.phase = phase


# --- They said no ------------------------------------------------------------------


class ResponseError(ProviderError):
    """An error answer, or the service's own error event inside a stream."""


class Authentication(ResponseError):
    kind: ErrorKind = "authentication"


class Permission(ResponseError):
    kind: ErrorKind = "permission"


class Quota(ResponseError):
    kind: ErrorKind = "quota"


class RateLimited(ResponseError):
    kind: ErrorKind = "rateLimit"
    retryable = True


class Overloaded(ResponseError):
    kind: ErrorKind = "overloaded"
    retryable = True


class ServerFailed(ResponseError):
    kind: ErrorKind = "server"
    retryable = True


class RequestTimeout(ResponseError):
    kind: ErrorKind = "timeout"
    retryable = True


class InvalidRequest(ResponseError):
    kind: ErrorKind = "invalidRequest"


class ContextLength(ResponseError):
    kind: ErrorKind = "contextLength"


class ContentFiltered(ResponseError):
    kind: ErrorKind = "contentFilter"


class ModelUnknown(ResponseError):
    kind: ErrorKind = "modelNotFound"


# --- They broke the format ------------------------------------------------------------


class StreamError(ProviderError):
    retryable = True


class Malformed(StreamError):
    kind: ErrorKind = "malformedStream"


class Truncated(StreamError):
    kind: ErrorKind = "truncatedStream"


# --- We said no -------------------------------------------------------------------------


class RefusedLocally(ProviderError):
    pass


class NotConfigured(RefusedLocally):
    kind: ErrorKind = "notConfigured"


class ProviderNotFound(RefusedLocally):
    kind: ErrorKind = "providerNotFound"


class ModelNotFound(RefusedLocally):
    kind: ErrorKind = "modelNotFound"


class CircuitOpen(RefusedLocally):
    kind: ErrorKind = "circuitOpen"
    retryable = True


class CoolingDown(RefusedLocally):
    """The service asked for a pause, which is not over; its circuit is closed.

    `retry_after` is what is left of it. `kind` is what the service had said.
    """

    kind: ErrorKind = "rateLimit"
    retryable = True


class LocalLimit(RefusedLocally):
    """A limit of the user's own configuration holds the request up for too long."""

    kind: ErrorKind = "rateLimit"
    retryable = True


class BudgetExceeded(RefusedLocally):
    kind: ErrorKind = "budgetExceeded"


class Unsupported(RefusedLocally):
    """The request asks for something that this provider does not have."""

    kind: ErrorKind = "invalidRequest"
