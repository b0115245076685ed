"""What Claude models differ in, decided by the model's name: one small rule per difference.

Names are Anthropic's (`claude-sonnet-4-5-20250929`), Vertex's (`claude-sonnet-4-5@20250929`) or
Bedrock's (`eu.anthropic.claude-sonnet-4-5-20250929-v1:0`). A name that is no Claude's (a gateway's,
another maker's on the same format) gets what the format's own documentation says, and no more.

Sources: platform.claude.com/docs, "Extended thinking", "Adaptive thinking", "Structured outputs",
"Models overview"; the rules of the port's recorded settings (`docs/parity.md`).
"""

import re
from typing import NamedTuple

Version = tuple[int, int]

_NEW_STYLE = re.compile(r"claude-(?:[a-z]+-)+(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")  # claude-opus-4-1
_OLD_STYLE = re.compile(
    r"claude-(?:v|instant-v)?(\d{1,2})(?:[-.:](\d{1,2}))?(?!\d)"
)  # claude-3-7-…

THINKING_SUFFIX = ":thinking"
"""The port's own spelling for "this model, always thinking"; no service knows it."""

DEFAULT_MAX_TOKENS = 8192
THINKING_MAX_TOKENS = 16384
"""Sent where a request gives none, because the format requires the field (port: the defaults of its
model settings, without and with thinking)."""

THINKING_BUDGET = 8192
"""Tokens of thinking for every `effort`. A model that takes a number has no levels, and the port
gives all of them this one; a model that takes a level gets the level itself."""

LEAST_BUDGET = 1024
"""Documented minimum of `thinking.budget_tokens`."""

MOST_OF_MAX = 0.8
"""A budget is at most this part of `max_tokens`, so that an answer fits behind it (port)."""


class ModelRules(NamedTuple):
    """`adaptive`: the model takes a level of effort and refuses a budget, `temperature`, `top_p`.
    `native_schema`: it takes `output_config.format`. `max_output`: of the oldest only, else None.
    """

    thinks: bool
    adaptive: bool
    native_schema: bool
    max_output: int | None


_OLDEST_MAX_OUTPUT = 4096  # Claude 3 and before, Claude 3.5 excluded


def version(model: str) -> Version | None:
    """Return the version in a Claude model's name, or None where there is none."""
    found = _NEW_STYLE.search(model) or _OLD_STYLE.search(model)
    return (int(found[1]), int(found[2] or 0)) if found else None


def rules(model: str) -> ModelRules:
    """Return what is particular to `model`."""
    number = version(model)
    if number is None:
        return ModelRules(True, False, True, None)
    return ModelRules(
        # Claude 3.7 can think, but in the port only under its `:thinking` name, or on Bedrock.
        thinks=number >= (4, 0) or (number == (3, 7) and "anthropic." in model),
        adaptive=number >= (4, 7),
        # Opus 4.1 takes it as well, Sonnet 4 and Opus 4 (4.0) do not.
        native_schema=number >= (4, 1),
        max_output=_OLDEST_MAX_OUTPUT if number <= (3, 0) else None,
    )


def split_suffix(model: str) -> tuple[str, bool]:
    """Return the name a service knows, and whether it asked for thinking by its suffix."""
    if model.endswith(THINKING_SUFFIX):
        return model[: -len(THINKING_SUFFIX)], True
    return model, False
