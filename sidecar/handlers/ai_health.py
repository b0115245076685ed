"""`ai/health`: how the providers are, as the traffic shows or, with `live`, as they say now."""

from protocol.ai import HealthParams, HealthResult, ProviderHealth
from sidecar import to_wire
from sidecar.call import Call
from sidecar.session import Session


async def handle(session: Session, params: HealthParams, call: Call) -> HealthResult:
    """Return the verdict on one provider, or on all configured ones. Raises `ProviderError`."""
    found = await session.manager.health(params.provider, live=params.live)
    return HealthResult(
        [
            ProviderHealth(
                health.id,
                health.status,
                health.latency_ms,
                None if health.error is None else to_wire.error_data(health.error),
            )
            for health in found
        ]
    )
