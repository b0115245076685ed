"""What the model that completes is able to, as its provider says; asked once per configuration."""

from typing import NamedTuple

from providers.errors import ProviderError
from providers.manager import ProviderManager


class Able(NamedTuple):
    """`fim` and `continues` as `ModelFeatures` has them. `reasons`: it may think before it answers.

    `window` in tokens, None if nobody says.
    """

    fim: bool = False
    continues: bool = False
    reasons: bool = False
    window: int | None = None


class Models:
    """Remembers the answers."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Able] = {}

    async def able(self, manager: ProviderManager, provider: str, model: str) -> Able:
        """Return what `model` of `provider` can do; of a model that is not listed, nothing special.

        A provider that cannot be asked is none that fills in: the request itself will say why.
        """
        known = self._known.get((provider, model))
        if known is not None:
            return known
        try:
            listed = await manager.models(provider)
        except ProviderError:
            return Able()
        # Asked without a model, a provider that lists what it serves answers with the first.
        found = next((m for m in listed if m.id == model or not model), None)
        able = Able()
        if found is not None:
            features = found.features
            able = Able(features.fim, features.continues, features.reasoning, found.context_window)
        self._known[provider, model] = able
        return able
