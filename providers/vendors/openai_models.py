"""What OpenAI's models differ in, decided by the model's name: one small rule per difference.

Sources: platform.openai.com/docs/guides/reasoning (unsupported parameters of reasoning models), the
model pages, and the recorded settings of the port (`docs/parity.md`).
"""

import re
from typing import Literal

_REASONING = re.compile(r"(?:^|/)(?:o[3-9]|gpt-[5-9]|computer-use)")
_REFUSES_SAMPLING = re.compile(r"(?:^|/)(?:o[1-9]|gpt-[5-9]|codex)")
_CHAT_VARIANT = re.compile(r"-chat(?:-latest)?$")
_O_SERIES = re.compile(r"(?:^|/)o[1-9](?:$|[-:.@])")
_EFFORT_IN_NAME = re.compile(r"(?:^|/)o[3-9](?:-mini)?-(low|medium|high)$")
# Those whose prompts OpenAI keeps for a day where it is asked to.
_LONG_CACHE = re.compile(r"(?:^|/)gpt-5\.[123](?:-codex(?:-mini|-max)?)?$")

# Which efforts a model takes, the first pattern that fits; a model that none fits takes any.
_EFFORTS: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(rf"(?:^|/){pattern}"), tuple(efforts.split()))
    for pattern, efforts in (
        (r"(?:gpt-[34]|chatgpt|o1|codex-mini|gpt-5[\d.]*-chat)", ""),
        (r"o[3-9](?:-mini)?-(?:low|high)$", "none minimal low medium high"),
        (r"o[3-9]", "low medium high"),
        (r"gpt-5(?:\.[123])?-codex", "low medium high"),
        (r"gpt-5(?!\.)", "minimal low medium high"),
        (r"gpt-5\.", "none low medium high"),
    )
)

SAMPLING = frozenset({"temperature", "top_p"})

O_SERIES_PREFIX = "Formatting re-enabled\n"
"""Without it models of the o-series write no Markdown in Chat Completions
(platform.openai.com/docs/guides/reasoning, "Advice on prompting")."""

Effort = Literal["low", "medium", "high"]


def reasons(model: str) -> bool:
    """Return whether the model takes `reasoning` settings, and gives its reasoning back."""
    return bool(_REASONING.search(model)) and not _CHAT_VARIANT.search(model)


def refuses_sampling(model: str) -> bool:
    """Return whether the model answers `temperature` and `top_p` with a 400."""
    return bool(_REFUSES_SAMPLING.search(model)) and not _CHAT_VARIANT.search(model)


def is_o_series(model: str) -> bool:
    """Return whether the model wants the developer role and `max_completion_tokens` in chat."""
    return bool(_O_SERIES.search(model))


def takes_effort(model: str, effort: str) -> bool:
    """Return whether the model knows this reasoning effort; of an unknown model that it does."""
    for pattern, efforts in _EFFORTS:
        if pattern.search(model):
            return effort in efforts
    return True


def effort_in_name(model: str) -> str | None:
    """Return the effort that a name of the catalog (`o4-mini-high`) stands for."""
    match = _EFFORT_IN_NAME.search(model)
    return match[1] if match else None


def name_at_service(model: str) -> str:
    """Return the id that the service knows: `o3-mini-high` is `o3-mini` with an effort.

    Only that family: the port sends the others as they are, and so do we.
    """
    return re.sub(r"^(o3-mini)-(?:low|high)$", r"\1", model)


def cache_retention(model: str) -> str | None:
    """Return how long the model's prompts may be kept where a request allows caching."""
    return "24h" if _LONG_CACHE.search(model) else None
