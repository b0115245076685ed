"""The one visible table of the `ai/*` requests: method -> (params, result)."""

from typing import NamedTuple

import msgspec

from protocol import ai


class Method(NamedTuple):
    params: type[msgspec.Struct]
    result: type[msgspec.Struct]


METHODS: dict[str, Method] = {
    "ai/complete": Method(ai.CompletionParams, ai.CompletionResult),
    "ai/stream": Method(ai.CompletionParams, ai.CompletionResult),
    "ai/models": Method(ai.ModelsParams, ai.ModelsResult),
    "ai/providers": Method(ai.ProvidersParams, ai.ProvidersResult),
    "ai/health": Method(ai.HealthParams, ai.HealthResult),
    "ai/countTokens": Method(ai.CountTokensParams, ai.CountTokensResult),
    "ai/metrics": Method(ai.MetricsParams, ai.MetricsResult),
}
