"""The configuration of the provider side, as users write it (camelCase names).

Only shapes and defaults: reading files and merging layers is `sidecar.config`'s. A key is a
`KeySource` or a literal string; nothing here ever holds a resolved key except that literal, and
no repr shows it.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta


class Settings(
    msgspec.Struct, rename="camel", omit_defaults=True, forbid_unknown_fields=True, frozen=True
):
    """Base of every configuration table: a misspelled key is an error, not a silence."""


class KeySource(Settings, frozen=True):
    """Where a key is found: exactly one of the four.

    `env`: an environment variable. `command`: what a program prints on stdout, run without a shell
    and outside the workspace; it has 30 seconds, and no terminal to ask on. `file`: a file's
    content, white space at its ends removed, `~` expanded. `keyring`: `service/user` in the
    operating system's keychain (extra `keyring`).
    """

    env: str | None = None
    command: list[str] | None = None
    file: str | None = None
    keyring: str | None = None

    def __post_init__(self) -> None:
        given = [n for n in ("env", "command", "file", "keyring") if getattr(self, n) is not None]
        if len(given) != 1:
            raise ValueError("expected exactly one of `env`, `command`, `file`, `keyring`")


Key = str | KeySource
Location = Annotated[
    str, Meta(pattern="^[a-z0-9-]+$", description="small letters, digits and hyphens")
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#@]+([/?#]\S*)?$",
        description="an http:// or https:// address without user and password",
    ),
]
AbsolutePath = Annotated[
    str,
    Meta(
        pattern=r"^(~|/|\\\\|[A-Za-z]:[\\/])",
        description="an absolute path, or one that begins with ~",
    ),
]
Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class ProviderSettings(Settings, frozen=True):
    """One `[providers.NAME]` table. `kind` defaults to NAME. A kind ignores what is not its own."""

    kind: str | None = None
    api_key: Key | list[Key] | None = None
    base_url: Url | None = None
    endpoint: Url | None = None  # an alias of base_url, for Azure's word
    model: str | None = None
    headers: dict[str, str] = {}
    api: str | None = None
    # openai
    organization: str | None = None
    project: str | None = None
    # anthropic
    auth_token: Key | None = None
    betas: list[str] | None = None
    prompt_format: Literal["messages", "human-assistant"] | None = None
    # azure
    deployment: str | None = None
    api_version: str | None = None
    # aws, bedrock, vertex
    region: Location | None = None
    profile: str | None = None
    location: Location | None = None
    access_token: Key | None = None
    # openrouter
    referer: str | None = None
    title: str | None = None
    # local
    model_path: str | None = None
    threads: Count | None = None
    # gemini
    stream: Literal["sse", "json"] | None = None
    safety_settings: list[dict[str, Any]] | None = None
    # claude-code
    program: AbsolutePath | None = None

    def __repr__(self) -> str:
        """Leave out every value: keys and headers are secrets."""
        return f"ProviderSettings(kind={self.kind!r}, …)"


class TimeoutSettings(Settings, frozen=True):
    """Seconds."""

    connect: Positive = 10.0
    first_byte: Positive = 60.0
    idle: Positive = 60.0
    total: Positive = 600.0


class HttpSettings(Settings, frozen=True):
    proxy: str | None = None
    no_proxy: str | list[str] | None = None
    ca_bundle: AbsolutePath | None = None  # a relative one would be the workspace's to supply
    allow_plain_http: list[str] = []
    max_connections_per_origin: Count = 1000
    idle_seconds: Positive = 60.0

    def __repr__(self) -> str:
        """A proxy's URL may carry a password."""
        return "HttpSettings(…)"


class RetrySettings(Settings, frozen=True):
    """`attempts` per candidate, the first included; `max_wait_ms` sums the waits of one request."""

    attempts: Count = 3
    max_wait_ms: Annotated[int, Meta(ge=0)] = 20000


class LimitSettings(Settings, frozen=True):
    requests_per_minute: Positive | None = None
    tokens_per_minute: Positive | None = None
    max_concurrent: Count | None = None


class BudgetSettings(Settings, frozen=True):
    usd_per_day: Positive | None = None
    usd_per_session: Positive | None = None
    warn_at: Annotated[float, Meta(ge=0, le=1)] = 0.8


class PoolMember(Settings, frozen=True):
    provider: str
    model: str | None = None
    weight: Positive = 1.0


class RouteSettings(Settings, frozen=True):
    """`pattern` is a glob over model names."""

    pattern: str
    providers: list[str | PoolMember]
    strategy: Literal[
        "round-robin", "random", "least-connections", "weighted", "lowest-latency", "priority"
    ] = "priority"
    priority: int = 0


class FallbackSettings(Settings, frozen=True):
    chain: list[str] = []


class PriceSettings(Settings, frozen=True):
    """US dollars per million tokens, under the names that `ai/models` has for them."""

    input_per_m_tok: float | None = msgspec.field(name="inputPerMTok", default=None)
    output_per_m_tok: float | None = msgspec.field(name="outputPerMTok", default=None)
    cache_read_per_m_tok: float | None = msgspec.field(name="cacheReadPerMTok", default=None)
    cache_write_per_m_tok: float | None = msgspec.field(name="cacheWritePerMTok", default=None)


class ModelSettings(Settings, frozen=True):
    """One `[models."provider/model"]` table: overrides or adds to the catalog."""

    context_window: Count | None = None
    max_output_tokens: Count | None = None
    prices: PriceSettings | None = None


class ProvidersConfig(Settings, frozen=True, kw_only=True):
    """Everything `ProviderManager` is made from.

    `refused` is not for users to write: provider name -> why it must not be used. Where a setting
    that says to whom the data goes (an address, a region) is not usable, the default in its place
    could send key and code to somebody else.
    """

    default: str | None = None
    providers: dict[str, ProviderSettings] = {}
    routes: list[RouteSettings] = []
    fallback: FallbackSettings = FallbackSettings()
    retry: RetrySettings = RetrySettings()
    limits: dict[str, LimitSettings] = {}
    budget: BudgetSettings = BudgetSettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    http: HttpSettings = HttpSettings()
    models: dict[str, ModelSettings] = {}
    refused: dict[str, str] = {}
