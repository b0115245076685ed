"""`ai/complete`: one answer, with the provider's unary request."""

from protocol.ai import CompletionParams, CompletionResult
from sidecar import from_wire, to_wire
from sidecar.call import Call
from sidecar.session import Session


async def handle(session: Session, params: CompletionParams, call: Call) -> CompletionResult:
    """Return the answer. Raises `ProviderError`, `InvalidParams`."""
    request, target = from_wire.request(params)
    session.aim(target)
    work = None
    if params.work_done_token is not None:
        first = session.manager.stream(request, target)  # not run: it says who will be asked first
        work = session.work_begins(call, params.work_done_token, first.provider, first.model)
    with session.status.busy:
        try:
            outcome = await session.manager.complete(request, target)
        finally:
            session.work_ended(work)
        session.status.answered(outcome)
    return to_wire.result(outcome, text_was_sent=False)
