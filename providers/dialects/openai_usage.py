"""Token counts and costs as the OpenAI-like services report them, made into `UsageReport`.

Both spellings (`prompt_tokens` of chat, `input_tokens` of Responses) and what single services add:
where a count is missing there is no guess, except for the total.
"""

import msgspec

from providers.types import Usage, UsageReport

TICKS_PER_USD = 10_000_000_000
"""xAI's `cost_in_usd_ticks`: checked against its price list (grok-4-fast, November 2025)."""

Count = int | float | None


class InputDetails(msgspec.Struct, gc=False):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    cache_creation_tokens: Count = None


class OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Count = None


class CostDetails(msgspec.Struct, gc=False):
    """Perplexity's breakdown."""

    total_cost: Count = None


class WireUsage(msgspec.Struct, gc=False):
    """`prompt_cache_hit_tokens` is DeepSeek's, top-level `cached_tokens` Together's and Moonshot's,
    `cache_*_input_tokens` Anthropic's as gateways pass them on."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    input_tokens: Count = None
    output_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: InputDetails | None = None
    input_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None
    output_tokens_details: OutputDetails | None = None
    prompt_cache_hit_tokens: Count = None
    cached_tokens: Count = None
    cache_read_input_tokens: Count = None
    cache_creation_input_tokens: Count = None
    reasoning_tokens: Count = None
    cost: int | float | str | CostDetails | None = None
    cost_in_usd_ticks: Count = None


_NO_INPUT = InputDetails()
_NO_OUTPUT = OutputDetails()


def report(usage: WireUsage) -> UsageReport:
    """Return what the service counted and, where it says so, what it charges in US dollars."""
    given = usage.prompt_tokens_details or usage.input_tokens_details or _NO_INPUT
    produced = usage.completion_tokens_details or usage.output_tokens_details or _NO_OUTPUT
    read = _first(
        given.cached_tokens,
        usage.cache_read_input_tokens,
        usage.cached_tokens,
        usage.prompt_cache_hit_tokens,
    )
    written = _first(
        given.cache_write_tokens, given.cache_creation_tokens, usage.cache_creation_input_tokens
    )
    reasoning = _first(produced.reasoning_tokens, usage.reasoning_tokens)
    prompt = _first(usage.prompt_tokens, usage.input_tokens)
    output = _first(usage.completion_tokens, usage.output_tokens)
    total = _first(usage.total_tokens)
    if reasoning and total == prompt + output + reasoning:
        output += reasoning  # xAI's chat counts reasoning beside the completion
    counted = Usage(prompt, output, read, written, reasoning, total or prompt + output)
    return UsageReport(counted, _cost(usage))


def is_said(usage: WireUsage) -> bool:
    """Whether anything was counted: some services send a `usage` of nulls before the real one."""
    return any(
        count is not None
        for count in (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.input_tokens,
            usage.output_tokens,
        )
    )


def _first(*counts: Count) -> int:
    """Return the first count above 0; services give 0 for what another field has."""
    return next((int(count) for count in counts if count), 0)


def _cost(usage: WireUsage) -> float | None:
    cost = usage.cost
    if isinstance(cost, CostDetails):
        cost = cost.total_cost
    if isinstance(cost, str):
        try:
            cost = float(cost)
        except ValueError:
            cost = None
    if cost is not None:
        return float(cost)
    if usage.cost_in_usd_ticks is not None:
        return usage.cost_in_usd_ticks / TICKS_PER_USD
    return None
