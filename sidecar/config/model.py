"""The whole configuration: the providers' part and what only the editor side needs. Shapes only."""

from typing import Annotated, Literal

from msgspec import Meta

from providers.settings import Count, ProvidersConfig, Settings


class InlineSettings(Settings, frozen=True):
    """The `[inline]` table: completion while typing.

    `languages`: language id -> whether it is completed; one that is not named is. `ignore`: globs
    of files that are never completed nor sent. `fim_template`: how prefix and suffix are put into
    one prompt, for a model served without a fill-in-the-middle endpoint.
    """

    enabled: bool = True
    provider: str | None = None
    model: str | None = None
    mode: Literal["auto", "fim", "chat"] = "auto"
    fim_template: str | None = None
    debounce_ms: Annotated[int, Meta(ge=0, le=10_000)] = 150
    max_tokens: Count = 128
    languages: dict[str, bool] = {}  # noqa: RUF012 (msgspec copies it)
    ignore: list[str] = []  # noqa: RUF012 (msgspec copies it)


class ActionSettings(Settings, frozen=True):
    """The `[actions]` table: edits by code actions and by `aiSidecar.rewrite`.

    `context_tokens`: what is shown of the document at most, by estimate, the edited part included.
    What `inline.ignore` names is not edited either.
    """

    enabled: bool = True
    provider: str | None = None
    model: str | None = None
    max_tokens: Count = 8192
    context_tokens: Annotated[int, Meta(ge=100)] = 6000


class Config(ProvidersConfig, frozen=True, kw_only=True):
    """The configuration of ai-sidecar, as it is written in `config.toml`."""

    inline: InlineSettings = InlineSettings()
    actions: ActionSettings = ActionSettings()

    def providers_config(self) -> ProvidersConfig:
        """Return the part that the provider side is made from."""
        return ProvidersConfig(
            **{name: getattr(self, name) for name in ProvidersConfig.__struct_fields__}
        )
