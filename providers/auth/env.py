"""Which environment variables each kind of provider reads: those of the service's own SDK.

One table, in the order of the provider rows; it knows names only and no values. What a variable
says becomes the weakest layer of the configuration (`environment_settings`), except for keys: those
stay where they are until `providers.auth.keys` looks them up.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from providers.catalog.presets import PRESETS, Preset


class EnvNames(NamedTuple):
    """The variables of one kind; of several names for one thing the first that is set counts.

    `keys`: the API key. `fields`: other settings, by their name in the configuration; a name in
    `secrets` is given as `{env = …}` instead of its value. `configured_by`: each tuple is a set of
    variables that, all being set, make the provider configured; without it any of `keys` does.
    Variables that people set for other programs (`GITHUB_TOKEN`) are in `keys` and make nothing
    configured: a provider must not start to receive source code because of them.
    """

    keys: tuple[str, ...] = ()
    fields: tuple[tuple[str, tuple[str, ...]], ...] = ()
    secrets: tuple[tuple[str, tuple[str, ...]], ...] = ()
    configured_by: tuple[tuple[str, ...], ...] | None = None


def _key(*names: str) -> EnvNames:
    return EnvNames(keys=names)


def _preset(row: Preset) -> EnvNames:
    return EnvNames(
        keys=row.keys,
        fields=(("baseUrl", row.base_url_env),) if row.base_url_env else (),
        configured_by=() if row.others_key else None,
    )


_AWS_REGION = ("region", ("AWS_REGION", "AWS_DEFAULT_REGION"))
_AWS_PROFILE = ("profile", ("AWS_PROFILE",))
_AWS_CONFIGURED = (
    ("AWS_BEARER_TOKEN_BEDROCK",),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
)

PROVIDER_ENV: dict[str, EnvNames] = {
    "openai": EnvNames(
        keys=("OPENAI_API_KEY",),
        fields=(
            ("baseUrl", ("OPENAI_BASE_URL",)),
            ("organization", ("OPENAI_ORG_ID",)),
            ("project", ("OPENAI_PROJECT_ID",)),
        ),
    ),
    "azure": EnvNames(
        keys=("AZURE_OPENAI_API_KEY",),
        fields=(
            ("baseUrl", ("AZURE_OPENAI_ENDPOINT",)),
            ("apiVersion", ("OPENAI_API_VERSION",)),
        ),
        secrets=(("accessToken", ("AZURE_OPENAI_AD_TOKEN",)),),
        configured_by=(
            ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"),
            ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_AD_TOKEN"),
        ),
    ),
    "anthropic": EnvNames(
        keys=("ANTHROPIC_API_KEY",),
        fields=(("baseUrl", ("ANTHROPIC_BASE_URL",)),),
        secrets=(("authToken", ("ANTHROPIC_AUTH_TOKEN",)),),
        configured_by=(("ANTHROPIC_API_KEY",), ("ANTHROPIC_AUTH_TOKEN",)),
    ),
    "gemini": EnvNames(
        keys=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        fields=(("baseUrl", ("GOOGLE_GEMINI_BASE_URL",)),),
    ),
    "vertex": EnvNames(
        fields=(
            ("project", ("GOOGLE_CLOUD_PROJECT",)),
            ("location", ("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION")),
            ("baseUrl", ("GOOGLE_VERTEX_BASE_URL",)),
        ),
        configured_by=(("GOOGLE_CLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"),),
    ),
    "bedrock": EnvNames(
        keys=("AWS_BEARER_TOKEN_BEDROCK",),
        fields=(
            _AWS_REGION,
            _AWS_PROFILE,
            ("baseUrl", ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",)),
        ),
        configured_by=_AWS_CONFIGURED,
    ),
    "aws": EnvNames(
        keys=("AWS_BEARER_TOKEN_BEDROCK",),
        fields=(_AWS_REGION, _AWS_PROFILE),
        configured_by=_AWS_CONFIGURED,
    ),
    "xai": _key("XAI_API_KEY"),
    "openrouter": _key("OPENROUTER_API_KEY"),
    "groq": EnvNames(keys=("GROQ_API_KEY",), fields=(("baseUrl", ("GROQ_BASE_URL",)),)),
    "perplexity": EnvNames(
        keys=("PERPLEXITY_API_KEY",), fields=(("baseUrl", ("PERPLEXITY_BASE_URL",)),)
    ),
    "local": EnvNames(),
    "ollama": EnvNames(
        keys=("OLLAMA_API_KEY",),
        fields=(("baseUrl", ("OLLAMA_HOST",)),),
        configured_by=(("OLLAMA_HOST",),),
    ),
    "openai-compatible": EnvNames(),
    **{kind: _preset(row) for kind, row in PRESETS.items()},
    "cohere": EnvNames(
        keys=("COHERE_API_KEY", "CO_API_KEY"), fields=(("baseUrl", ("CO_API_URL",)),)
    ),
    "claude-code": EnvNames(),
    "gemini-cli": EnvNames(),
    "qwen-code": EnvNames(),
    "vscode-lm": EnvNames(),
    "mock": EnvNames(),
}
"""Every kind of provider there is, in the order in which "the first configured" is looked for."""

_NOTHING = EnvNames()


def key_names(kind: str) -> tuple[str, ...]:
    """Return the variables that may hold the API key of `kind`, the first that is set counts."""
    return PROVIDER_ENV.get(kind, _NOTHING).keys


def configured_kinds(environ: Mapping[str, str]) -> list[str]:
    """Return the kinds that the environment alone configures, in the table's order."""
    return [kind for kind, names in PROVIDER_ENV.items() if _configured(names, environ)]


