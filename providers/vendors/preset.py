"""`Preset`: what makes a row of `providers.catalog.presets` a provider."""

import re
from urllib.parse import urlsplit

import msgspec

from providers.base import Model
from providers.catalog.presets import PRESETS
from providers.dialects.openai_chat import ChatProfile
from providers.dialects.openai_completions import CompletionsProfile, OpenAiCompletions
from providers.errors import NotConfigured
from providers.settings import ProviderSettings
from providers.vendors.context import ProviderContext
from providers.vendors.model_list import models_of
from providers.vendors.openai_compatible import FirstModelVendor

_PLAIN = ChatProfile(parallel_tool_calls=True, think_tags=True)


class PresetProvider(FirstModelVendor):
    """One service of the table; which one is said by the kind it is configured as."""

    def __init__(self, name: str, settings: ProviderSettings, context: ProviderContext) -> None:
        kind = settings.kind or name
        self.row = PRESETS[kind]
        self.kind = kind
        self.default_base_url = self.row.base_url
        self.default_model = self.row.model
        self.needs_key = not self.row.keyless
        super().__init__(name, settings, context)
        self._profile = msgspec.structs.replace(_PLAIN, **self.row.profile)

    def profile_for(self, model: str) -> ChatProfile:
        profile = self._profile
        for pattern, changes in self.row.patterns:
            if re.search(pattern, model):
                profile = msgspec.structs.replace(profile, **changes)
        return profile

    def completions(self) -> OpenAiCompletions:
        row = self.row
        path = row.fim or "/completions"
        profile = CompletionsProfile(path=path, suffix=bool(row.fim), **row.fim_profile)
        return OpenAiCompletions(profile)

    def url(self, path: str) -> str:
        if path.startswith("^"):
            parts = urlsplit(self.base_url)
            return f"{parts.scheme}://{parts.netloc}{path[1:]}"
        return super().url(path)

    async def fetch_models(self) -> list[Model]:
        return models_of(await self.get_json(self.row.models), self)

    async def _first_model(self) -> str:
        """A paid service is never asked for a model that nobody chose."""
        if self.row.keyless:
            return await super()._first_model()
        raise NotConfigured(
            f"providers.{self.name}.model: the request names no model, and this service has no "
            f"default one (`ai-sidecar models -p {self.name}` lists them)"
        )
