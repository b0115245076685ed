"""What the protocol says of a cell, held against what was seen; and the cell's own words."""

from typing import Any

from tests.faults.cells import ATTEMPTS, FIRST_WAIT, Column, Seen
from tests.faults.faults import FITS_FAILOVER, Fault
from tests.faults.wires import PIECES, TEXT, USED, Wire

PROMPT = 1.0
"""Seconds within which a cancel is answered, and the service sees its connection closed. The
contract's target is 50 ms, which the tests of the real process hold; this machine may be busy."""

FAILOVER = 0.1
"""Seconds from the error to the next provider's request (contract, "Failover")."""


class _Check:
    def __init__(self, first_wait: float) -> None:
        self.wrong: list[str] = []
        self.first_wait = first_wait

    def same(self, what: str, seen: object, wanted: object) -> None:
        if seen != wanted:
            self.wrong.append(f"{what}: {seen!r}, not {wanted!r}")

    def true(self, what: str, holds: bool) -> None:
        if not holds:
            self.wrong.append(what)


def problems(
    wire: Wire, fault: Fault, column: Column, seen: Seen, *, first_wait: float = FIRST_WAIT
) -> list[str]:
    """Return where the cell is not what the contract says. `first_wait`: seconds of a backoff."""
    check = _Check(first_wait)
    check.wrong += [f"left behind: {each}" for each in seen.left]
    if column == "cancelled":
        _cancelled(check, fault, seen)
    elif fault.kind is None or _answered_in_the_end(fault, column):
        _answered(check, fault, column, seen)
    else:
        _failed(check, fault, column, seen)
    _progress(check, fault, seen)
    _books(check, wire, fault, column, seen)
    _ledger(check, wire, fault, column, seen)
    return check.wrong


def _answered_in_the_end(fault: Fault, column: Column) -> bool:
    if column == "retry":
        return fault.waits
    return column == "fallback" and fault.fails_over and not fault.text


def tries(fault: Fault, column: Column) -> int:
    """How often the contract lets the faulty provider be asked."""
    if fault.kind is None or fault.text or column == "cancelled":
        return 1
    if column == "fallback":
        return 2 if fault.waits_first else 1
    return ATTEMPTS if fault.waits else 1


def _answered(check: _Check, fault: Fault, column: Column, seen: Seen) -> None:
    if "result" not in seen.answer:
        check.wrong.append(f"not answered: {seen.answer}")
        return
    result = seen.answer["result"]
    by = "b" if column == "fallback" and fault.kind is not None else "a"
    check.same("text", seen.text, TEXT)
    check.same("provider", result["provider"], by)
    check.same("finishReason", result["finishReason"], "stop")
    usage = result["usage"]
    check.same("usage", (usage["inputTokens"], usage["outputTokens"]), USED)
    check.true("all timings are there", all(v >= 0 for v in result["timing"].values()))
    count = tries(fault, column)
    failed = [] if fault.kind is None else [("a", fault.kind)] * (count if by == "b" else count - 1)
    check.same("attempts", _told(seen.attempts), [*failed, (by, None)])
    _upstream(check, fault, seen, count, 1 if by == "b" else 0)
    if by == "b":
        _failover_time(check, fault, seen)
    elif count > 1:
        _waited(check, fault, seen)


def _failed(check: _Check, fault: Fault, column: Column, seen: Seen) -> None:
    if "error" not in seen.answer:
        check.wrong.append(f"not failed: {seen.answer}")
        return
    error = seen.error
    check.same("code", seen.answer["error"]["code"], -32803)
    check.same("kind", error["kind"], fault.kind)
    check.same("provider and model", (error.get("provider"), error.get("model")), ("a", "m"))
    if fault.status is not None:
        check.same("status", error.get("status"), fault.status)
    if fault.after is not None:
        check.same("retryAfterMs", error.get("retryAfterMs"), round(fault.after * 1000))
    partial = {"text": PIECES[0]} if fault.text else None
    check.same("partial", error.get("partial"), partial)
    check.same("text", seen.text, PIECES[0] if fault.text else "")
    count = tries(fault, column)
    check.same("attempts", _told(seen.attempts), [("a", fault.kind)] * count)
    _upstream(check, fault, seen, count, 0)
    if count > 1:
        _waited(check, fault, seen)


