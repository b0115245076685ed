"""The rows of the matrix: what goes wrong, and what the wire contract says must come of it.

Each is one line of data; `docs/faults.md` is what was seen. Where a row says that something is
retried or fails over, that is the contract's "Retried" and "Failover", never what the code does.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Literal

from tests.faults.wires import PIECES, Wire
from tests.http.server import CUT, END, RESET, Gate, Step, chunk, head

SHORT = 0.25
"""Seconds of `timeouts.firstByte` and `timeouts.idle` in the matrix."""

FITS_FAILOVER = 0.5
"""Seconds that a retry may wait while a further candidate is left (contract, "Failover")."""

MAX_WAIT = 20.0
"""Seconds: `retry.maxWaitMs` as it is by default."""

FOREVER = 60
"""Seconds of silence at the end of a script: longer than any cell."""

HOLD = Gate()
"""Stands in a script for the middle, where the cancelled requests are held."""

Script = Callable[[Wire], list[Step]]


@dataclass(frozen=True)
class Fault:
    """`kind` None: it only looks like a fault, the answer is right.

    `retried`, `fails_over`: what the contract says of this kind before content. `text`: some text
    had been sent, so neither applies and it is in `partial`. `after` is the wait the service asked
    for and `takes` how long the fault itself lasts, both in seconds. `opens`: the format's opening
    is sent before it.
    """

    name: str
    script: Script
    kind: str | None
    retried: bool = False
    fails_over: bool = False
    status: int | None = None
    text: bool = False
    after: float | None = None
    takes: float = 0.0
    where: Literal["http", "refused", "name", "tls"] = "http"
    opens: bool = True

    @property
    def waits(self) -> bool:
        """Whether it is tried again at the same provider, if nobody else is left."""
        return self.retried and not self.text and (self.after or 0.0) <= MAX_WAIT

    @property
    def waits_first(self) -> bool:
        """Whether it is tried again before somebody else is asked."""
        return self.waits and (self.after or 0.0) <= FITS_FAILOVER


# --- scripts ---------------------------------------------------------------------------


def stream(*parts: Step | Callable[[Wire], bytes]) -> Script:
    """A chunked stream of events; what is no bytes is a step of the script."""

    def script(wire: Wire) -> list[Step]:
        steps: list[Step] = [head(headers={"Content-Type": wire.content_type})]
        for part in parts:
            part = part(wire) if callable(part) else part
            if isinstance(part, bytes):
                if part:
                    steps.append(chunk(part))
            else:
                steps.append(part)
        return steps

    return script


def ended(script: Script) -> Script:
    """The same, and the end of the chunked body."""
    return lambda wire: [*script(wire), END]


def opening(wire: Wire) -> bytes:
    return wire.opening


def first(wire: Wire) -> bytes:
    return wire.opening + wire.text(PIECES[0])


def whole(wire: Wire) -> list[Step]:
    """A whole answer, one write per event."""
    return [
        head(headers={"Content-Type": wire.content_type}),
        *(chunk(event) for event in wire.events()),
        END,
    ]


def answer(status: int, body: bytes, *headers: str, kind: str = "application/json") -> Script:
    """An answer with a length, held in the middle of its body."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *headers]
    lines.append(f"Content-Length: {len(body)}")
    data = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    middle = len(data) - len(body) // 2
    return lambda wire: [data[:middle], HOLD, data[middle:]]


def no(status: int, message: str, /, *headers: str, **more: Any) -> Script:
    """An error answer whose body explains itself."""
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return answer(status, body, *headers)


def html(status: int) -> Script:
    page = b"<html><head><title>Bad gateway</title></head><body><h1>nginx</h1></body></html>"
    return answer(status, page, kind="text/html")


def slowly(wire: Wire) -> list[Step]:
    """A whole answer, head and all, one byte a write; held after the first text."""
    data = b"".join(step for step in whole(wire) if isinstance(step, bytes))
    first_text = stream(opening, lambda w: w.text(PIECES[0]))(wire)
    begun = sum(len(step) for step in first_text if isinstance(step, bytes))
    steps: list[Step] = []
    for at in range(len(data)):
        steps += [data[at : at + 1], 0]
        if at == begun:
            steps.append(HOLD)
    return steps


