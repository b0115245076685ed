"""`ai/stream`: one answer as it comes, told with `$/progress`.

The loop below is the path of every token: a list of them in, their frames out, nothing in between.
While the editor does not read, nothing more is read from the service.
"""

from protocol.ai import CompletionParams, CompletionResult
from providers.types import ManagerToken, RetryNotice, TextDelta
from sidecar import from_wire, to_wire
from sidecar.call import Call
from sidecar.session import Session
from sidecar.work_done import WorkDone


async def handle(session: Session, params: CompletionParams, call: Call) -> CompletionResult:
    """Return the answer, its text empty if it was sent. Raises `ProviderError`, `InvalidParams`."""
    request, target = from_wire.request(params)
    session.aim(target)
    run = session.manager.stream(request, target)
    token = params.partial_result_token
    progress = None if token is None else call.progress(token)
    work = session.work_begins(call, params.work_done_token, run.provider, run.model)
    del params, request, target  # a stream may last for minutes
    with session.status.busy:
        try:
            async for tokens in run:
                if progress is not None:
                    await progress.send_when_read(tokens)
                if work is not None:
                    _report(work, tokens)
                del tokens
        finally:
            await run.aclose()
            session.work_ended(work)
        session.status.answered(run.outcome)
    return to_wire.result(run.outcome, text_was_sent=token is not None)


def _report(work: WorkDone, tokens: list[ManagerToken]) -> None:
    for token in tokens:
        if isinstance(token, RetryNotice):
            work.report(f"{token.provider}: {token.error.kind}, next try in {token.wait:.1f} s")
    work.received(sum(len(token.text) for token in tokens if isinstance(token, TextDelta)))
