"""`ai/models`: which models there are, from the catalog or from the services."""

from msgspec import UNSET

from protocol.ai import ModelInfo, ModelPrice, ModelsParams, ModelsResult, ModelSupports
from providers.base import Model, Price
from sidecar.rpc import Call
from sidecar.session import Session


async def handle(session: Session, params: ModelsParams, call: Call) -> ModelsResult:
    """Return the models of one provider, or of all configured ones. Raises `ProviderError`."""
    found = await session.manager.models(params.provider, refresh=params.refresh)
    return ModelsResult([_model(model) for model in found])


def _model(model: Model) -> ModelInfo:
    has = model.features
    return ModelInfo(
        id=model.id,
        provider=model.provider,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        supports=ModelSupports(
            streaming=has.streaming,
            tools=has.tools,
            vision=has.vision,
            reasoning=has.reasoning,
            prompt_cache=has.prompt_cache,
            fim=has.fim,
        ),
        source=model.source,
        price=UNSET if model.price is None else _price(model.price),
    )


def _price(price: Price) -> ModelPrice:
    return ModelPrice(price.input, price.output, price.cache_read, price.cache_write)
