"""`ai/providers`: what is configured and in what state, without asking anybody."""

from msgspec import UNSET

from protocol.ai import (
    Capabilities,
    ProviderInfo,
    ProvidersParams,
    ProvidersResult,
    RateLimitInfo,
    RateState,
)
from providers.base import ProviderCapabilities
from providers.manager import ProviderState, Target
from sidecar.call import Call
from sidecar.session import Session


async def handle(session: Session, params: ProvidersParams, call: Call) -> ProvidersResult:
    """Return every provider, with what is wrong in its configuration."""
    problems: dict[str, str] = {}
    for problem in session.store.problems:
        if problem.provider is not None:
            problems.setdefault(problem.provider, f"{problem.path}: {problem.message}")
    picked = session.selected
    states = session.manager.providers(None if picked is None else Target(*picked))
    return ProvidersResult([_provider(state, problems.get(state.id)) for state in states])


def _provider(state: ProviderState, problem: str | None) -> ProviderInfo:
    return ProviderInfo(
        id=state.id,
        kind=state.kind,
        configured=state.configured,
        is_default=state.is_default,
        base_url=state.base_url,
        capabilities=_capabilities(state.capabilities),
        circuit=state.circuit,
        rate=RateState(state.rate.limit, state.rate.remaining, state.rate.in_flight),
        key_source=state.key_source or UNSET,
        cooldown_ms=UNSET if state.cooldown_ms is None else state.cooldown_ms,
        config_error=problem or state.config_error or UNSET,
    )


def _capabilities(can: ProviderCapabilities) -> Capabilities:
    limits = can.rate_limits
    return Capabilities(
        max_tokens=can.max_tokens,
        streaming=can.streaming,
        functions=can.functions,
        vision=can.vision,
        embeddings=can.embeddings,
        rate_limits=RateLimitInfo(limits.requests_per_minute, limits.tokens_per_minute),
    )
