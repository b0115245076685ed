"""`aiSidecar.selectModel {provider?, model}`: the model of this process until it ends."""

from typing import Any

from sidecar.envelope import InvalidParams
from sidecar.handshake import at


def select_model(ls: Any, *arguments: Any) -> None:
    """Use the model wherever a request names neither provider nor model. Raises `InvalidParams`."""
    argument = arguments[0] if arguments else None
    model, provider = at(argument, "model"), at(argument, "provider")
    if not isinstance(model, str) or not model:
        raise InvalidParams("arguments[0].model", "expected a model's name")
    if provider is not None and not isinstance(provider, str):
        raise InvalidParams("arguments[0].provider", "expected a provider's name")
    ls.session.selected = (provider, model)
