"""The services that need no code of their own: one row each, and everything about a service in it.

To add one: a row here and one in `tools/provider_services.toml`, which makes the README's. The
kind, its place among the kinds, its environment variables and its provider come from the row
(`providers.registry`, `providers.auth.env`, `providers.vendors.preset`). Plain data: nothing here
may import a dialect or a vendor.

Addresses and variables are those of the services' own documentation; where a service names
several, the one that the port's origin uses (docs/parity.md).
"""

from typing import Any, NamedTuple


class Preset(NamedTuple):
    """`base_url` is what the service's SDK calls it; `model` answers where none is named.

    `keys`: variables that may hold the key; with `others_key` they are set for other programs, too,
    and configure nothing by themselves. `base_url_env`: variables that move the address. `profile`
    differs from a plain `ChatProfile`, `patterns` adds to it for models whose name has the pattern
    (a regular expression). `fim` is the path that fills in the middle, "" where there is none.
    `models` is the path of the model list; `^` begins at the host's root. `keyless` services run on
    the user's own machine and answer without a key; one that is asked without a model takes the
    first of its list.
    """

    base_url: str
    model: str = ""
    keys: tuple[str, ...] = ()
    others_key: bool = False
    base_url_env: tuple[str, ...] = ()
    profile: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    patterns: tuple[tuple[str, dict[str, Any]], ...] = ()
    fim: str = ""
    fim_profile: dict[str, Any] = {}  # noqa: RUF012 (never written to)
    models: str = "/models"
    keyless: bool = False


R1: dict[str, Any] = {
    "system": "user",
    "flatten": True,
    "empty_assistant": None,
    "empty_tool_result": "",
    "image_placeholder": "(image)",
    "reasoning": "reasoning_content",
}
"""What reasoning models of DeepSeek's first generation want: no system role, no two turns of one
role in a row."""

_MISTRAL: dict[str, Any] = {
    "call_ids": "mistral",
    "stream_options": False,  # refused as an unknown field; usage comes with the last event
    "seed": "random_seed",
}
_MISTRAL_FIM: dict[str, Any] = {"stream_options": False, "seed": "random_seed"}
_THINKING: dict[str, Any] = {
    "reasoning_style": "thinking",
    "reasoning": "reasoning_content",
    "think_tags": False,
}
# A gateway gives reasoning_details of the model behind it, and wants them back.
_GATEWAY: dict[str, Any] = {"reasoning": "reasoning_details", "keep_details": True}
_QWEN: dict[str, Any] = {"reasoning_style": "enable_thinking"}

