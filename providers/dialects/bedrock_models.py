"""Bedrock's model ids: what they look like, whose model it is, and what its family takes.

An id is a model's (`anthropic.claude-…-v1:0`), a cross-region profile's (`eu.anthropic.…`), or an
ARN of one of these or of something that hides the model (application profiles, provisioned models).

Sources: docs.aws.amazon.com/bedrock, "Supported foundation models", "Inference profiles", "Prompt
caching", "Structured output"; the port's model table (`docs/parity.md`).
"""

import re
from typing import Literal, NamedTuple
from urllib.parse import quote

from providers.dialects.anthropic_models import version

Family = Literal[
    "claude", "titan", "llama", "nova", "mistral", "cohere", "ai21", "openai", "unknown"
]

_REGION_PREFIX = re.compile(r"(?:us-gov|us|eu|apac|ap|au|jp|ca|sa|amer|global|ug|in|il|me|af)\.")
_ARN = re.compile(r"arn:[a-z-]+:(?:bedrock|sagemaker):([a-z0-9-]*):\d*:([a-z-]+)/(.+)")

_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("anthropic.", "claude"),
    ("amazon.titan", "titan"),
    ("amazon.nova", "nova"),
    ("meta.", "llama"),
    ("mistral.", "mistral"),
    ("cohere.", "cohere"),
    ("ai21.", "ai21"),
    ("openai.", "openai"),
)


class Arn(NamedTuple):
    """`region` is "" where the ARN names none."""

    region: str
    kind: str
    name: str


class CacheRules(NamedTuple):
    """`least`: characters before a cache point that make it worth one; None: not this model."""

    system: int | None
    messages: int | None


def parse_arn(model: str) -> Arn | None:
    """Return the parts of an ARN, None for a plain id."""
    found = _ARN.fullmatch(model)
    return Arn(found[1], found[2], found[3]) if found else None


def region_of(model: str) -> str:
    """Return the region an ARN must be called in, "" where the id leaves it open."""
    arn = parse_arn(model)
    return arn.region if arn else ""


def called_id(model: str) -> str:
    """Return what stands in the path: the id; of a foundation model's ARN, the model's own id."""
    arn = parse_arn(model)
    return arn.name if arn and arn.kind == "foundation-model" else model


def path_of(model: str, method: str) -> str:
    """Return `/model/{id}/{method}`, every reserved character of the id encoded."""
    return f"/model/{quote(called_id(model), safe='-_.~')}/{method}"


def base_model(model: str) -> str:
    """Return the model's own id, without ARN and region prefix, as far as the name shows it."""
    arn = parse_arn(model)
    return _REGION_PREFIX.sub("", arn.name if arn else model, count=1)


def family(model: str) -> Family:
    """Return whose format a model's payload has."""
    base = base_model(model)
    for prefix, each in _FAMILIES:
        if base.startswith(prefix):
            return each
    return "unknown"


_CLAUDE_LEAST = 2048
"""Claude caches nothing under 1024 tokens (2048 for the small ones), and no text has fewer than two
characters a token on average that is worth caching: below this a cache point has no effect."""


def cache_rules(model: str) -> CacheRules:
    """Return where `model` takes cache points."""
    kind = family(model)
    if kind == "nova" and "latency-optimized" not in model:
        return CacheRules(1, None)
    if kind != "claude":
        return CacheRules(None, None)
    number = version(model)
    caches = number is None or number >= (3, 7) or (number == (3, 5) and "20240620" not in model)
    return CacheRules(_CLAUDE_LEAST, _CLAUDE_LEAST) if caches else CacheRules(None, None)


def takes_result_status(model: str) -> bool:
    """Whether `toolResult.status` is known to the model (API reference, `ToolResultBlock`)."""
    return family(model) in ("claude", "nova", "unknown")


def native_schema(model: str) -> bool:
    """Whether the model takes `outputConfig.textFormat`."""
    kind = family(model)
    if kind == "claude":
        number = version(model)
        return number is None or number >= (4, 5)
    return kind in ("openai", "unknown") and not base_model(model).startswith("deepseek.r1")
