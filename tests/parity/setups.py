"""Which provider of ours stands for which recorded one, and how its settings are said here.

One entry per folder of recordings: add one to `SETUPS` for a further provider. A setting of the
port that ours has not, because the service or the model decides it here, is put into the
provider's profile by `prepare`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from providers.base import AiProvider
from providers.catalog.presets import R1
from providers.vendors.openai_compatible import OpenAiCompatible
from providers.vendors.openai_models import is_o_series
from tests.parity.drive import Json


@dataclass
class Setup:
    """`kind` is the name the provider is configured under, too."""

    kind: str
    table: Json = field(default_factory=dict[str, Any])
    model: str = ""
    state: str = "none"
    environ: dict[str, str] = field(default_factory=dict[str, str])
    prepare: Callable[[AiProvider], None] | None = None


def plain(kind: str, key: str, model: str = "apiModelId", **more: Any) -> Callable[[Json], Setup]:
    """A provider with a key and a model, and nothing else."""
    state = more.pop("state", "none")
    base_url = more.pop("base_url", None)

    def setup(case: Json) -> Setup:
        config = case["config"]
        table = dict(more)
        if config.get(key):
            table["apiKey"] = config[key]
        if base_url and config.get(base_url):
            table["baseUrl"] = config[base_url]
        named = config.get(model) or (case.get("model") or {}).get("id", "")
        if case["case"].endswith(("unknown_model", "default_model")) or named == "grok-4":
            named = case["model"]["id"]  # no silent default of ours for an unknown model
        return Setup(kind, table, named, state)

    return setup


def native(case: Json) -> Setup:
    config = case["config"]
    made = plain("openai", "openAiNativeApiKey", state="items", base_url="openAiNativeBaseUrl")(
        case
    )
    said = config.get("__env", {})
    for name, variable in (
        ("baseUrl", "OPENAI_BASE_URL"),
        ("organization", "OPENAI_ORG_ID"),
        ("project", "OPENAI_PROJECT_ID"),
    ):
        if variable in said:
            made.table[name] = said[variable]
    return made


def compatible(case: Json) -> Setup:
    config = case["config"]
    at_openai = "openAiBaseUrl" not in config
    table: Json = {"apiKey": config["openAiApiKey"]} if config.get("openAiApiKey") else {}
    if config.get("openAiHeaders"):
        table["headers"] = config["openAiHeaders"]
    table["baseUrl"] = config.get("openAiBaseUrl", "https://api.openai.com/v1")
    custom = config.get("openAiCustomModelInfo") or {}
    changes: Json = {}
    if config.get("openAiR1FormatEnabled"):
        changes |= R1
    if custom.get("supportsPromptCache") and not is_o_series(config.get("openAiModelId", "")):
        changes["cache"] = "last_two"
    if config.get("includeMaxTokens"):
        changes["max_tokens"] = "max_completion_tokens"
    if at_openai and not changes and "request__" not in case["case"]:
        # OpenAI's own address is our `openai` with `api = "chat"`.
        return Setup("openai", table | {"api": "chat"}, config.get("openAiModelId", ""))
    return Setup(
        "openai-compatible",
        table,
        config.get("openAiModelId", ""),
        "content" if config.get("openAiR1FormatEnabled") else "details",
        prepare=_with(changes),
    )


def _with(changes: Json) -> Callable[[AiProvider], None]:
    def prepare(provider: AiProvider) -> None:
        assert isinstance(provider, OpenAiCompatible)
        changed = msgspec.structs.replace(provider.profile, **changes)
        provider.profile = changed  # type: ignore[misc]

    return prepare


def azure(case: Json) -> Setup:
    config = case["config"]
    table: Json = {"endpoint": config["openAiBaseUrl"]}
    if config.get("openAiApiKey"):
        table["apiKey"] = config["openAiApiKey"]
    if config.get("azureApiVersion"):
        table["apiVersion"] = config["azureApiVersion"]
    return Setup("azure", table, config["openAiModelId"])


SETUPS: dict[str, Callable[[Json], Setup]] = {
    "openai-native": native,
    "openai": compatible,
    "azure": azure,
    "xai": plain("xai", "xaiApiKey", api="responses", state="items"),
    "xai-chat-v3.45": plain("xai", "xaiApiKey"),
    "xai-via-openai-compatible": compatible,
    "openrouter": plain(
        "openrouter",
        "openRouterApiKey",
        "openRouterModelId",
        state="details",
        base_url="openRouterBaseUrl",
    ),
    "groq": plain("groq", "groqApiKey"),
    "groq-via-openai-compatible": compatible,
    "perplexity-via-openai-compatible": compatible,
    "deepseek": plain("deepseek", "deepSeekApiKey", state="content"),
    "deepseek-chat": plain("deepseek", "deepSeekApiKey", state="content"),
    "fireworks": plain("fireworks", "fireworksApiKey"),
    "sambanova": plain("sambanova", "sambaNovaApiKey"),
    "baseten": plain("baseten", "basetenApiKey"),
    "zai": plain("zai", "zaiApiKey"),
    "gemini": plain("gemini", "geminiApiKey", base_url="googleGeminiBaseUrl", state="signatures"),
}