PRESETS: dict[str, Preset] = {
    "mistral": Preset(
        "https://api.mistral.ai/v1",
        "mistral-medium-latest",
        keys=("MISTRAL_API_KEY",),
        profile=_MISTRAL,
        fim="/fim/completions",
        fim_profile=_MISTRAL_FIM,
    ),
    "codestral": Preset(
        "https://codestral.mistral.ai/v1",
        "codestral-latest",
        keys=("CODESTRAL_API_KEY",),
        profile=_MISTRAL,
        fim="/fim/completions",
        fim_profile=_MISTRAL_FIM,
    ),
    "deepseek": Preset(
        "https://api.deepseek.com",
        "deepseek-chat",
        keys=("DEEPSEEK_API_KEY",),
        profile=R1 | _THINKING | {"max_tokens": "max_completion_tokens"},
        patterns=(
            (
                "reasoner",
                {"merge_tool_text": True, "stream_extra": {"thinking": {"type": "enabled"}}},
            ),
        ),
        fim="/beta/completions",
    ),
    "cerebras": Preset("https://api.cerebras.ai/v1", "gpt-oss-120b", keys=("CEREBRAS_API_KEY",)),
    "fireworks": Preset(
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/kimi-k2-instruct-0905",
        keys=("FIREWORKS_API_KEY",),
    ),
    "sambanova": Preset(
        "https://api.sambanova.ai/v1",
        "Meta-Llama-3.3-70B-Instruct",
        keys=("SAMBANOVA_API_KEY",),
    ),
    "moonshot": Preset(
        "https://api.moonshot.ai/v1",
        "kimi-k2-0905-preview",
        keys=("MOONSHOT_API_KEY",),
        profile=_THINKING,
    ),
    "deepinfra": Preset(
        "https://api.deepinfra.com/v1/openai", keys=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN")
    ),
    "together": Preset(
        "https://api.together.xyz/v1",
        keys=("TOGETHER_API_KEY",),
        base_url_env=("TOGETHER_BASE_URL",),
    ),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1", keys=("NVIDIA_API_KEY",)),
    "huggingface": Preset("https://router.huggingface.co/v1", keys=("HF_TOKEN",), others_key=True),
    "featherless": Preset("https://api.featherless.ai/v1", keys=("FEATHERLESS_API_KEY",)),
    "chutes": Preset("https://llm.chutes.ai/v1", keys=("CHUTES_API_KEY",)),
    "io-intelligence": Preset(
        "https://api.intelligence.io.solutions/api/v1", keys=("IOINTELLIGENCE_API_KEY",)
    ),
    "glama": Preset(
        "https://glama.ai/api/gateway/openai/v1", keys=("GLAMA_API_KEY",), profile=_GATEWAY
    ),
    "requesty": Preset(
        "https://router.requesty.ai/v1", keys=("REQUESTY_API_KEY",), profile=_GATEWAY
    ),
    "unbound": Preset("https://api.getunbound.ai/v1", keys=("UNBOUND_API_KEY",), profile=_GATEWAY),
    "roo": Preset(
        "https://api.roocode.com/proxy/v1",
        "xai/grok-code-fast-1",
        keys=("ROO_API_KEY",),
        profile=_GATEWAY,
    ),
    "zai": Preset(
        "https://api.z.ai/api/coding/paas/v4",
        "glm-4.6",
        keys=("ZAI_API_KEY",),
        profile=_THINKING,
    ),
    "zai-mainland": Preset(
        "https://open.bigmodel.cn/api/coding/paas/v4",
        "glm-4.6",
        keys=("ZHIPUAI_API_KEY", "BIGMODEL_API_KEY"),
        profile=_THINKING,
    ),
    "doubao": Preset(
        "https://ark.cn-beijing.volces.com/api/v3", keys=("ARK_API_KEY",), profile=_THINKING
    ),
    "qwen": Preset(
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "qwen3-coder-plus",
        keys=("DASHSCOPE_API_KEY",),
        profile=_QWEN,
    ),
    "baseten": Preset(
        "https://inference.baseten.co/v1", "zai-org/GLM-4.6", keys=("BASETEN_API_KEY",)
    ),
    "minimax": Preset("https://api.minimax.io/v1", "MiniMax-M2.7", keys=("MINIMAX_API_KEY",)),
    "poe": Preset("https://api.poe.com/v1", keys=("POE_API_KEY",), profile=_GATEWAY),
    "vercel-ai-gateway": Preset(
        "https://ai-gateway.vercel.sh/v1", keys=("AI_GATEWAY_API_KEY",), profile=_GATEWAY
    ),
    "litellm": Preset(
        "http://localhost:4000",
        keys=("LITELLM_PROXY_API_KEY", "LITELLM_API_KEY"),
        others_key=True,
        profile=_GATEWAY,
        fim="/completions",
        keyless=True,
    ),
    "lm-studio": Preset(
        "http://localhost:1234/v1",
        keys=("LM_API_TOKEN",),
        others_key=True,
        fim="/completions",
        keyless=True,
    ),
    "vllm": Preset(
        "http://localhost:8000/v1",
        keys=("VLLM_API_KEY",),
        others_key=True,
        fim="/completions",
        keyless=True,
    ),
    "llama-cpp": Preset(
        "http://localhost:8080/v1",
        keys=("LLAMA_API_KEY",),
        others_key=True,
        profile={"schemas": "plain"},
        fim="/completions",
        fim_profile={"infill": "^/infill"},
        keyless=True,
    ),
    "github-models": Preset(
        "https://models.github.ai/inference",
        "openai/gpt-4.1",
        keys=("GITHUB_TOKEN",),
        others_key=True,
        models="^/catalog/models",
    ),
}
"""Kind -> service, in the order in which "the first configured" is looked for."""
