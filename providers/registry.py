"""`ProviderRegistry`: which kinds of provider exist, in order, and how one is made.

The table is the only place where kinds are listed. A kind's module is imported when the first
provider of that kind is made. To add a kind: one line here, or a row of `catalog.presets`.
"""

from collections.abc import Iterable
from importlib import import_module
from typing import cast

from providers.auth.env import configured_kinds
from providers.base import AiProvider
from providers.catalog.presets import PRESETS
from providers.errors import NotConfigured, ProviderNotFound
from providers.settings import ProvidersConfig, ProviderSettings
from providers.vendors.context import ProviderContext

# kind -> module:class. The order is that in which one is chosen where no default is set.
KINDS: dict[str, str] = {
    "openai": "providers.vendors.openai:OpenAi",
    "azure": "providers.vendors.azure:Azure",
    "anthropic": "providers.vendors.anthropic:Anthropic",
    "gemini": "providers.vendors.gemini:GeminiApi",
    "vertex": "providers.vendors.vertex:Vertex",
    "bedrock": "providers.vendors.bedrock:Bedrock",
    "aws": "providers.vendors.aws:Aws",
    "xai": "providers.vendors.xai:XAi",
    "openrouter": "providers.vendors.openrouter:OpenRouter",
    "groq": "providers.vendors.groq:Groq",
    "perplexity": "providers.vendors.perplexity:Perplexity",
    "ollama": "providers.vendors.ollama:OllamaProvider",
    "openai-compatible": "providers.vendors.openai_compatible:OpenAiCompatible",
    **dict.fromkeys(PRESETS, "providers.vendors.preset:PresetProvider"),
    "cohere": "providers.vendors.cohere:CohereProvider",
    "claude-code": "providers.vendors.claude_code:ClaudeCode",
    "vscode-lm": "providers.vendors.vscode_lm:VsCodeLm",
    "mock": "providers.vendors.mock:MockProvider",
    "local": "providers.vendors.local:LocalProvider",
}

LOCAL = "local"

# Kinds that answer without a key: a table with their name is enough.
_KEYLESS = frozenset({"mock", "local", "ollama", "claude-code", "vscode-lm"}) | {
    kind for kind, row in PRESETS.items() if row.keyless
}

# What their classes say (`AiProvider.starts_a_program`), for who asks before one is imported.
_PROGRAMS = frozenset({"claude-code"})

# Any of these in a table says that somebody meant this provider to be used.
_MEANT = (
    "api_key",
    "auth_token",
    "access_token",
    "base_url",
    "endpoint",
    "region",
    "profile",
    "location",
    "project",
    "headers",
)


def starts_a_program(kind: str) -> bool:
    """Say whether a provider of that kind starts a program for every request. Imports nothing."""
    return kind in _PROGRAMS


class ProviderRegistry:
    """The configured providers of one process, each made at its first use and kept."""

    def __init__(self, config: ProvidersConfig, context: ProviderContext) -> None:
        self._settings = config.providers
        self._refused = config.refused
        self._context = context
        self._made: dict[str, AiProvider] = {}
        self._in_environment = frozenset(configured_kinds(context.environ))

    def kind_of(self, name: str) -> str | None:
        """Return the kind of the provider `name`, None if there is neither table nor kind."""
        settings = self._settings.get(name)
        kind = settings.kind if settings is not None and settings.kind else name
        return kind if kind in KINDS else None

    def names(self) -> list[str]:
        """Return every name a request may use: tables first by their kind's row, then the kinds."""
        tables = [name for name in self._settings if self.kind_of(name) is not None]
        rows = list(KINDS)
        tables.sort(key=lambda name: rows.index(self.kind_of(name) or LOCAL))
        return tables + [kind for kind in rows if kind not in self._settings]

    def configured(self) -> list[str]:
        """Return the names that can be expected to answer, in the order of the kinds' rows.

        The embedded model comes last: it answers if nothing else is configured.
        """
        return [n for n in self.names() if self.is_configured(n)] or [LOCAL]

    def is_configured(self, name: str) -> bool:
        """Say whether a key (for a keyless kind: a table) is there. Does not resolve the key."""
        kind = self.kind_of(name)
        if kind is None:
            return False
        settings = self._settings.get(name)
        if settings is None:
            return name in self._in_environment
        meant = any(getattr(settings, field) for field in _MEANT)
        return meant or kind in _KEYLESS or kind in self._in_environment

    def get(self, name: str) -> AiProvider:
        """Return the provider called `name`. Raises `ProviderNotFound`, naming the nearest ones."""
        provider = self._made.get(name)
        if provider is None:
            provider = self._made[name] = self._make(name)
        return provider

    def adopt(self, former: "ProviderRegistry") -> list[AiProvider]:
        """Take over the providers whose settings did not change; return the ones left over."""
        left: list[AiProvider] = []
        for name, provider in former._made.items():
            same = self._settings.get(name) == former._settings.get(name)
            if same and name not in self._refused:
                self._made[name] = provider
            else:
                left.append(provider)
        return left

    def made(self) -> Iterable[tuple[str, AiProvider]]:
        """Return the providers that have been used."""
        return self._made.items()

    def _make(self, name: str) -> AiProvider:
        kind = self.kind_of(name)
        if kind is None:
            raise ProviderNotFound(self._unknown(name), provider=name)
        if name in self._refused:
            raise NotConfigured(self._refused[name], provider=name)
        module, _, class_name = KINDS[kind].partition(":")
        make = cast("type[AiProvider]", getattr(import_module(module), class_name))
        settings = self._settings.get(name, ProviderSettings())
        return make(name, settings, self._context)  # type: ignore[call-arg]  # a kind's signature

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches  # a right configuration never needs it

        near = get_close_matches(name, self.names(), n=1, cutoff=0.65)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        return (
            f"there is no provider `{name}`{hint} (a `[providers.{name}]` table with `kind` and "
            "`baseUrl` in the configuration makes one)"
        )