def huge(*before: Callable[[Wire], bytes]) -> Script:
    def script(wire: Wire) -> list[Step]:
        data = wire.huge()
        pieces = [chunk(data[at : at + (1 << 20)]) for at in range(0, len(data), 1 << 20)]
        held: list[Step] = [HOLD, pieces[0]] if wire.tells_size else [pieces[0], HOLD]
        return [*stream(*before)(wire), *held, *pieces[1:], END]

    return script


def _retry_info(delay: str) -> dict[str, Any]:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}
    return {"status": "RESOURCE_EXHAUSTED", "code": 429, "details": [info]}


def _in_a_second(wire: Wire) -> list[Step]:
    """Both dates are the service's own, so no clock of ours is in it."""
    now = f"Date: {formatdate(1_800_000_000, usegmt=True)}"
    then = f"Retry-After: {formatdate(1_800_000_001, usegmt=True)}"
    return no(429, "slow down", now, then)(wire)


# --- rows ----------------------------------------------------------------------------------

_REQUESTS = "x-ratelimit-remaining-requests: 0"
_TOKENS = "x-ratelimit-remaining-tokens: 0"


def _before(name: str, script: Script, kind: str, **more: Any) -> Fault:
    """A fault before any content that is both retried and failed over."""
    return Fault(name, script, kind, retried=True, fails_over=True, **more)


def _after(name: str, script: Script, kind: str, **more: Any) -> Fault:
    """A fault after the first text."""
    return Fault(name, script, kind, text=True, **more)


def _limit(form: str, after: float, *headers: str, **body: Any) -> Fault:
    script = no(429, "slow down", *headers, **body)
    return _before(f"429, {form}", script, "rateLimit", status=429, after=after)


def _nothing(wire: Wire) -> list[Step]:
    return [HOLD]


CONNECTING = (
    _before("connection refused", _nothing, "network", where="refused"),
    Fault("name not resolved", _nothing, "network", fails_over=True, where="name"),
    Fault("TLS: unknown authority", _nothing, "network", fails_over=True, where="tls"),
)
SILENCE = (
    _before("silent", lambda wire: [HOLD, FOREVER], "timeout", takes=SHORT),
    _before("silent after the head", stream(opening, HOLD, FOREVER), "timeout", takes=SHORT),
    _after("stall mid-stream", stream(first, HOLD, FOREVER), "timeout", takes=SHORT),
    Fault("slow drip, byte by byte", slowly, None),
)
CUTS = (
    _before("reset before the answer", lambda wire: [HOLD, RESET], "network"),
    _before("cut before content, FIN", stream(opening, HOLD, CUT), "truncatedStream"),
    _before("cut before content, RST", stream(opening, HOLD, 0.02, RESET), "truncatedStream"),
    _after("cut mid-stream, FIN", stream(first, HOLD, CUT), "truncatedStream"),
    _after("cut mid-stream, RST", stream(first, HOLD, 0.05, RESET), "truncatedStream"),
    _before("clean end, nothing sent", ended(stream(opening, HOLD)), "truncatedStream"),
    _after("clean end, no terminal event", ended(stream(first, HOLD)), "truncatedStream"),
)


def then(begin: Callable[[Wire], bytes], event: Callable[[Wire], bytes]) -> Script:
    """After `begin` an event that ends the answer for us; the service says nothing more."""
    return stream(begin, HOLD, event, FOREVER)


def broken(wire: Wire) -> bytes:
    return wire.broken


def not_utf8(wire: Wire) -> bytes:
    return wire.not_utf8


def says_no(wire: Wire) -> bytes:
    return wire.says_no


