"""The one list of handlers of `ai/*`. A test compares it with `protocol.methods`."""

from sidecar.handlers import (
    ai_complete,
    ai_count_tokens,
    ai_health,
    ai_metrics,
    ai_models,
    ai_providers,
    ai_stream,
)
from sidecar.rpc import Handler

HANDLERS: dict[str, Handler] = {
    "ai/complete": ai_complete.handle,
    "ai/stream": ai_stream.handle,
    "ai/models": ai_models.handle,
    "ai/providers": ai_providers.handle,
    "ai/health": ai_health.handle,
    "ai/countTokens": ai_count_tokens.handle,
    "ai/metrics": ai_metrics.handle,
}
