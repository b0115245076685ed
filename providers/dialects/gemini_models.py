"""How much a Gemini model may be told to think: the rules per model, as one table.

Three generations differ: Gemini 3 takes a level, 2.5 a budget of tokens (2.5 Pro always thinks),
and the rest neither by itself. Knows nothing of requests on the wire but `thinkingConfig`.
Source: ai.google.dev/gemini-api/docs/thinking, and the recordings of docs/parity.md.
"""

import re
from typing import NamedTuple

from providers.types import RequestOptions

SHARE_OF_MAX = 0.8
"""A budget leaves a fifth of the answer's tokens for the answer."""

DEFAULT_MAX_TOKENS = 16384
"""What the share is taken of where the request names no maximum; no maximum is sent for it."""

DEFAULT_BUDGET = 8192
LEAST_BUDGET = 1024
LEAST_BUDGET_PRO = 128
"""2.5 Pro cannot be told to think less; it is also what it gets where nobody asks for more."""


class ThinkingRules(NamedTuple):
    """`levels` are those the model takes, weakest first; `default` the one it gets unasked.

    `least` > 0 marks a model that takes a budget, `always` one that cannot do without.
    """

    levels: tuple[str, ...] = ()
    default: str = ""
    budget: int = 0
    least: int = 0
    always: bool = False
    known: bool = True


_FLASH = ThinkingRules(budget=DEFAULT_BUDGET, least=LEAST_BUDGET)
_PRO = ThinkingRules(budget=LEAST_BUDGET_PRO, least=LEAST_BUDGET_PRO)
_NEITHER = ThinkingRules()

_RULES: tuple[tuple[re.Pattern[str], ThinkingRules], ...] = tuple(
    (re.compile(pattern), rules)
    for pattern, rules in (
        (r".*:thinking$", _FLASH._replace(always=True)),
        # Previews of 2.5 that were served before budgets could be set.
        (r"gemini-2\.5-(pro-preview-05-06|pro-exp-03-25|flash-preview-0[45]-\d\d)$", _NEITHER),
        (r"gemini-2\.5-pro-preview-(06-05|03-25)$", _PRO),
        (r"gemini-2\.5-pro", _PRO._replace(always=True)),
        (r"gemini-2\.5-flash|gemini-flash(-lite)?-latest", _FLASH),
        (r"gemini-3[\d.]*-flash", ThinkingRules(("minimal", "low", "medium", "high"), "medium")),
        (r"gemini-3-pro", ThinkingRules(("low", "high"), "low")),
        (r"gemini-3[\d.]*-pro", ThinkingRules(("low", "medium", "high"), "low")),
        (r"gemini-(1\.|2\.0)|.*-maas$", _NEITHER),
    )
)
_UNKNOWN = ThinkingRules(known=False)

# Vertex served this preview before budgets could be set, the Gemini API after.
_VERTEX_NEITHER = frozenset({"gemini-2.5-pro-preview-03-25"})


def bare_id(model: str) -> str:
    """Return the id without resource names and the `:thinking` switch."""
    return model.rpartition("/")[2].removesuffix(":thinking")


def rules_of(model: str, *, vertex: bool = False) -> ThinkingRules:
    name = model.rpartition("/")[2]
    if vertex and name in _VERTEX_NEITHER:
        return _NEITHER
    return next((rules for pattern, rules in _RULES if pattern.match(name)), _UNKNOWN)


def thinking_config(
    request: RequestOptions, *, unasked: bool, vertex: bool = False
) -> dict[str, object] | None:
    """Return `thinkingConfig`, or None where none is to be sent.

    `unasked`: whether a request that does not speak of reasoning gets the model's own default.
    """
    asked = request.reasoning
    if asked is None and not unasked:
        return None
    rules = rules_of(request.model, vertex=vertex)
    effort = asked.effort if asked else None
    budget = asked.budget_tokens if asked else None
    chosen: dict[str, object] | None = None
    if rules.levels:
        if effort != "none":
            chosen = {"thinkingLevel": effort if effort in rules.levels else rules.default}
    elif rules.least:
        tokens = _budget(rules, effort, budget, request.max_tokens)
        chosen = None if tokens is None else {"thinkingBudget": tokens}
        if tokens == 0:
            return chosen  # thoughts that are not thought cannot be included
    elif effort is not None and effort != "none":
        chosen = {"thinkingLevel": effort}
    elif budget is not None and not rules.known:
        chosen = {"thinkingBudget": budget}
    return None if chosen is None else chosen | {"includeThoughts": True}


def _budget(
    rules: ThinkingRules, effort: str | None, budget: int | None, max_tokens: int | None
) -> int | None:
    """Return the budget of a model that takes one; 0 only where it was asked for and may be."""
    if effort == "none" or budget == 0:
        return rules.least if rules.always else 0
    if effort is None and budget is None and not rules.always:
        return None
    most = int((max_tokens or DEFAULT_MAX_TOKENS) * SHARE_OF_MAX)
    return max(rules.least, min(rules.budget if budget is None else budget, most))
