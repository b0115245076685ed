"""The model list that OpenAI defined (`GET /models`) and most services answer with."""

from typing import TYPE_CHECKING

import msgspec

from providers.base import Model
from providers.errors import Malformed

if TYPE_CHECKING:
    from providers.vendors.base import HttpProvider


class _ListedModel(msgspec.Struct):
    """One entry of an OpenAI-shaped model list; services name what they add as they like."""

    id: str
    context_length: int | None = None
    context_window: int | None = None
    max_model_len: int | None = None
    max_completion_tokens: int | None = None


class _ModelList(msgspec.Struct):
    data: list[_ListedModel]


def models_of(body: object, provider: "HttpProvider") -> list[Model]:
    """Return the models of an OpenAI-shaped list, completed from the catalog."""
    try:
        listed = msgspec.convert(body, _ModelList | list[_ListedModel])
    except msgspec.ValidationError as error:
        raise Malformed(f"{provider.name}: the list of models is not what was expected") from error
    entries = listed.data if isinstance(listed, _ModelList) else listed
    return [_completed(entry, provider) for entry in entries]


def _completed(entry: _ListedModel, provider: "HttpProvider") -> Model:
    known = provider.context.catalog.find(provider.kind, entry.id, provider.name)
    window = entry.context_length or entry.context_window or entry.max_model_len
    return Model(
        id=entry.id,
        provider=provider.name,
        context_window=window or (known.context_window if known else None),
        max_output_tokens=entry.max_completion_tokens
        or (known.max_output_tokens if known else None),
        features=known.features if known else provider.assumed(),
        price=known.price if known else None,
        source="live",
    )
