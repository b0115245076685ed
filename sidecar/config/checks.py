"""What only shows when all layers are together: names that must mean something."""

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
    for path, target in _targets(config):
        message = _target(target, config)
        if message is not None:
            problems.append(ConfigProblem(path, message, _SOURCE))
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


def _targets(config: Config) -> list[tuple[str, str]]:
    """Return everything that names a provider, or a provider and a model."""
    found: list[tuple[str, str]] = []
    if config.default is not None:
        found.append(("default", config.default))
    if config.inline.provider is not None:
        found.append(("inline.provider", config.inline.provider))
    if config.actions.provider is not None:
        found.append(("actions.provider", config.actions.provider))
    found += [(f"fallback.chain[{i}]", target) for i, target in enumerate(config.fallback.chain)]
    found += [(join("limits", name), name) for name in config.limits]
    for i, route in enumerate(config.routes):
        members = [m if isinstance(m, str) else m.provider for m in route.providers]
        found += [(f"routes[{i}].providers[{j}]", m) for j, m in enumerate(members)]
    return found


def _target(target: str, config: Config) -> str | None:
    name = target.partition("/")[0]
    if name in config.providers or name in PROVIDER_ENV:
        return None
    known = [*config.providers, *PROVIDER_ENV]
    hint = nearest(name, known)
    return 'expected a configured provider, or "provider/model"' + (f": {hint}" if hint else "")