def _configured(names: EnvNames, environ: Mapping[str, str]) -> bool:
    groups = names.configured_by
    if groups is None:
        groups = tuple((name,) for name in names.keys)
    return any(all(environ.get(name) for name in group) for group in groups)


def without_keys(environ: Mapping[str, str], *, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the environment for a program that is started: no provider's key is in it.

    Kept are those that begin with one of `but`, and what people set for other programs, which may
    be what this one is there to read (`gh auth token`, GITHUB_TOKEN; `aws`, AWS_SECRET_ACCESS_KEY).
    """
    return {
        name: value
        for name, value in environ.items()
        if name.upper() not in _SECRETS or name.upper().startswith(but)
    }


_SECRETS = frozenset(
    name
    for names in PROVIDER_ENV.values()
    if names.configured_by != ()
    for name in (*names.keys, *(v for _, variables in names.secrets for v in variables))
)


class EnvSetting(NamedTuple):
    """One setting that came from `variable`; `value` is never a secret."""

    field: str
    value: object
    variable: str


def environment_settings(kind: str, environ: Mapping[str, str]) -> list[EnvSetting]:
    """Return what the environment says about `kind`; secrets as `{"env": NAME}`."""
    names = PROVIDER_ENV.get(kind, _NOTHING)
    found: list[EnvSetting] = []
    secrets = (("apiKey", names.keys), *names.secrets) if names.keys else names.secrets
    for field, variables in secrets:
        variable = _first_set(variables, environ)
        if variable is not None:
            found.append(EnvSetting(field, {"env": variable}, variable))
    for field, variables in names.fields:
        variable = _first_set(variables, environ)
        if variable is not None:
            value = environ[variable].strip()
            if field == "baseUrl":
                value = _base_url(kind, value)
            found.append(EnvSetting(field, value, variable))
    return found


def _first_set(variables: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next((name for name in variables if environ.get(name, "").strip()), None)


def _base_url(kind: str, value: str) -> str:
    """Bring an SDK's spelling of an address to ours."""
    if kind == "ollama":
        return _ollama_host(value)
    if kind == "groq" and "://" in value and urlsplit(value).path in ("", "/"):
        # Groq's SDK adds the path itself, so its variable has the bare host.
        return value.rstrip("/") + "/openai/v1"
    return value


def _ollama_host(value: str) -> str:
    """Read OLLAMA_HOST as Ollama's own clients do: scheme, host and port may each be missing.

    The server's "listen everywhere" addresses mean this machine to a client.
    """
    scheme, found, rest = value.partition("://")
    if not found:
        scheme, rest = "http", value
    host, slash, path = rest.partition("/")
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]") or (host.count(":") > 1 and not host.startswith("[")):
        name, port = host, "" if found else "11434"
    if name in ("", "0.0.0.0", "[::]", "::"):
        name = "127.0.0.1"
    if ":" in name and not name.startswith("["):
        name = f"[{name}]"
    tail = f"/{path}".rstrip("/") if slash else ""
    return f"{scheme}://{name}{':' + port if port else ''}{tail}"
