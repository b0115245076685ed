"""What only shows when all layers are together: provider tables that make no provider."""

from providers.auth.env import PROVIDER_ENV
from providers.settings import ProviderSettings
from sidecar.config.model import Config
from sidecar.config.problems import ConfigProblem, got, join, nearest

_EXAMPLE = 'such as kind = "openai-compatible"'

_SOURCE = "all layers together"


def check(config: Config) -> list[ConfigProblem]:
    """Return what does not fit together. It stays in force: the provider itself will say no."""
    problems: list[ConfigProblem] = []
    for name, settings in config.providers.items():
        message = _provider(name, settings)
        if message is not None:
            problems.append(ConfigProblem(join("providers", name), message, _SOURCE, name))
    return problems


def _provider(name: str, settings: ProviderSettings) -> str | None:
    kind = settings.kind or name
    if kind not in PROVIDER_ENV:
        what = "expected `kind`"
        if settings.kind:
            what = f"expected a kind of provider, got kind = {got(kind, quote=True)}"
        return f"{what}: {nearest(kind, PROVIDER_ENV) or _EXAMPLE}"
    if kind == "openai-compatible" and settings.base_url is None:
        return "expected `baseUrl`: this kind has no address of its own"
    if kind == "azure" and settings.base_url is None:
        return "expected `endpoint`, as in https://NAME.openai.azure.com"
    return None
