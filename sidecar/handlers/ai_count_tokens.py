"""`ai/countTokens`: how long a text or a conversation is, in the tokens of a model."""

from protocol.ai import CountTokensParams, CountTokensResult
from sidecar import from_wire
from sidecar.call import Call
from sidecar.session import Session


async def handle(session: Session, params: CountTokensParams, call: Call) -> CountTokensResult:
    """Return the count and how it was found. Raises `ProviderError`, `InvalidParams`."""
    messages, target = from_wire.count_request(params)
    session.aim(target)
    if params.text == "":  # some services refuse to count nothing, and who estimates adds a turn
        if target.provider is not None:
            session.manager.require(target.provider)
        return CountTokensResult(0, "estimate")
    counted = await session.manager.count_tokens(messages, target)
    return CountTokensResult(counted.tokens, counted.method)