BROKEN = (
    _before("malformed event, first", then(opening, broken), "malformedStream"),
    _after("malformed event, mid-stream", then(first, broken), "malformedStream"),
    _before("invalid UTF-8, first", then(opening, not_utf8), "malformedStream"),
    _after("invalid UTF-8, mid-stream", then(first, not_utf8), "malformedStream"),
    _before("event over 16 MiB, first", huge(opening), "malformedStream"),
    _after("event over 16 MiB, mid-stream", huge(first), "malformedStream"),
    _before("HTML with 200", html(200), "malformedStream", opens=False),
)


def own_errors(wire: Wire) -> tuple[Fault, ...]:
    """The service's own error events, which are of a kind of their own in each format."""
    says = wire.says
    return (
        _before("error event, first", then(opening, says_no), says),
        _after("error event, mid-stream", then(first, says_no), says),
    )


AFTER_200 = (
    _before(
        "error body with 200",
        no(200, "the engine is overloaded", type="overloaded_error"),
        "overloaded",
    ),
    Fault(
        "refusing body with 200",
        no(200, "no such parameter", type="invalid_request_error"),
        "invalidRequest",
    ),
)
REFUSALS = (
    Fault("400", no(400, "messages: expected a list"), "invalidRequest", status=400),
    Fault("401", no(401, "who are you"), "authentication", fails_over=True, status=401),
    Fault("403", no(403, "not yours"), "permission", fails_over=True, status=403),
    Fault(
        "404, no such model",
        no(404, "The model `m` does not exist", code="model_not_found"),
        "modelNotFound",
        fails_over=True,
        status=404,
    ),
    Fault("404, no such path", no(404, "Not Found"), "invalidRequest", status=404),
    _before("408", no(408, "you took too long"), "timeout", status=408),
    Fault("409", no(409, "in conflict"), "invalidRequest", retried=True, status=409),
    Fault("413", no(413, "request entity too large"), "invalidRequest", status=413),
    Fault(
        "429, quota used up",
        no(429, "You exceeded your current quota", code="insufficient_quota"),
        "quota",
        fails_over=True,
        status=429,
    ),
)
LIMITS = (
    _before("429, no word of when", no(429, "slow down"), "rateLimit", status=429),
    _limit("Retry-After in seconds", 1.0, "Retry-After: 1"),
    replace(_limit("Retry-After as a date", 1.0), script=_in_a_second),
    _limit("retry-after-ms", 0.12, "retry-after-ms: 120"),
    _limit("google.rpc.RetryInfo", 0.12, **_retry_info("0.12s")),
    _limit("x-ratelimit-reset-requests", 0.12, _REQUESTS, "x-ratelimit-reset-requests: 120ms"),
    _limit("x-ratelimit-reset-tokens", 0.12, _TOKENS, "x-ratelimit-reset-tokens: 0.12s"),
    _limit("reset beyond the budget", 62.5, _TOKENS, "x-ratelimit-reset-tokens: 1m2.5s"),
)
FAILURES = (
    _before("500", no(500, "oops"), "server", status=500),
    _before("502, HTML", html(502), "server", status=502),
    _before("503", no(503, "try later"), "overloaded", status=503),
    _before("529", no(529, "Overloaded", type="overloaded_error"), "overloaded", status=529),
)


def all_faults(wire: Wire) -> tuple[Fault, ...]:
    """Every row, for one format."""
    return (
        *CONNECTING,
        *SILENCE,
        *CUTS,
        *BROKEN,
        *own_errors(wire),
        *AFTER_200,
        *REFUSALS,
        *LIMITS,
        *FAILURES,
    )


def format_faults(wire: Wire) -> tuple[Fault, ...]:
    """The rows that are decided by a format's own reader: those that every format runs."""
    decided = {"stall mid-stream", "cut mid-stream, FIN", "cut before content, FIN"}
    small = tuple(f for f in BROKEN if not f.name.startswith("event over 16 MiB, first"))
    ends = tuple(f for f in CUTS if f.name.startswith("clean end") or f.name in decided)
    drip = tuple(f for f in SILENCE if f.kind is None or f.name in decided)
    return (*drip, *ends, *small, *own_errors(wire), FAILURES[0], REFUSALS[1])