def _cancelled(check: _Check, fault: Fault, seen: Seen) -> None:
    check.same("answer", seen.answer.get("error", {}).get("code"), -32800)
    assert seen.cancelled_at is not None
    check.true("answered promptly", seen.answered_at - seen.cancelled_at < PROMPT)
    if seen.closed_at is not None:
        check.true("closed promptly", seen.closed_at - seen.cancelled_at < PROMPT)
    _upstream(check, fault, seen, 1, 0)


def _upstream(check: _Check, fault: Fault, seen: Seen, a: int, b: int) -> None:
    if fault.where == "http":
        check.same("requests at a", len(seen.a), a)
    check.same("requests at b", len(seen.b), b)


def _told(attempts: list[Any]) -> list[tuple[str, str | None]]:
    return [(a["provider"], a["error"]["kind"] if "error" in a else None) for a in attempts]


# --- times -------------------------------------------------------------------------------


def _waited(check: _Check, fault: Fault, seen: Seen) -> None:
    """A Retry-After is waited for, and told; otherwise the backoff is."""
    told = seen.retries[0]["waitMs"] / 1000
    if fault.after is not None:
        check.true(f"told {told} s", fault.after <= told < fault.after + 0.01)
    else:
        check.true(f"told {told} s", 0.74 * check.first_wait <= told <= check.first_wait + 0.01)
    if len(seen.a) > 1:
        between = seen.a[1].at - seen.a[0].at - fault.takes
        check.true(f"waited {between:.3f} s", told - 0.01 <= between < told + PROMPT)


def _failover_time(check: _Check, fault: Fault, seen: Seen) -> None:
    """From the last error to the next request; where nothing was sent, from the first request."""
    if fault.where == "http":
        took = seen.b[0].at - seen.a[-1].at - fault.takes
    else:
        took = seen.b[0].at - seen.asked_at - sum(r["waitMs"] for r in seen.retries) / 1000
    slack = 0.4 if "16 MiB" in fault.name else 0.0  # the event itself takes its time to come
    check.true(f"failed over in {took * 1000:.0f} ms", took <= FAILOVER + slack)


# --- progress and books ---------------------------------------------------------------------


def _progress(check: _Check, fault: Fault, seen: Seen) -> None:
    """Values come in the contract's order: `start` before content, `retry` between answers."""
    content = False
    for value in seen.values:
        if value["kind"] == "retry":
            check.true("a retry after content", not content)
            check.same("retry names who failed", (value["provider"], value["model"]), ("a", "m"))
            check.same("retry names the error", value["error"]["kind"], fault.kind)
        elif value["kind"] == "text":
            content = True
            check.true("an empty text", bool(value["text"]))
    check.same("retry counts", [r["attempt"] for r in seen.retries], _from_one(seen.retries))
    waits = [r["waitMs"] / 1000 for r in seen.retries]
    if seen.b:
        check.true("the wait before a failover fits", sum(waits) <= FITS_FAILOVER)
        check.same("failing over waits for nothing", waits[-1], 0)


def _from_one(of: list[Any]) -> list[int]:
    return list(range(1, len(of) + 1))


def _books(check: _Check, wire: Wire, fault: Fault, column: Column, seen: Seen) -> None:
    a = seen.booked.get("a")
    if a is None:
        check.wrong.append("nothing is booked of a")
        return
    answered = "result" in seen.answer
    by_a = answered and seen.answer["result"]["provider"] == "a"
    failed = len([r for r in seen.attempts if "error" in r and r["provider"] == "a"])
    if column == "cancelled":
        failed = len(seen.retries)
    check.same("a: ok", a["ok"], int(by_a))
    check.same("a: errors", a["errors"], {fault.kind: failed} if failed else {})
    check.same("a: cancelled", a["cancelled"], int(column == "cancelled"))
    check.same("a: retries", a["retries"], max(0, len(seen.retries) - len(seen.b)))
    check.same("a: failovers", a["failovers"], len(seen.b))
    # What an answer that came to nothing had said of its cost is booked, too.
    begun = failed * USED[0] if wire.bills_opening and fault.opens and fault.status is None else 0
    sent = column == "cancelled" and _at_work(fault)
    cut = bool(seen.text) and not answered
    _tokens(check, "a", a, answered=by_a, cut=cut, begun=begun, sent=sent)
    if seen.b:
        _tokens(check, "b", seen.booked["b"], answered=True, cut=False, begun=0, sent=False)
        check.same("b: ok", seen.booked["b"]["ok"], 1)


