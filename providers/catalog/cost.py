"""What an answer costs, from its usage and its model's price. Knows no model and no provider."""

from providers.base import Price
from providers.types import Usage


def cost(usage: Usage, price: Price | None) -> float | None:
    """Return US dollars, or None where the price is not known (never 0 for unknown).

    `usage.input_tokens` includes what was read from and written to the cache: both are taken out of
    it and priced apart. Where the prompt as a whole passes a threshold, all of it has the higher
    price, as Anthropic, Google and OpenAI charge it.
    """
    if price is None:
        return None
    while price.beyond is not None and usage.input_tokens > (price.beyond_tokens or 0):
        price = price.beyond
    read = min(usage.cache_read_tokens, usage.input_tokens)
    write = min(usage.cache_write_tokens, usage.input_tokens - read)
    dollars = (
        (usage.input_tokens - read - write) * price.input
        + read * (price.input if price.cache_read is None else price.cache_read)
        + write * (price.input if price.cache_write is None else price.cache_write)
        + usage.output_tokens * price.output
    )
    return dollars / 1_000_000
