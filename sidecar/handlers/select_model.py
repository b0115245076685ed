"""`aiSidecar.selectModel {provider?, model}`: the model of this process until it ends.

It takes its turn among the requests of `ai/*`, as they came: a pick holds for every later one.
"""

from typing import Any, cast

from sidecar.envelope import InvalidParams
from sidecar.handshake import at

COMMAND = "aiSidecar.selectModel"


def selection(arguments: Any) -> tuple[str | None, str]:
    """Return the provider, if one is named, and the model. Raises `InvalidParams`."""
    given: Any = arguments or [None]
    if not isinstance(given, list | tuple):
        raise InvalidParams("arguments", "expected a list")
    argument = cast("list[Any]", given)[0]
    model, provider = at(argument, "model"), at(argument, "provider")
    if not isinstance(model, str) or not model:
        raise InvalidParams("arguments[0].model", "expected a model's name")
    if provider is not None and not isinstance(provider, str):
        raise InvalidParams("arguments[0].provider", "expected a provider's name")
    return provider, model


def select_model(ls: Any, *arguments: Any) -> None:
    """Use the model wherever a request names neither provider nor model. Raises `InvalidParams`."""
    ls.session.select(arguments)