def _at_work(fault: Fault) -> bool:
    """Whether a service that is left in the middle of it was sent the request."""
    return fault.where == "http" and fault.status is None


def _tokens(
    check: _Check, name: str, row: Any, *, answered: bool, cut: bool, begun: int, sent: bool
) -> None:
    tokens = (row["inputTokens"], row["outputTokens"])
    usd = (tokens[0] * 1.0 + tokens[1] * 10.0) / 1e6  # the prices of `options_of`
    check.true(f"{name}: cost {row['costUsd']}", abs(row["costUsd"] - usd) < 1e-12)
    if answered:
        check.same(f"{name}: tokens", tokens, (USED[0] + begun, USED[1]))
    elif cut:
        check.true(f"{name}: tokens of what was cut {tokens}", tokens[0] > 0 and tokens[1] > 0)
    elif sent:
        check.true(f"{name}: tokens of what was sent {tokens}", tokens[0] > 0 == tokens[1])
    else:
        check.same(f"{name}: tokens of nothing", tokens, (begun, 0))


def _ledger(check: _Check, wire: Wire, fault: Fault, column: Column, seen: Seen) -> None:
    """One row for each answer that began or had been paid for, with how it ended; no other."""
    failed = [("a", "broken")] if seen.text and column != "cancelled" and fault.text else []
    if wire.bills_opening and fault.opens and fault.status is None and not fault.text:
        count = len(seen.retries) if column == "cancelled" else tries(fault, column)
        again = column == "retry" and fault.waits
        failed = [("a", "broken")] * (count - again) if fault.kind is not None else []
    if column == "cancelled":
        ended = [("a", "cancelled")] if _at_work(fault) else []
    else:
        answered = "result" in seen.answer
        ended = [(seen.answer["result"]["provider"], "ok")] if answered else []
    check.same("ledger", [(row.provider, row.outcome) for row in seen.rows], [*failed, *ended])
    for row in seen.rows:
        usd = (row.read * 1.0 + row.written * 10.0) / 1e6
        check.same("ledger: model", row.model, "m")
        check.true(f"ledger: {row.usd} USD", abs((row.usd or 0.0) - usd) < 1e-12)
        check.same("ledger: source", row.source, "catalog" if row.outcome == "ok" else "estimate")
        if row.outcome == "ok":
            check.same("ledger: tokens", (row.read, row.written), USED)
    for name, told in seen.booked.items():
        tokens = (told["inputTokens"], told["outputTokens"])
        own = [row for row in seen.rows if row.provider == name]
        booked = (sum(r.read for r in own), sum(r.written for r in own))
        check.same(f"ledger: {name}", booked, tokens)


# --- words ---------------------------------------------------------------------------------------


def words(fault: Fault, column: Column, seen: Seen) -> str:
    """Return the cell of the page: what the editor got, the services saw, and was booked."""
    return " · ".join((_editor(seen), _services(fault, seen), _booked(seen)))


def _editor(seen: Seen) -> str:
    if "result" in seen.answer:
        return f"**answered** by {seen.answer['result']['provider']}"
    if seen.answer["error"]["code"] == -32800:
        return f"−32800{' after “' + seen.text + '”' if seen.text else ''}"
    error = seen.error
    said = f"`{error['kind']}`"
    if "retryAfterMs" in error and len(seen.attempts) == 1:
        said += f", retryAfterMs {error['retryAfterMs']}"
    if "partial" in error:
        said += f", partial “{error['partial']['text']}”"
    return said


def _services(fault: Fault, seen: Seen) -> str:
    if fault.where == "http":
        a = f"a {len(seen.a)}"
    else:
        a = f"a {len(seen.a)} of {max(1, len([x for x in seen.attempts if x['provider'] == 'a']))}"
    closed = ", closed" if seen.closed_at is not None else ""
    return a + closed + (f", b {len(seen.b)}" if seen.b else "")


def _booked(seen: Seen) -> str:
    """The ledger's rows: whose, tokens, and how the answer ended where that was not well."""
    parts: list[str] = []
    for row in seen.rows:
        ended = "" if row.outcome == "ok" else f" {row.outcome}"
        parts.append(f"{row.provider}{ended} {row.read + row.written} tokens")
    return ", ".join(parts) or "no tokens"
