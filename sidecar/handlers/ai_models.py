"""`ai/models`: which models there are, from the catalog or from the services."""

from protocol.ai import ModelsParams, ModelsResult
from sidecar import to_wire
from sidecar.call import Call
from sidecar.session import Session


async def handle(session: Session, params: ModelsParams, call: Call) -> ModelsResult:
    """Return the models of one provider, or of all configured ones. Raises `ProviderError`."""
    found = await session.manager.models(params.provider, refresh=params.refresh)
    return ModelsResult([to_wire.model_info(model) for model in found])
